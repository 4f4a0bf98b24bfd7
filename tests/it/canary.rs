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

/// A destination of every kind, in order and out of order, each with a canary; and their names.
fn config(url: &str, port: u16, closed: &str) -> (String, Vec<&'static str>) {
    let here = url.trim_start_matches("http://");
    let delivery =
        "delivery: { retry_initial: 10ms, retry_max: 10ms, timeout: 300ms, interval: 0s }";
    let destinations = [
        (
            "bot",
            format!("slack: {{ token: xoxb-{CANARY}, channel: C1, api_url: '{url}/api' }}"),
        ),
        (
            "botdown",
            format!(
                "slack: {{ token: xoxb-{CANARY}, channel: C1, api_url: 'http://{closed}/{CANARY}' }}"
            ),
        ),
        (
            "hook",
            format!("slack: {{ webhook_url: '{url}/{CANARY}' }}"),
        ),
        (
            "hookdown",
            format!("slack: {{ webhook_url: 'http://{closed}/services/{CANARY}' }}"),
        ),
        ("teams", format!("teams: {{ url: '{url}/w?sig={CANARY}' }}")),
        (
            "discord",
            format!("discord: {{ url: '{url}/api/webhooks/1/{CANARY}' }}"),
        ),
        (
            "matrix",
            format!("matrix: {{ homeserver: '{url}', token: {CANARY}, room: '!r:x' }}"),
        ),
        (
            "telegram",
            format!("telegram: {{ token: '1:{CANARY}', chat_id: -1, api_url: '{url}' }}"),
        ),
        (
            "mattermost",
            format!("mattermost: {{ url: '{url}', token: {CANARY}, channel_id: c }}"),
        ),
        (
            "mathook",
            format!("mattermost: {{ url: '{url}/hooks/{CANARY}' }}"),
        ),
        (
            "chat",
            format!("google_chat: {{ url: '{url}/v1/spaces/S/messages?token={CANARY}' }}"),
        ),
        (
            "web",
            format!(
                "webhook: {{ url: 'http://u:{CANARY}@{here}/in?token={CANARY}', secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, headers: {{ X-Token: {CANARY} }} }}"
            ),
        ),
        (
            "webdown",
            format!("webhook: {{ url: 'http://{closed}/?token={CANARY}' }}"),
        ),
        (
            "webtls",
            format!("webhook: {{ url: 'https://{here}/?token={CANARY}' }}"),
        ),
        (
            "webname",
            format!("webhook: {{ url: 'http://nowhere.invalid/?token={CANARY}' }}"),
        ),
        (
            "preset",
            format!(
                "webhook: {{ url: 'http://{closed}/?token={CANARY}', preset: ntfy, params: {{ topic: {CANARY} }}, token: {CANARY} }}"
            ),
        ),
        (
            "pagerduty",
            format!("pagerduty: {{ routing_key: {CANARY}, api_url: '{url}/{CANARY}' }}"),
        ),
        (
            "opsgenie",
            format!("opsgenie: {{ api_key: {CANARY}, api_url: '{url}/{CANARY}' }}"),
        ),
        (
            "alertmanager",
            format!("alertmanager: {{ url: 'http://u:{CANARY}@{closed}', token: {CANARY} }}"),
        ),
        (
            "mail",
            format!(
                "email: {{ host: 127.0.0.1, port: {port}, username: u, password: {CANARY}, from: a@example.com, to: [b@example.com] }}"
            ),
        ),
        (
            "maildown",
            format!(
                "email: {{ host: '{}', port: 1, username: u, password: {CANARY}, from: a@example.com, to: [b@example.com] }}",
                "127.0.0.1"
            ),
        ),
    ];
    let names = destinations
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>();
    let section =
        |(name, kind): &(&str, String)| format!("  {name}:\n    {kind}\n    {delivery}\n");
    let sections: Vec<_> = destinations.iter().map(section).collect();
    let sections = sections.concat();
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
