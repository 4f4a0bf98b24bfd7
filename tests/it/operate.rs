use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::sink::Sink;
use crate::support::{Service, api, client, event, until};

fn herald(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_falco-herald"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn the_example_configuration_works_and_fits_the_schema() {
    let (code, said) = herald(&["check", "--config", "deploy/herald.yaml"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "ok: 2 routes, 1 destinations\n")
    );
    let (_, schema) = herald(&["generate", "schema"]);
    let checked_in = std::fs::read_to_string("deploy/config.schema.json").unwrap();
    assert_eq!(
        schema, checked_in,
        "run: falco-herald generate schema > deploy/config.schema.json"
    );
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let example = std::fs::read_to_string("deploy/herald.yaml").unwrap();
    let example: serde_json::Value = serde_saphyr::from_str(&example).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    if let Err(error) = validator.validate(&example) {
        panic!("{error}");
    }
}

#[test]
fn check_tries_a_preset_and_names_its_file_and_the_place_of_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let (config, preset) = (
        folder.path().join("herald.yaml"),
        folder.path().join("own.yaml"),
    );
    let text = format!(
        "destinations: {{ own: {{ webhook: {{ url: 'https://example.com', preset_file: '{}' }} }} }}\nroute: {{ to: [own] }}\n",
        preset.display()
    );
    std::fs::write(&config, text).unwrap();
    let check = || {
        let output = Command::new(env!("CARGO_BIN_EXE_falco-herald"))
            .args(["check", "--config", config.to_str().unwrap()])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    std::fs::write(&preset, "create: { body: '{{ report.line }}' }\n").unwrap();
    assert_eq!(check().0, Some(0));
    std::fs::write(&preset, "create: { body: '{{ report.lime }}' }\n").unwrap();
    let (code, said) = check();
    assert_eq!(code, Some(1));
    let place = "destinations.own: webhook: preset_file ";
    assert!(
        said.contains(place) && said.contains("own.yaml: create.body: undefined"),
        "{said}"
    );
}

#[test]
fn every_format_renders_and_explain_tells_the_route() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("event.json");
    std::fs::write(&file, event("Terminal shell in container", 1)).unwrap();
    let file = file.to_str().unwrap();
    for (format, needle) in [
        ("markdown", "## Evidence"),
        ("text", "Evidence"),
        ("html", "<table"),
        ("slack", "rich_text"),
        ("teams", "AdaptiveCard"),
        ("discord", "allowed_mentions"),
        ("matrix", "m.mentions"),
        ("telegram", "link_preview_options"),
        ("mattermost", "## Summary"),
        ("google-chat", "*Summary*"),
        ("json", "\"lead\""),
    ] {
        let (code, text) = herald(&["render", "--to", format, file]);
        assert_eq!(code, Some(0), "{format}");
        assert!(text.contains(needle), "{format}: {text}");
    }
    let (_, explained) = herald(&["explain", file]);
    assert!(
        explained.contains("category     shell_execution"),
        "{explained}"
    );
    assert!(explained.contains("to console"), "{explained}");
    let (_, rules) = herald(&["rules", "--json"]);
    assert_eq!(rules.lines().count(), 258);
}

#[tokio::test]
async fn a_hangup_reloads_and_a_broken_configuration_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Sink::start().await, Sink::start().await);
    let config = |sink: &Sink| {
        format!(
            "destinations: {{ hook: {{ webhook: {{ url: '{}' }} }} }}\nroute: {{ to: [hook], group_by: [rule] }}\n",
            sink.url
        )
    };
    let service = Service::start(folder.path(), &config(&old));
    let file = folder.path().join("herald.yaml");
    let head = std::fs::read_to_string(&file).unwrap();
    let head: String = head
        .lines()
        .take(3)
        .map(|line| line.to_owned() + "\n")
        .collect();
    let reload = |text: &str| {
        std::fs::write(&file, format!("{head}{text}")).unwrap();
        let pid = service.child.id().to_string();
        Command::new("kill").args(["-HUP", &pid]).status().unwrap();
    };
    let reloads = async |outcome: &str| {
        let metrics = client().get(format!("http://{}/metrics", service.admin));
        let metrics = metrics.send().await.unwrap().text().await.unwrap();
        metrics.contains(&format!("config_reloads_total{{outcome=\"{outcome}\"}} "))
    };
    let post = async |rule: &str| {
        let post = client().post(format!("http://{}/", service.events));
        post.body(event(rule, 1)).send().await.unwrap();
    };
    reload("route: { to: [nobody] }\n");
    until("the broken one is refused", async || {
        reloads("refused").await
    })
    .await;
    post("first").await;
    until("the old destination is told", async || {
        old.taken().len() == 1
    })
    .await;
    reload(&config(&new));
    until("the new one is applied", async || reloads("applied").await).await;
    post("second").await;
    until("the new destination is told", async || {
        new.taken().len() == 1
    })
    .await;
}

