//! A strict, stateful Discord webhook: posts, edits, and refuses what discord.com/developers says is
//! refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::CANARY;
use super::http::{Peer, Planned, Taken};

/// The peer.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct FakeDiscord {
    pub(in crate::deliver) peer: Peer,
    messages: Arc<Mutex<BTreeMap<u64, Value>>>,
}

impl FakeDiscord {
    pub(in crate::deliver) async fn start() -> Self {
        let messages = Arc::new(Mutex::new(BTreeMap::new()));
        let shared = Arc::clone(&messages);
        let peer = Peer::answering(move |taken: &Taken| {
            answer(&mut shared.lock().unwrap(), taken).unwrap_or_else(|refusal| refusal)
        });
        let peer = peer.await;
        Self { peer, messages }
    }

    pub(in crate::deliver) fn url(&self) -> String {
        format!("{}/api/webhooks/77/{CANARY}", self.peer.url)
    }

    /// Every message that stands, oldest first.
    pub(in crate::deliver) fn messages(&self) -> Vec<Value> {
        self.messages.lock().unwrap().values().cloned().collect()
    }

    /// Deletes the oldest message.
    pub(in crate::deliver) fn delete_head(&self) {
        self.messages.lock().unwrap().pop_first().unwrap();
    }

    /// The next request is refused so.
    pub(in crate::deliver) fn refuse(&self, status: u16, code: u32) {
        self.peer.plan([refusal(status, code)]);
    }
}

fn refusal(status: u16, code: u32) -> Planned {
    let body = json!({ "message": CANARY, "code": code });
    Planned::status(status, &body.to_string())
}

fn answer(messages: &mut BTreeMap<u64, Value>, taken: &Taken) -> Result<Planned, Planned> {
    let path = format!("/api/webhooks/77/{CANARY}");
    let (uri, method) = (&taken.parts.uri, taken.parts.method.as_str());
    let rest = uri.path().strip_prefix(&path);
    let rest = rest.ok_or_else(|| refusal(404, 10_015))?;
    let query = uri.query().unwrap_or_default();
    assert!(query.contains("wait=true"), "{query}");
    let body = taken.json();
    check(&body).map_err(|_| refusal(400, 50_035))?;
    let id = match (method, rest.strip_prefix("/messages/")) {
        ("POST", None) => 1_000 + messages.len() as u64,
        ("PATCH", Some(id)) => {
            let id: u64 = id.parse().map_err(|_| refusal(400, 50_035))?;
            messages.get(&id).ok_or_else(|| refusal(404, 10_008))?;
            id
        }
        _ => return Err(refusal(405, 0)),
    };
    messages.insert(id, body);
    let answer = json!({ "id": id.to_string(), "channel_id": "9", "type": 0 });
    Ok(Planned::status(200, &answer.to_string()))
}

/// Whether Discord takes the message, and nobody is mentioned by it.
pub(in crate::deliver) fn check(body: &Value) -> Result<(), &'static str> {
    if body["allowed_mentions"] != json!({ "parse": [] }) {
        return Err("mentions are not off");
    }
    let content = body["content"].as_str().ok_or("no content")?;
    let embeds = body["embeds"].as_array().ok_or("no embeds")?;
    let units = |text: &str| text.encode_utf16().count();
    if units(content) > 2_000 || embeds.len() > 10 || content.is_empty() && embeds.is_empty() {
        return Err("too long or empty");
    }
    let mut sum = 0;
    for embed in embeds {
        let fields = embed.as_object().ok_or("no embed")?;
        if fields
            .keys()
            .any(|key| key != "description" && key != "color")
        {
            return Err("an unknown field");
        }
        let description = embed["description"].as_str().ok_or("no description")?;
        let color = embed["color"].as_u64().ok_or("no color")?;
        if !(1..=4_096).contains(&units(description)) || color > 0xff_ffff {
            return Err("over a limit");
        }
        sum += units(description);
        inert(description)?;
    }
    if sum > 6_000 {
        return Err("over the sum");
    }
    inert(content)
}

/// Outside code nothing may be a mention, an emoji, a timestamp or an address.
fn inert(text: &str) -> Result<(), &'static str> {
    let fences: Vec<_> = text.split("```").collect();
    if fences.len() % 2 == 0 {
        return Err("an open fence");
    }
    for prose in fences.iter().step_by(2) {
        for outside in prose.lines().flat_map(|line| line.split('`').step_by(2)) {
            if outside.contains("<@") || outside.contains("<#") || outside.contains("@everyone") {
                return Err("a mention");
            }
            if outside.contains("://") || outside.contains("<:") || outside.contains("<t:") {
                return Err("live");
            }
        }
    }
    Ok(())
}
