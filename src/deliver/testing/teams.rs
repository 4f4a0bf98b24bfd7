//! A strict flow of Teams: takes Adaptive Cards whose texts are literal, up to a size.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::http::{Peer, Planned, Taken};

/// The peer.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct FakeTeams {
    pub(in crate::deliver) peer: Peer,
    posted: Arc<Mutex<Vec<Value>>>,
    room: Arc<Mutex<usize>>,
}

impl FakeTeams {
    pub(in crate::deliver) async fn start() -> Self {
        let posted = Arc::new(Mutex::new(Vec::new()));
        let room = Arc::new(Mutex::new(21 * 1024));
        let shared = (Arc::clone(&posted), Arc::clone(&room));
        let peer = Peer::answering(move |taken: &Taken| {
            if taken.body.len() > *shared.1.lock().unwrap() {
                return Planned::status(413, "");
            }
            let card = taken.json();
            if let Err(wrong) = check(&card) {
                return Planned::status(400, wrong);
            }
            shared.0.lock().unwrap().push(card);
            Planned::status(202, "")
        });
        let peer = peer.await;
        Self { peer, posted, room }
    }

    pub(in crate::deliver) fn take_at_most(&self, room: usize) {
        *self.room.lock().unwrap() = room;
    }

    /// What each card says, a line for each line of it.
    pub(in crate::deliver) fn texts(&self) -> Vec<String> {
        let posted = self.posted.lock().unwrap();
        let text = |card: &Value| {
            let mut lines = Vec::new();
            collect(&card["attachments"][0]["content"]["body"], &mut lines);
            lines.join("\n")
        };
        posted.iter().map(text).collect()
    }
}

fn collect(value: &Value, lines: &mut Vec<String>) {
    if let Some(runs) = value["inlines"].as_array() {
        let texts = runs.iter().filter_map(|run| run["text"].as_str());
        lines.push(texts.collect());
    }
    let children = [&value["items"], &value["rows"], &value["cells"], value];
    for child in children.into_iter().filter_map(Value::as_array).flatten() {
        collect(child, lines);
    }
}

/// Whether Teams takes the message, and shows nothing of it but text.
pub(in crate::deliver) fn check(message: &Value) -> Result<(), &'static str> {
    let attachment = &message["attachments"][0];
    let card = &attachment["content"];
    if message["type"] != "message"
        || attachment["contentType"] != "application/vnd.microsoft.card.adaptive"
        || card["type"] != "AdaptiveCard"
        || card["version"] != "1.5"
    {
        return Err("no card");
    }
    // Mentions are entities of the card; a text alone is none.
    if card["msteams"] != serde_json::json!({ "width": "Full" }) {
        return Err("more than a width");
    }
    if message.to_string().len() > 21 * 1024 {
        return Err("too large");
    }
    let body = card["body"].as_array().filter(|body| !body.is_empty());
    body.ok_or("an empty card")?.iter().try_for_each(element)
}

fn element(value: &Value) -> Result<(), &'static str> {
    let (key, child) = match value["type"].as_str() {
        Some("RichTextBlock") => ("inlines", run as fn(&Value) -> Result<(), &'static str>),
        Some("Container" | "TableCell") => ("items", element as _),
        Some("Table") => ("rows", element as _),
        Some("TableRow") => ("cells", element as _),
        _ => return Err("an element that parses its text"),
    };
    let children = value[key].as_array().filter(|all| !all.is_empty());
    children
        .ok_or("an empty element")?
        .iter()
        .try_for_each(child)
}

fn run(value: &Value) -> Result<(), &'static str> {
    if value["type"] != "TextRun" || value["text"].as_str().is_none_or(str::is_empty) {
        return Err("no text");
    }
    if value.get("selectAction").is_some() {
        return Err("a link that nobody wrote");
    }
    Ok(())
}
