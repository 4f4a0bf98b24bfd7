//! A strict, stateful homeserver with one room: sends under transaction ids, edits, threads, events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::CANARY;
use super::http::{Peer, Planned, Taken};
use crate::markup::judges::chats::inert_html;

const ROOM: &str = "!room:example.com";

/// The peer.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct FakeMatrix {
    pub(in crate::deliver) peer: Peer,
    room: Arc<Mutex<Room>>,
}

#[derive(Debug)]
struct Room {
    /// Contents by event id, as they read after edits.
    events: BTreeMap<String, Value>,
    transactions: BTreeMap<String, String>,
    max: usize,
}

impl FakeMatrix {
    pub(in crate::deliver) async fn start() -> Self {
        let room = Arc::new(Mutex::new(Room {
            events: BTreeMap::new(),
            transactions: BTreeMap::new(),
            max: 65_536,
        }));
        let shared = Arc::clone(&room);
        let peer = Peer::answering(move |taken: &Taken| {
            let answer = shared.lock().unwrap().answer(taken);
            let (status, body) = answer.unwrap_or_else(|(status, word)| {
                (status, json!({ "errcode": word, "error": CANARY }))
            });
            Planned::status(status, &body.to_string())
        });
        let peer = peer.await;
        Self { peer, room }
    }

    /// Every message that stands, oldest first.
    pub(in crate::deliver) fn messages(&self) -> Vec<Value> {
        self.room.lock().unwrap().events.values().cloned().collect()
    }

    pub(in crate::deliver) fn redact_head(&self) {
        let mut room = self.room.lock().unwrap();
        let id = room.events.keys().next().unwrap().clone();
        room.events.insert(id, json!({}));
    }

    pub(in crate::deliver) fn forget_head(&self) {
        self.room.lock().unwrap().events.pop_first().unwrap();
    }

    pub(in crate::deliver) fn take_at_most(&self, max: usize) {
        self.room.lock().unwrap().max = max;
    }
}

type Refused = (u16, &'static str);

impl Room {
    fn answer(&mut self, taken: &Taken) -> Result<(u16, Value), Refused> {
        let value = taken.parts.headers.get("authorization");
        let token = format!("Bearer {CANARY}");
        if value.is_none_or(|value| value.as_bytes() != token.as_bytes()) {
            return Err((401, "M_UNKNOWN_TOKEN"));
        }
        let path = taken.parts.uri.path();
        let path = path.strip_prefix(&format!("/_matrix/client/v3/rooms/{ROOM}/"));
        let path = path.ok_or((403, "M_FORBIDDEN"))?;
        match (taken.parts.method.as_str(), path.split_once('/')) {
            ("GET", Some(("event", id))) => {
                let content = self.events.get(id).ok_or((404, "M_NOT_FOUND"))?;
                let unsigned = match content.as_object() {
                    Some(map) if map.is_empty() => json!({ "redacted_because": {} }),
                    _ => json!({}),
                };
                Ok((200, json!({ "content": content, "unsigned": unsigned })))
            }
            ("PUT", Some(("send", rest))) => {
                let key = rest.strip_prefix("m.room.message/").unwrap();
                if let Some(id) = self.transactions.get(key) {
                    return Ok((200, json!({ "event_id": id })));
                }
                let id = self.send(taken)?;
                self.transactions.insert(key.to_owned(), id.clone());
                Ok((200, json!({ "event_id": id })))
            }
            _ => Err((405, "M_UNRECOGNIZED")),
        }
    }

    fn send(&mut self, taken: &Taken) -> Result<String, Refused> {
        if taken.body.len() > self.max {
            return Err((413, "M_TOO_LARGE"));
        }
        let content = taken.json();
        let relation = &content["m.relates_to"];
        let of = relation["event_id"].as_str().unwrap_or_default();
        match relation["rel_type"].as_str() {
            Some("m.replace") => {
                check(&content["m.new_content"]).map_err(|_| (400, "M_BAD_JSON"))?;
                let new = content["m.new_content"].clone();
                // Taken by real servers as well when the event is unknown, and then shown nowhere.
                if let Some(event) = self.events.get_mut(of) {
                    *event = new;
                }
                return Ok(format!("$edit{}", self.transactions.len()));
            }
            Some("m.thread") if self.events.contains_key(of) => {}
            Some(_) => return Err((400, "M_INVALID_PARAM")),
            None => {}
        }
        check(&content).map_err(|_| (400, "M_BAD_JSON"))?;
        let id = format!("${:04}", self.transactions.len());
        self.events.insert(id.clone(), content);
        Ok(id)
    }
}

/// Whether the content is one that nobody is mentioned by and nothing but text is shown of.
pub(in crate::deliver) fn check(content: &Value) -> Result<(), &'static str> {
    if content["m.mentions"] != json!({}) || content["msgtype"] != "m.text" {
        return Err("mentions are not off");
    }
    if content["body"].as_str().is_none_or(str::is_empty) {
        return Err("no body");
    }
    match (&content["format"], &content["formatted_body"]) {
        (Value::Null, Value::Null) => Ok(()),
        (Value::String(format), Value::String(html)) if format == "org.matrix.custom.html" => {
            inert_html(html)
        }
        _ => Err("an unknown format"),
    }
}
