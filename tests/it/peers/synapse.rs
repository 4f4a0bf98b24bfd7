//! Messages in a room of a real Matrix server.

use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};

use super::{Process, act, free_port, hostile, located, post};
use crate::support::proxy::Proxy;
use crate::support::{Service, api, client, until};

/// Synapse, with one user and one room.
struct Synapse {
    _process: Process,
    url: String,
    token: String,
    room: String,
}

impl Synapse {
    async fn start(folder: &Path) -> Option<Self> {
        let python = located("Synapse", "synapse/bin/python")?;
        let port = free_port();
        let home = folder.join("synapse");
        std::fs::create_dir(&home).unwrap();
        let config = json!({
            "server_name": "test.local", "pid_file": home.join("pid"), "report_stats": false,
            "listeners": [{
                "port": port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": false,
                "resources": [{ "names": ["client"] }],
            }],
            "database": { "name": "sqlite3", "args": { "database": home.join("home.db") } },
            "media_store_path": home.join("media"), "signing_key_path": home.join("key"),
            "registration_shared_secret": "s", "macaroon_secret_key": "m", "form_secret": "f",
            "trusted_key_servers": [], "federation_domain_whitelist": [],
            "rc_message": { "per_second": 1000, "burst_count": 1000 },
        });
        let file = home.join("homeserver.yaml");
        std::fs::write(&file, config.to_string()).unwrap();
        let process = Process::start(
            Command::new(&python)
                .args(["-c", START, "--config-path"])
                .arg(&file)
                .current_dir(&home),
            folder.join("synapse.log"),
        );
        let mut synapse = Self {
            _process: process,
            url: format!("http://127.0.0.1:{port}"),
            token: String::new(),
            room: String::new(),
        };
        until("Synapse answers", async || {
            let get = client().get(format!("{}/_matrix/client/versions", synapse.url));
            get.send().await.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        let registered = Command::new(python.with_file_name("register_new_matrix_user"))
            .args(["-u", "falco", "-p", "pw", "-a", "-k", "s", &synapse.url])
            .stdout(Stdio::null())
            .status();
        assert!(registered.unwrap().success());
        let login = json!({
            "type": "m.login.password", "password": "pw",
            "identifier": { "type": "m.id.user", "user": "falco" },
        });
        let login = synapse.call(Method::POST, "login", &login).await;
        login["access_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut synapse.token);
        let room = synapse.call(Method::POST, "createRoom", &json!({})).await;
        room["room_id"]
            .as_str()
            .unwrap()
            .clone_into(&mut synapse.room);
        Some(synapse)
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/_matrix/client/v3/{path}", self.url);
        let mut request = client().request(method, url);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap()
    }

    /// Every message of the room, the oldest first.
    async fn messages(&self) -> Vec<Value> {
        let path = format!("rooms/{}/messages?dir=f&limit=500", self.room);
        let mut answer = self.call(Method::GET, &path, &Value::Null).await;
        let mut events: Vec<Value> = serde_json::from_value(answer["chunk"].take()).unwrap();
        events.retain(|event| event["type"] == "m.room.message");
        events
    }

    fn config(&self, url: &str) -> String {
        format!(
            "destinations:\n\
             \x20 room:\n\
             \x20   matrix: {{ homeserver: '{url}', token: '{}', room: '{}' }}\n\
             \x20   delivery: {{ interval: 0s, retry_initial: 20ms, retry_max: 1s }}\n\
             route: {{ to: [room], group_by: [rule], group_interval: 0s }}\n",
            self.token, self.room
        )
    }
}

/// A signing key where there is none, and the server.
const START: &str = "\
import sys
from synapse.config.homeserver import HomeServerConfig
from synapse.app.homeserver import main
config = sys.argv[-1]
HomeServerConfig.load_or_generate_config('', ['--config-path', config, '--generate-keys'])
main()
";

/// How a message hangs together with another one: `m.thread`, `m.replace` or nothing.
fn relation(message: &Value) -> &str {
    let relation = &message["content"]["m.relates_to"]["rel_type"];
    relation.as_str().unwrap_or_default()
}

async fn sent(service: &Service, count: usize) {
    until("everything is sent", async || {
        let deliveries = api(service, "deliveries").await;
        let sent = deliveries.as_array().unwrap().iter();
        sent.filter(|of| of["state"] == "sent").count() == count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn synapse_has_one_message_that_is_edited_and_a_thread_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let Some(synapse) = Synapse::start(folder.path()).await else {
        return;
    };
    let proxy = Proxy::start(&synapse.url).await;
    let service = Service::start(folder.path(), &synapse.config(&proxy.url));
    proxy.swallow_the_next(Method::PUT);
    post(&service, &hostile()).await;
    until("a message is there", async || proxy.has_swallowed()).await;
    service.kill();
    assert_eq!(synapse.messages().await.len(), 1);

    let service = Service::start(folder.path(), &synapse.config(&synapse.url));
    sent(&service, 1).await;
    let told = synapse.messages().await;
    let relations: Vec<&str> = told.iter().map(relation).collect();
    assert_eq!(relations[0], "", "the head");
    assert!(
        relations.len() > 1
            && relations[1..]
                .iter()
                .all(|relation| *relation == "m.thread")
    );

    post(&service, &hostile()).await;
    sent(&service, 2).await;
    act(&service, "close").await;
    sent(&service, 3).await;
    let all = synapse.messages().await;
    let head = &all[0]["event_id"];
    let heads: Vec<&Value> = all.iter().filter(|of| relation(of).is_empty()).collect();
    assert_eq!(heads.len(), 1);
    for message in &all[1..] {
        assert_eq!(&message["content"]["m.relates_to"]["event_id"], head);
    }
    // What a client that asks for the head is shown of its edits.
    let path = format!("rooms/{}/event/{}", synapse.room, head.as_str().unwrap());
    let shown = synapse.call(Method::GET, &path, &Value::Null).await;
    let latest = &shown["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"];
    let latest = latest["body"].as_str().unwrap();
    assert!(latest.contains("closed by kim"), "{latest}");

    for message in &all {
        let content = &message["content"];
        assert_eq!(content["m.mentions"], json!({}));
        let html = content["formatted_body"].as_str().unwrap_or_default();
        for live in ["<script", "<img", "href=\"http", "matrix.to"] {
            assert!(!html.contains(live), "{live}: {html}");
        }
    }
    assert_eq!(service.terminate(), Some(0));
}
