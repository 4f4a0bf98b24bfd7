use std::process::Command;

use crate::support::sink::Sink;
use crate::support::{Service, client, event, until};

async fn post(service: &Service, rule: &str) {
    let post = client().post(format!("http://{}/", service.events));
    // Below the ceiling.
    let event = event(rule, 1).replace("Critical", "Error");
    assert_eq!(post.body(event).send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_is_made_listed_and_expired_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let config = format!(
        "destinations: {{ hook: {{ webhook: {{ url: '{}' }} }} }}\nroute: {{ to: [hook] }}\n",
        hook.url
    );
    let service = Service::start(folder.path(), &config);
    let file = folder.path().join("cli.yaml");
    std::fs::write(&file, format!("admin: {}\n", service.admin)).unwrap();
    let silence = |arguments: &[&str]| {
        let ended = Command::new(env!("CARGO_BIN_EXE_falco-herald"))
            .arg("silence")
            .args(arguments)
            .arg("--config")
            .arg(&file)
            .output()
            .unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        (ended.status.success(), String::from_utf8(said).unwrap())
    };
    let why = ["--comment", "CI runs shells", "--by", "kim"];
    let (made, said) = silence(&[&["add", "rule = "], &why[..]].concat());
    assert!(!made && said.contains("when: "), "{said}");
    let (made, said) = silence(&["add", "rule = noise", "--comment", " ", "--by", "kim"]);
    assert!(!made && said.contains("who hides this, and why"), "{said}");
    let (made, said) = silence(&[&["add", "rule = noise", "--for", "1h"], &why[..]].concat());
    assert!(made, "{said}");

    post(&service, "noise").await;
    post(&service, "noise").await;
    post(&service, "other").await;
    until("the other is told", async || !hook.taken().is_empty()).await;
    let (_, listed) = silence(&["list"]);
    let row = listed.lines().nth(1).unwrap();
    assert!(row.starts_with("1\t20"), "{listed}");
    assert!(
        row.ends_with("\t2\tkim\tCI runs shells\trule = noise"),
        "{listed}"
    );

    assert!(silence(&["expire", "1"]).0);
    assert!(!silence(&["expire", "1"]).0, "it is over");
    until("what it hid is told", async || hook.taken().len() == 2).await;
    let told: Vec<_> = hook
        .taken()
        .iter()
        .map(|taken| taken.body["data"]["incident"].clone())
        .map(|incident| (incident["rule"].clone(), incident["count"].clone()))
        .collect();
    assert_eq!(
        told,
        [("other".into(), 1.into()), ("noise".into(), 2.into())]
    );
}
