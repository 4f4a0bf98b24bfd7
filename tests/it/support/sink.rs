//! A peer that takes HTTP requests, remembers them, and can change its answer.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// The peer. As Slack it answers `chat.postMessage` and `chat.update` as Slack does.
#[derive(Clone, Default)]
pub(crate) struct Sink {
    taken: Arc<Mutex<Vec<Taken>>>,
    refusals: Arc<Mutex<Vec<(u16, String)>>>,
    pub(crate) url: String,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            ..Self::default()
        };
        let router = Router::new().fallback(take).with_state(sink.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        sink
    }

    /// The next requests are answered with these, the last first.
    pub(crate) fn refuse(&self, answers: &[(u16, &str)]) {
        let answers = answers
            .iter()
            .map(|(status, body)| (*status, (*body).to_owned()));
        self.refusals.lock().unwrap().extend(answers);
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

async fn take(
    State(sink): State<Sink>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let refusal = sink.refusals.lock().unwrap().pop();
    if let Some((status, body)) = refusal {
        return (StatusCode::from_u16(status).unwrap(), body);
    }
    let body: Value = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&body).unwrap()
    };
    let path = uri.path().to_owned();
    if path.starts_with("/api/")
        && let Some(wrong) = slack_refuses(&path, &body, &sink.taken())
    {
        return (
            StatusCode::OK,
            json!({ "ok": false, "error": wrong }).to_string(),
        );
    }
    let mut taken = sink.taken.lock().unwrap();
    taken.push(Taken {
        path: path.clone(),
        headers,
        body: body.clone(),
    });
    let ts = format!("1700000000.{:06}", taken.len());
    let answer = match path.as_str() {
        "/api/chat.postMessage" => json!({ "ok": true, "channel": "C024", "ts": ts }).to_string(),
        "/api/chat.update" => {
            json!({ "ok": true, "channel": "C024", "ts": body["ts"] }).to_string()
        }
        _ => "ok".to_owned(),
    };
    (StatusCode::OK, answer)
}

/// What Slack would object to: limits from docs.slack.dev, Block Kit.
fn slack_refuses(path: &str, body: &Value, taken: &[Taken]) -> Option<&'static str> {
    if body["channel"].as_str().is_none_or(str::is_empty) {
        return Some("channel_not_found");
    }
    if body["text"].as_str().is_none_or(str::is_empty) {
        return Some("no_text");
    }
    let blocks = body["blocks"].as_array()?;
    let total: usize = blocks.iter().map(|block| block.to_string().len()).sum();
    if blocks.len() > 50 || total > 60_000 {
        return Some("invalid_blocks");
    }
    let known = |block: &Value| {
        matches!(
            block["type"].as_str(),
            Some("header" | "rich_text" | "section" | "divider" | "context")
        )
    };
    let header = |block: &Value| {
        block["type"] != "header"
            || block["text"]["type"] == "plain_text"
                && block["text"]["text"]
                    .as_str()
                    .is_some_and(|text| text.chars().count() <= 150)
    };
    if !blocks.iter().all(|block| known(block) && header(block)) {
        return Some("invalid_blocks");
    }
    let known_ts = |ts: &Value| {
        let number: usize = ts
            .as_str()
            .and_then(|ts| ts.get(11..)?.parse().ok())
            .unwrap_or(0);
        (1..=taken.len()).contains(&number)
    };
    if path == "/api/chat.update" && !known_ts(&body["ts"]) {
        return Some("message_not_found");
    }
    if body.get("thread_ts").is_some_and(|ts| !known_ts(ts)) {
        return Some("thread_not_found");
    }
    None
}
