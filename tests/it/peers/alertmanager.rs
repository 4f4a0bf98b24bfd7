//! A real Alertmanager is told of an incident, from its first alert to its end.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Process, act, located, post};
use crate::support::sink::Sink;
use crate::support::{Service, api, client, until};

/// prometheus-alertmanager on a free port, which tells `receiver` at once.
struct Alertmanager {
    _process: Process,
    url: String,
}

impl Alertmanager {
    async fn start(folder: &Path, receiver: &Sink) -> Option<Self> {
        let program = located("Alertmanager", "alertmanager/alertmanager")?;
        let home = program.parent().unwrap();
        let config = json!({
            "route": {
                "receiver": "sink", "group_by": ["incident"], "group_wait": "0s",
                "group_interval": "1s",
            },
            "receivers": [{ "name": "sink", "webhook_configs": [{ "url": receiver.url }] }],
        });
        let file = folder.join("alertmanager.yaml");
        std::fs::write(&file, config.to_string()).unwrap();
        let log = folder.join("alertmanager.log");
        let process = Process::start(
            Command::new(&program)
                .arg(format!("--config.file={}", file.display()))
                .arg(format!(
                    "--storage.path={}",
                    folder.join("alertmanager").display()
                ))
                .arg("--web.listen-address=127.0.0.1:0")
                .args(["--cluster.listen-address=", "--log.format=json"])
                .current_dir(home.join("usr")),
            log,
        );
        let mut address = None;
        until("Alertmanager listens", async || {
            let written = process.written();
            let lines = written
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            let mut listening = lines.filter(|line: &Value| line["msg"] == "Listening on");
            address = listening.next().map(|line| line["address"].clone());
            address.is_some()
        })
        .await;
        Some(Self {
            url: format!("http://{}", address.unwrap().as_str().unwrap()),
            _process: process,
        })
    }

    /// The alerts that are active.
    async fn alerts(&self) -> Vec<Value> {
        let get = client().get(format!("{}/api/v2/alerts", self.url));
        get.send().await.unwrap().json().await.unwrap()
    }
}

fn event(priority: &str) -> Value {
    json!({
        "rule": "Run shell", "priority": priority, "time": "2026-03-01T10:15:00Z",
        "output": "x", "source": "syscall", "hostname": "node-1",
        "output_fields": { "proc.name": "<!channel> http://evil.example\n\u{202e}" },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_alertmanager_shows_an_incident_as_one_alert_and_sends_on_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Sink::start().await;
    let Some(peer) = Alertmanager::start(folder.path(), &receiver).await else {
        return;
    };
    let config = format!(
        "public_url: https://herald.example.com\n\
         destinations: {{ am: {{ alertmanager: {{ url: '{}', labels: {{ team: soc }} }} }} }}\n\
         route: {{ to: [am], group_by: [rule, proc.name], group_interval: 0s, quiet_after: 4s }}\n",
        peer.url
    );
    let service = Service::start(folder.path(), &config);
    let shows = async |what: &str, severity: &str, count: &str, state: &str| {
        until(what, async || {
            let alerts = peer.alerts().await;
            alerts.len() == 1
                && alerts[0]["labels"]["severity"] == severity
                && alerts[0]["annotations"]["count"] == count
                && alerts[0]["annotations"]["state"] == state
        })
        .await;
    };
    post(&service, &event("Warning")).await;
    shows("the alert is there", "warning", "1", "open").await;
    let alert = peer.alerts().await.remove(0);
    let uid = &api(&service, "incidents").await[0]["uid"];
    let labels = &alert["labels"];
    assert_eq!(
        (&labels["incident"], &labels["alertname"]),
        (uid, &json!("Run shell"))
    );
    let name = r"‹!channel› hxxp://evil.example\u{A}\u{202E}";
    assert_eq!(
        (&labels["proc_name"], &labels["team"]),
        (&json!(name), &json!("soc"))
    );
    let link = format!(
        "https://herald.example.com/incidents/{}/",
        uid.as_str().unwrap()
    );
    let url = alert["generatorURL"].as_str().unwrap();
    assert!(url.starts_with(&link), "{url}");
    post(&service, &event("Warning")).await;
    shows("it is counted", "warning", "2", "open").await;
    post(&service, &event("Critical")).await;
    shows("the higher severity replaces it", "critical", "3", "open").await;
    act(&service, "acknowledge").await;
    shows("somebody has it", "critical", "3", "acknowledged").await;
    let gone = async |what| until(what, async || peer.alerts().await.is_empty()).await;
    gone("it is quiet").await;
    post(&service, &event("Critical")).await;
    shows("it is there again", "critical", "4", "open").await;
    act(&service, "close").await;
    gone("it is closed").await;
    until("its end is sent on", async || {
        let taken = receiver.taken();
        let last = taken.last().map(|taken| taken.body["status"].clone());
        last == Some(json!("resolved"))
    })
    .await;
    assert_eq!(receiver.taken()[0].body["status"], "firing");
    assert_eq!(service.terminate(), Some(0));
}
