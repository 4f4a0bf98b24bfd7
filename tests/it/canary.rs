//! Our own secrets: a canary in every destination, every failure provoked, and nothing leaks.

use std::path::Path;

use crate::support::sink::Sink;
use crate::support::smtp::Smtp;
use crate::support::{Service, client, event, until};

const CANARY: &str = "canary7f3a9c";

/// What peers answer.
const REFUSALS: [(u16, &str); 13] = [
    (500, CANARY),
    (401, CANARY),
    (403, CANARY),
    (404, CANARY),
    (410, CANARY),
    (400, CANARY),
    (302, CANARY),
    (429, CANARY),
    (200, CANARY),
    (200, "{\"ok\":false,\"error\":\"invalid_auth\"}"),
    (200, "{\"ok\":false,\"error\":\"invalid_blocks\"}"),
    (413, CANARY),
    (422, CANARY),
];

/// Every byte under a folder.
fn bytes(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes(&path));
        } else {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

/// A destination of every kind, in order and out of order, each with a canary.
const DESTINATIONS: [(&str, &str); 22] = [
    (
        "bot",
        "slack: { token: xoxb-CANARY, channel: C1, api_url: 'URL/api' }",
    ),
    (
        "botdown",
        "slack: { token: xoxb-CANARY, channel: C1, api_url: 'http://CLOSED/CANARY' }",
    ),
    ("hook", "slack: { webhook_url: 'URL/CANARY' }"),
    (
        "hookdown",
        "slack: { webhook_url: 'http://CLOSED/services/CANARY' }",
    ),
    ("teams", "teams: { url: 'URL/w?sig=CANARY' }"),
    ("discord", "discord: { url: 'URL/api/webhooks/1/CANARY' }"),
    (
        "matrix",
        "matrix: { homeserver: 'URL', token: CANARY, room: '!r:x' }",
    ),
    (
        "telegram",
        "telegram: { token: '1:CANARY', chat_id: -1, api_url: 'URL' }",
    ),
    (
        "mattermost",
        "mattermost: { url: 'URL', token: CANARY, channel_id: c }",
    ),
    ("mathook", "mattermost: { url: 'URL/hooks/CANARY' }"),
    (
        "chat",
        "google_chat: { url: 'URL/v1/spaces/S/messages?token=CANARY' }",
    ),
    (
        "web",
        "webhook: { url: 'http://u:CANARY@HERE/in?token=CANARY', secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, headers: { X-Token: CANARY } }",
    ),
    ("webdown", "webhook: { url: 'http://CLOSED/?token=CANARY' }"),
    ("webtls", "webhook: { url: 'https://HERE/?token=CANARY' }"),
    (
        "webname",
        "webhook: { url: 'http://nowhere.invalid/?token=CANARY' }",
    ),
    (
        "preset",
        "webhook: { url: 'http://CLOSED/?token=CANARY', preset: ntfy, params: { topic: CANARY }, token: CANARY }",
    ),
    (
        "pagerduty",
        "pagerduty: { routing_key: CANARY, api_url: 'URL/CANARY' }",
    ),
    (
        "opsgenie",
        "opsgenie: { api_key: CANARY, api_url: 'URL/CANARY' }",
    ),
    (
        "alertmanager",
        "alertmanager: { url: 'http://u:CANARY@CLOSED', token: CANARY }",
    ),
    (
        "github",
        "github: { repository: a/b, token: CANARY, api_url: 'URL/CANARY' }",
    ),
    (
        "mail",
        "email: { host: 127.0.0.1, port: PORT, username: u, password: CANARY, from: a@example.com, to: [b@example.com] }",
    ),
    (
        "maildown",
        "email: { host: 127.0.0.1, port: 1, username: u, password: CANARY, from: a@example.com, to: [b@example.com] }",
    ),
];

/// The configuration of them, and their names.
fn config(url: &str, port: u16, closed: &str) -> (String, Vec<&'static str>) {
    let names: Vec<_> = DESTINATIONS.iter().map(|(name, _)| *name).collect();
    let section = |(name, kind): &(&str, &str)| {
        let kind = kind
            .replace("CANARY", CANARY)
            .replace("CLOSED", closed)
            .replace("HERE", url.trim_start_matches("http://"))
            .replace("URL", url)
            .replace("PORT", &port.to_string());
        format!(
            "  {name}:\n    {kind}\n    delivery: {{ retry_initial: 10ms, retry_max: 10ms, timeout: 300ms, interval: 0s }}\n"
        )
    };
    let sections: String = DESTINATIONS.iter().map(section).collect();
    let config = format!(
        "ingest: {{ auth: {{ basic: {{ username: falco, password: {CANARY} }} }} }}\nadmin_auth: {{ bearer: {{ token: {CANARY} }} }}\ndestinations:\n{sections}route: {{ to: [{}], group_by: [rule], group_interval: 10ms }}\n",
        names.join(", ")
    );
    (config, names)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_failure_tells_a_secret_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, smtp) = (Sink::start().await, Smtp::start().await);
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let url = sink.url.clone();
    let (config, names) = config(&url, smtp.port, &closed);
    let service = Service::start(folder.path(), &config);
    for (number, refusal) in REFUSALS.iter().enumerate() {
        sink.refuse(&[*refusal, *refusal, *refusal]);
        let post = client().post(format!("http://{}/", service.events));
        let post = post.basic_auth("falco", Some(CANARY));
        let answer = post
            .body(event(&format!("rule {number}"), number))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    let get = async |path: &str, token: &str| {
        let get = client().get(format!("http://{}{path}", service.admin));
        get.bearer_auth(token)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    // Which of them a refusal above has met is chance: now all are refused once more.
    sink.refuse(&vec![(500, CANARY); 5_000]);
    let post = client().post(format!("http://{}/", service.events));
    let post = post.basic_auth("falco", Some(CANARY));
    post.body(event("last", 99)).send().await.unwrap();
    until("every destination has failed", async || {
        let metrics = get("/metrics", "").await;
        names.iter().all(|name| {
            let failed = |outcome: &str| {
                metrics.contains(&format!("{{destination=\"{name}\",outcome=\"{outcome}\"}}"))
            };
            failed("retry") || failed("dead")
        })
    })
    .await;
    // A wrong configuration names the setting and not its value.
    let file = folder.path().join("herald.yaml");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        before.replace(
            &format!("webhook_url: '{url}/"),
            "webhook_url: 'nonsense://",
        ),
    )
    .unwrap();
    service.signal("HUP");
    until("the new configuration is refused", async || {
        get("/metrics", "")
            .await
            .contains("config_reloads_total{outcome=\"refused\"} 1")
    })
    .await;
    std::fs::write(&file, before).unwrap();
    let mut said = String::new();
    for path in [
        "/",
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/v1/incidents",
        "/api/v1/deliveries",
        "/api/v1/fates",
        "/api/v1/quarantine",
    ] {
        said.push_str(&get(path, CANARY).await);
        said.push_str(&get(path, "wrong").await);
    }
    let log = service.log.lock().unwrap().join("\n");
    assert!(log.lines().count() > 20, "{log}");
    service.kill();
    let store = bytes(&folder.path().join("store"));
    for (place, text) in [
        ("answers", said.into_bytes()),
        ("log", log.into_bytes()),
        ("store", store),
    ] {
        let hits = text
            .windows(CANARY.len())
            .filter(|window| *window == CANARY.as_bytes())
            .count();
        assert_eq!(hits, 0, "{place}");
    }
}
