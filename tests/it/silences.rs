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
    let hide = [&["add", "rule in (noise, late)", "--for", "1h"], &why[..]].concat();
    let (asked, said) = silence(&[&hide[..], &["--dry-run"]].concat());
    assert!(asked && said.contains("no event is stored"), "{said}");
    post(&service, "noise").await;
    until("the first is told", async || hook.taken().len() == 1).await;
    let (made, said) = silence(&hide);
    assert!(made, "{said}");
    assert!(
        said.contains("it would have hidden 1 of 1 alerts"),
        "{said}"
    );
    assert!(said.contains("       1  noise"), "{said}");

    post(&service, "noise").await;
    post(&service, "noise").await;
    // A rule that is new under the silence breaks through, once.
    post(&service, "late").await;
    until("the new rule is told", async || hook.taken().len() == 2).await;
    post(&service, "late").await;
    post(&service, "other").await;
    until("the other is told", async || hook.taken().len() == 3).await;
    let (_, listed) = silence(&["list"]);
    let row = listed.lines().nth(1).unwrap();
    assert!(row.starts_with("1\t20"), "{listed}");
    assert!(
        row.ends_with("\t3\tkim\tCI runs shells\trule in (noise, late)"),
        "{listed}"
    );

    assert!(silence(&["expire", "1"]).0);
    assert!(!silence(&["expire", "1"]).0, "it is over");
    until("what it hid is told", async || hook.taken().len() == 5).await;
    let mut told: Vec<_> = hook
        .taken()
        .iter()
        .map(|taken| taken.body["data"]["incident"].clone())
        .map(|incident| (incident["rule"].clone(), incident["count"].clone()))
        .collect();
    told[3..].sort_by_key(|(rule, _): &(serde_json::Value, _)| rule.to_string());
    let said = [
        ("noise", 1),
        ("late", 1),
        ("other", 1),
        ("late", 2),
        ("noise", 3),
    ];
    assert_eq!(told, said.map(|(rule, count)| (rule.into(), count.into())));
}
