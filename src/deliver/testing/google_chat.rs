//! A strict, stateful space of Google Chat with a webhook: threads by key, and request ids.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use reqwest::Url;
use serde_json::{Value, json};

use super::CANARY;
use super::http::{Peer, Planned, Taken};
use crate::markup::judges::chats::inert_chat;

/// The peer.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct FakeGoogleChat {
    pub(in crate::deliver) peer: Peer,
    messages: Arc<Mutex<Vec<(String, Value)>>>,
}

impl FakeGoogleChat {
    pub(in crate::deliver) async fn start() -> Self {
        let messages = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&messages);
        let peer = Peer::answering(move |taken: &Taken| {
            let answered = answer(&mut shared.lock().unwrap(), taken);
            answered.unwrap_or_else(|(status, word)| refusal(status, word))
        });
        let peer = peer.await;
        Self { peer, messages }
    }

    pub(in crate::deliver) fn url(&self) -> String {
        format!(
            "{}/v1/spaces/S/messages?key=k&token={CANARY}",
            self.peer.url
        )
    }

    /// Every message, oldest first.
    pub(in crate::deliver) fn messages(&self) -> Vec<Value> {
        let messages = self.messages.lock().unwrap();
        messages.iter().map(|(_, body)| body.clone()).collect()
    }
}

pub(in crate::deliver) fn refusal(status: u16, word: &str) -> Planned {
    let error = json!({ "code": status, "message": CANARY, "status": word });
    Planned::status(status, &json!({ "error": error }).to_string())
}

type Refused = (u16, &'static str);

fn answer(messages: &mut Vec<(String, Value)>, taken: &Taken) -> Result<Planned, Refused> {
    let url = Url::parse(&format!("http://x{}", taken.parts.uri)).unwrap();
    let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    if url.path() != "/v1/spaces/S/messages" {
        return Err((404, "NOT_FOUND"));
    }
    if query.get("token").is_none_or(|token| token != CANARY) {
        return Err((401, "UNAUTHENTICATED"));
    }
    assert_eq!(
        query["messageReplyOption"],
        "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
    );
    let id = query["requestId"].clone();
    if !messages.iter().any(|(known, _)| *known == id) {
        let body = taken.json();
        check(&body).map_err(|_| (400, "INVALID_ARGUMENT"))?;
        messages.push((id, body));
    }
    Ok(Planned::status(
        200,
        &json!({ "name": "spaces/S/messages/M" }).to_string(),
    ))
}

/// Whether Chat takes the message, and nobody is mentioned and nothing linked by it.
pub(in crate::deliver) fn check(body: &Value) -> Result<(), &'static str> {
    let key = body["thread"]["threadKey"].as_str().ok_or("no thread")?;
    let text = body["text"].as_str().ok_or("no text")?;
    if key.is_empty() || text.is_empty() || body.to_string().len() > 32_000 {
        return Err("empty or too long");
    }
    inert_chat(text)
}
