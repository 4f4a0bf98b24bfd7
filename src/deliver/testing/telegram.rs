//! A strict, stateful Bot API with one group, which may become a supergroup.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::{Value, json};

use super::CANARY;
use super::http::{Peer, Planned, Taken};

pub(in crate::deliver) const GROUP: i64 = -42;
pub(in crate::deliver) const SUPERGROUP: i64 = -100_042;

/// The peer.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct FakeTelegram {
    pub(in crate::deliver) peer: Peer,
    chats: Arc<Mutex<Chats>>,
}

#[derive(Debug, Default)]
struct Chats {
    messages: BTreeMap<(i64, i64), Value>,
    posted: i64,
    migrated: bool,
}

impl FakeTelegram {
    pub(in crate::deliver) async fn start() -> Self {
        let chats = Arc::new(Mutex::new(Chats::default()));
        let shared = Arc::clone(&chats);
        let peer =
            Peer::answering(
                move |taken: &Taken| match shared.lock().unwrap().answer(taken) {
                    Ok(result) => {
                        Planned::status(200, &json!({ "ok": true, "result": result }).to_string())
                    }
                    Err(refused) => refused,
                },
            );
        let peer = peer.await;
        Self { peer, chats }
    }

    /// Every message that stands, oldest first, with the chat it is in.
    pub(in crate::deliver) fn messages(&self) -> Vec<Value> {
        self.chats
            .lock()
            .unwrap()
            .messages
            .values()
            .cloned()
            .collect()
    }

    pub(in crate::deliver) fn delete_head(&self) {
        self.chats.lock().unwrap().messages.pop_first().unwrap();
    }

    pub(in crate::deliver) fn migrate(&self) {
        self.chats.lock().unwrap().migrated = true;
    }
}

pub(in crate::deliver) fn refusal(status: u16, description: &str, parameters: &Value) -> Planned {
    let body = json!({
        "ok": false, "error_code": status,
        "description": format!("{description} {CANARY}"), "parameters": parameters,
    });
    Planned::status(status, &body.to_string())
}

impl Chats {
    fn answer(&mut self, taken: &Taken) -> Result<Value, Planned> {
        let bad = |said: &str| refusal(400, &format!("Bad Request: {said}"), &json!({}));
        let prefix = format!("/bot1:{CANARY}/");
        let method = taken.parts.uri.path().strip_prefix(&prefix);
        let method = method.ok_or_else(|| refusal(401, "Unauthorized", &json!({})))?;
        let body = taken.json();
        let chat = match &body["chat_id"] {
            Value::Number(number) => number.as_i64().unwrap(),
            Value::String(name) if name == "@soc" => GROUP,
            _ => return Err(bad("chat not found")),
        };
        if chat == GROUP && self.migrated {
            let parameters = json!({ "migrate_to_chat_id": SUPERGROUP });
            return Err(refusal(
                400,
                "Bad Request: group chat was upgraded",
                &parameters,
            ));
        }
        if chat != GROUP && !(chat == SUPERGROUP && self.migrated) {
            return Err(bad("chat not found"));
        }
        check(&body).map_err(bad)?;
        let id = match method {
            "sendMessage" => {
                let reply = &body["reply_parameters"];
                let answered = reply["message_id"].as_i64().unwrap_or_default();
                let known = self.messages.contains_key(&(chat, answered));
                let lenient = reply["allow_sending_without_reply"] == json!(true);
                if !reply.is_null() && !known && !lenient {
                    return Err(bad("message to be replied not found"));
                }
                self.posted += 1;
                self.posted
            }
            "editMessageText" => {
                let id = body["message_id"].as_i64().unwrap_or_default();
                let standing = self.messages.get(&(chat, id));
                let standing = standing.ok_or_else(|| bad("message to edit not found"))?;
                if standing["text"] == body["text"] && standing["entities"] == body["entities"] {
                    return Err(bad("message is not modified: specified new message"));
                }
                id
            }
            _ => return Err(refusal(404, "Not Found", &json!({}))),
        };
        self.messages.insert((chat, id), body);
        Ok(json!({ "message_id": id, "chat": { "id": chat, "type": "group" } }))
    }
}

/// A name or an address with dots; not a decimal number.
static DOMAIN: LazyLock<regex::Regex> =
    LazyLock::new(|| regex::Regex::new(r"\pL\.\w|\w\.\pL|\d\.\d+\.\d").unwrap());

/// Whether Telegram takes the message, and finds nothing in it by itself.
pub(in crate::deliver) fn check(body: &Value) -> Result<(), &'static str> {
    let units: Vec<u16> = body["text"]
        .as_str()
        .unwrap_or_default()
        .encode_utf16()
        .collect();
    if units.is_empty() || body.get("parse_mode").is_some() {
        return Err("message text is empty, or would be parsed");
    }
    if units.len() > 4_096 {
        return Err("message is too long");
    }
    if body["link_preview_options"]["is_disabled"] != json!(true) {
        return Err("previews are on");
    }
    let entities = body["entities"].as_array().ok_or("no entities")?;
    if entities.len() > 100 {
        return Err("entities that nobody heeds");
    }
    // What is no code is searched; code is a blank to the search.
    let mut searched = units.clone();
    for entity in entities {
        let number = |key: &str| entity[key].as_u64().and_then(|n| usize::try_from(n).ok());
        let (offset, length) = number("offset").zip(number("length")).ok_or("no range")?;
        let range = offset..offset + length;
        let part = units
            .get(range.clone())
            .ok_or("an entity beyond the text")?;
        let part = String::from_utf16(part).map_err(|_| "an entity inside a character")?;
        if part.trim().is_empty() {
            return Err("an entity without text");
        }
        match entity["type"].as_str() {
            Some("code" | "pre") => searched[range].fill(u16::from(b' ')),
            Some("bold" | "italic" | "strikethrough") => {}
            _ => return Err("an entity that nobody wrote"),
        }
    }
    let searched = String::from_utf16(&searched).map_err(|_| "no text")?;
    if searched.contains(['@', '#', '$', '/']) || DOMAIN.is_match(&searched) {
        return Err("something to find");
    }
    Ok(())
}
