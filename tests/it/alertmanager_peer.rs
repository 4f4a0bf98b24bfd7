//! A real Alertmanager is told of an incident, from its first alert to its end.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::sink::Sink;
use crate::support::{Service, api, client, until};

/// prometheus-alertmanager on a free port, which tells `receiver` at once.
struct Alertmanager {
    child: Child,
    url: String,
}

impl Alertmanager {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test command says whether peers must be here"
    )]
    fn start(folder: &Path, receiver: &Sink) -> Option<Self> {
        let home = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/peers/alertmanager");
        let program = home.join("alertmanager");
        if !program.exists() {
            let required = std::env::var("HERALD_PEERS").is_ok_and(|value| value == "required");
            assert!(!required, "run tests/peers/install first");
            println!("skipped: Alertmanager is not here; tests/peers/install brings it");
            return None;
        }
        let config = json!({
            "route": {
                "receiver": "sink", "group_by": ["incident"], "group_wait": "0s",
                "group_interval": "1s",
            },
            "receivers": [{ "name": "sink", "webhook_configs": [{ "url": receiver.url }] }],
        });
        let file = folder.join("alertmanager.yaml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut child = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.path={}",
                folder.join("alertmanager").display()
            ))
            .args([
                "--web.listen-address=127.0.0.1:0",
                "--cluster.listen-address=",
            ])
            .arg("--log.format=json")
            .current_dir(home.join("usr"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = log.find_map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let listening = line["msg"] == "Listening on";
            listening.then(|| line["address"].as_str().unwrap().to_owned())
        });
        // Read on, or it would stop at a full pipe.
        std::thread::spawn(move || log.map_while(Result::ok).for_each(drop));
        Some(Self {
            url: format!("http://{}", address.unwrap()),
            child,
        })
    }

    /// The alerts that are active.
    async fn alerts(&self) -> Vec<Value> {
        let get = client().get(format!("{}/api/v2/alerts", self.url));
        get.send().await.unwrap().json().await.unwrap()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn post(service: &Service, priority: &str) {
    let event = json!({
        "rule": "Run shell", "priority": priority, "time": "2026-03-01T10:15:00Z",
        "output": "x", "source": "syscall", "hostname": "node-1",
        "output_fields": { "proc.name": "<!channel> http://evil.example\n\u{202e}" },
    });
    let post = client().post(format!("http://{}/", service.events));
    let answer = post.body(event.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

async fn handle(service: &Service, uid: &Value, verb: &str) {
    let uid = uid.as_str().unwrap();
    let url = format!("http://{}/api/v1/incidents/{uid}/{verb}", service.admin);
    let post = client().post(url).json(&json!({ "by": "kim" }));
    assert!(post.send().await.unwrap().status().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_alertmanager_shows_an_incident_as_one_alert_and_sends_on_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Sink::start().await;
    let Some(peer) = Alertmanager::start(folder.path(), &receiver) else {
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
    post(&service, "Warning").await;
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
    post(&service, "Warning").await;
    shows("it is counted", "warning", "2", "open").await;
    post(&service, "Critical").await;
    shows("the higher severity replaces it", "critical", "3", "open").await;
    handle(&service, uid, "acknowledge").await;
    shows("somebody has it", "critical", "3", "acknowledged").await;
    let gone = async |what| until(what, async || peer.alerts().await.is_empty()).await;
    gone("it is quiet").await;
    post(&service, "Critical").await;
    shows("it is there again", "critical", "4", "open").await;
    handle(&service, uid, "close").await;
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