#[tokio::test]
async fn only_the_right_credentials_may_post() {
    let folder = tempfile::tempdir().unwrap();
    let auth = "ingest: { auth: { basic: { username: falco, password: canary }, bearer: { token: t0ken } } }\n";
    let service = Service::start(folder.path(), auth);
    let post = || {
        client()
            .post(format!("http://{}/", service.events))
            .body(event("r", 1))
    };
    for (request, status) in [
        (post(), 401),
        (post().basic_auth("falco", Some("wrong")), 401),
        (post().bearer_auth("canary"), 401),
        (post().basic_auth("falco", Some("canary")), 200),
        (post().bearer_auth("t0ken"), 200),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert!(!answer.text().await.unwrap().contains("canary"));
    }
    let ping = client().get(format!("http://{}/ping", service.events));
    assert_eq!(ping.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn with_mutual_tls_a_client_certificate_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (
            params.signed_by(&key, &ca).unwrap().pem(),
            key.serialize_pem(),
        )
    };
    let (server, server_key) = issue("127.0.0.1");
    let (sender, sender_key) = issue("falco");
    let write = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.display().to_string()
    };
    let config = format!(
        "ingest: {{ tls: {{ cert_file: {}, key_file: {}, client_ca_file: {} }} }}\n",
        write("server.pem", &server),
        write("server.key", &server_key),
        write("ca.pem", &ca.pem())
    );
    let service = Service::start(folder.path(), &config);
    let url = format!("https://{}/", service.events);
    let builder = || {
        client();
        let root = reqwest::Certificate::from_pem(ca.pem().as_bytes()).unwrap();
        reqwest::Client::builder().no_proxy().tls_certs_only([root])
    };
    let anonymous = builder().build().unwrap();
    assert!(
        anonymous
            .post(&url)
            .body(event("r", 1))
            .send()
            .await
            .is_err()
    );
    let identity = format!("{sender}{sender_key}");
    let identity = reqwest::Identity::from_pem(identity.as_bytes()).unwrap();
    let known = builder().identity(identity).build().unwrap();
    assert_eq!(
        known
            .post(&url)
            .body(event("r", 1))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn the_api_beyond_loopback_needs_credentials_and_the_command_line_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = "admin_auth: { bearer: { token: t0ken } }\n";
    let service = Service::start(folder.path(), config);
    let url = format!("http://{}/api/v1/incidents", service.admin);
    for (token, status) in [("wrong", 401), ("t0ken", 200)] {
        let answer = client().get(&url).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let port = service.admin.rsplit(':').next().unwrap();
    let file = folder.path().join("cli.yaml");
    std::fs::write(&file, format!("admin: 127.0.0.1:{port}\n{config}")).unwrap();
    let listed = Command::new(env!("CARGO_BIN_EXE_falco-herald"))
        .args(["deliveries", "list", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    assert!(listed.stdout.starts_with(b"id\tstate"));
}

#[tokio::test]
async fn a_secret_in_a_command_line_reaches_no_destination_and_no_api() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let config = format!(
        "destinations: {{ hook: {{ webhook: {{ url: '{}' }} }} }}\nroute: {{ to: [hook], group_by: [rule, proc.cmdline] }}\nmask: {{ patterns: ['ACME-(\\d+)'] }}\n",
        hook.url
    );
    let service = Service::start(folder.path(), &config);
    let post = |body: String| {
        client()
            .post(format!("http://{}/", service.events))
            .body(body)
    };
    let hostile = serde_json::json!({
        "rule": "r", "priority": "Notice", "time": "2026-03-01T10:15:00Z",
        "output": "mysql -uroot -pHunter2Canary db",
        "output_fields": {
            "proc.cmdline": "mysql -uroot -pHunter2Canary db",
            "proc.env": "PGPASSWORD=Hunter2Canary ACME-4711Canary",
        },
    });
    assert_eq!(
        post(hostile.to_string()).send().await.unwrap().status(),
        200
    );
    let refused = "{\"rule\":\"\",\"x\":\"--password Hunter2Canary\"}";
    assert_eq!(post(refused.to_owned()).send().await.unwrap().status(), 400);
    until("the webhook is told", async || hook.taken().len() == 1).await;
    let body = hook.taken().remove(0).body.to_string();
    assert!(
        !body.contains("Hunter2") && !body.contains("4711"),
        "{body}"
    );
    assert!(body.matches("[masked ").count() >= 5, "{body}");
    for path in ["incidents", "quarantine", "deliveries"] {
        let listed = api(&service, path).await.to_string();
        assert!(!listed.contains("Hunter2"), "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_acknowledged_from_the_command_line_and_the_message_says_by_whom() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let config = format!(
        "destinations: {{ hook: {{ webhook: {{ url: '{}' }} }} }}\nroute: {{ to: [hook] }}\n",
        hook.url
    );
    let service = Service::start(folder.path(), &config);
    let post = client().post(format!("http://{}/", service.events));
    assert_eq!(post.body(event("a", 1)).send().await.unwrap().status(), 200);
    until("the incident is told", async || hook.taken().len() == 1).await;
    let uid = hook.taken()[0].body["data"]["incident"]["uid"].clone();
    let port = service.admin.rsplit(':').next().unwrap();
    let file = folder.path().join("cli.yaml");
    let store = folder.path().join("store");
    let text = format!(
        "admin: 127.0.0.1:{port}\nstore: {{ path: {} }}\n",
        store.display()
    );
    std::fs::write(&file, text).unwrap();
    let ask = |arguments: &[&str]| {
        let config = ["--config", file.to_str().unwrap()];
        let (code, said) = herald(&[arguments, &config].concat());
        (code == Some(0), said)
    };
    let uid = uid.as_str().unwrap();
    let taken = ask(&["incidents", "acknowledge", uid, "--by", "kim"]);
    assert_eq!(taken, (true, "done\n".to_owned()));
    assert!(!ask(&["incidents", "acknowledge", uid, "--by", "lee"]).0);
    until("the message says so", async || hook.taken().len() == 2).await;
    let said = hook.taken().remove(1).body["data"].clone();
    assert_eq!(said["incident"]["state"], "acknowledged");
    let report = said["report"]["markdown"].as_str().unwrap();
    assert!(
        report.contains("**State** acknowledged by kim, 20"),
        "{report}"
    );
    // The store belongs to the service: these ask it.
    let (_, listed) = ask(&["incidents", "list"]);
    assert!(listed.contains("\tkim\n"), "{listed}");
    let (balanced, account) = ask(&["audit"]);
    assert!(balanced, "{account}");
    assert!(account.starts_with("received\t1\nsent\t1\n"), "{account}");
    let (_, explained) = ask(&["explain", "1"]);
    for part in [
        "rule         a\n",
        "route 0      takes it\n",
        &format!("incident     {uid} of route 0: acknowledged, 1 events\n"),
        "at hook      sent, with 1 events of its batch\n             delivery 1, due 20",
    ] {
        assert!(explained.contains(part), "{explained}");
    }
    assert!(!ask(&["explain", "2"]).0);
    let (_, later) = ask(&["audit", "--json", "--from", "2200-01-01T00:00:00Z"]);
    assert!(later.starts_with("{\"received\":0,"), "{later}");
}
