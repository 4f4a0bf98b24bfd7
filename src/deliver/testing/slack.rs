//! A strict, stateful Slack: `chat.postMessage`, `chat.update` and an incoming webhook. Refuses what
//! docs.slack.dev says Slack refuses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::HeaderValue;
use serde_json::{Value, json};

use super::CANARY;
use super::http::{Peer, Planned, Taken};

const CHANNEL: &str = "C024BE91L";

/// A message as it stands.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct Message {
    pub(in crate::deliver) thread: Option<String>,
    pub(in crate::deliver) body: Value,
}

/// The peer.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct FakeSlack {
    pub(in crate::deliver) peer: Peer,
    workspace: Arc<Mutex<Workspace>>,
}

#[derive(Debug, Default)]
struct Workspace {
    messages: BTreeMap<String, Message>,
    posted: usize,
    refuse_blocks: bool,
    refuse_threads: bool,
    /// Uploads that are not shared yet, and files that are, with their thread.
    uploads: BTreeMap<String, Vec<u8>>,
    files: Vec<(Option<String>, Vec<u8>)>,
    url: String,
    refuse_files: bool,
}

impl FakeSlack {
    pub(in crate::deliver) async fn start() -> Self {
        let workspace = Arc::new(Mutex::new(Workspace::default()));
        let shared = Arc::clone(&workspace);
        let peer = Peer::answering(move |taken| shared.lock().unwrap().answer(taken)).await;
        workspace.lock().unwrap().url.clone_from(&peer.url);
        Self { peer, workspace }
    }

    pub(in crate::deliver) fn api_url(&self) -> String {
        format!("{}/api", self.peer.url)
    }

    pub(in crate::deliver) fn webhook_url(&self) -> String {
        format!("{}/services/T0/B0/{CANARY}", self.peer.url)
    }

    /// The next call is answered 200 with `ok: false`.
    pub(in crate::deliver) fn refuse(&self, errors: &[&str]) {
        let refusal =
            |error: &&str| Planned::status(200, &json!({"ok": false, "error": error}).to_string());
        self.peer.plan(errors.iter().map(refusal));
    }

    pub(in crate::deliver) fn refuse_blocks(&self) {
        self.workspace.lock().unwrap().refuse_blocks = true;
    }

    pub(in crate::deliver) fn refuse_threads(&self) {
        self.workspace.lock().unwrap().refuse_threads = true;
    }

    pub(in crate::deliver) fn refuse_files(&self) {
        self.workspace.lock().unwrap().refuse_files = true;
    }

    /// The files that are shared, with the thread they are in.
    pub(in crate::deliver) fn files(&self) -> Vec<(Option<String>, Vec<u8>)> {
        self.workspace.lock().unwrap().files.clone()
    }

    pub(in crate::deliver) fn delete(&self, ts: &str) {
        self.workspace.lock().unwrap().messages.remove(ts).unwrap();
    }

    /// Every message that stands, oldest first.
    pub(in crate::deliver) fn messages(&self) -> Vec<Message> {
        let workspace = self.workspace.lock().unwrap();
        workspace.messages.values().cloned().collect()
    }

    /// How often a path was called.
    pub(in crate::deliver) fn calls(&self, end: &str) -> usize {
        let taken = self.peer.taken();
        let of = |taken: &&Taken| taken.parts.uri.path().ends_with(end);
        taken.iter().filter(of).count()
    }
}

impl Workspace {
    fn answer(&mut self, taken: &Taken) -> Planned {
        let path = taken.parts.uri.path();
        if let Some(hook) = path.strip_prefix("/services/") {
            return self.webhook(hook, taken);
        }
        if let Some(answer) = self.file(path, taken) {
            return Planned::status(200, &answer.to_string());
        }
        let body = || serde_json::from_slice(&taken.body).map_err(|_| "json_not_object");
        let result = check_headers(taken).and_then(|()| match path {
            "/api/chat.postMessage" => {
                let body = body()?;
                channel(&body).and_then(|()| self.post(&body))
            }
            "/api/chat.update" => self.update(&body()?),
            _ => Err("unknown_method"),
        });
        let answer = match result {
            Ok(ts) => json!({
                "ok": true, "channel": CHANNEL, "ts": ts, "message": self.shown(&ts),
                "text": self.shown(&ts)["text"],
            }),
            Err(error) => json!({ "ok": false, "error": error }),
        };
        Planned::status(200, &answer.to_string())
    }

    /// The three steps of an upload.
    fn file(&mut self, path: &str, taken: &Taken) -> Option<Value> {
        if let Some(id) = path.strip_prefix("/upload/") {
            let place = self.uploads.get_mut(id)?;
            (place.len() == taken.body.len()).then_some(())?;
            *place = taken.body.to_vec();
            return Some(json!("OK"));
        }
        if path == "/api/files.getUploadURLExternal" {
            if self.refuse_files {
                return Some(json!({ "ok": false, "error": "missing_scope" }));
            }
            let named = super::tracker::parameter(taken, "filename")?;
            assert_eq!(named, "event.json");
            let length = super::tracker::parameter(taken, "length")?.parse().ok()?;
            let id = format!("F{}", self.uploads.len() + self.files.len());
            self.uploads.insert(id.clone(), vec![0; length]);
            let url = format!("{}/upload/{id}", self.url);
            return Some(json!({ "ok": true, "upload_url": url, "file_id": id }));
        }
        if path == "/api/files.completeUploadExternal" {
            check_headers(taken).ok()?;
            let body = taken.json();
            (body["channel_id"] == CHANNEL).then_some(())?;
            let content = self.uploads.remove(body["files"][0]["id"].as_str()?)?;
            let thread = body["thread_ts"].as_str().map(str::to_owned);
            self.files.push((thread, content));
            return Some(json!({ "ok": true, "files": [{ "id": body["files"][0]["id"] }] }));
        }
        None
    }

    fn webhook(&mut self, hook: &str, taken: &Taken) -> Planned {
        let result = match hook.strip_prefix("T0/B0/") {
            Some(CANARY) => match serde_json::from_slice(&taken.body) {
                Ok(body) => self.post(&body).map_err(|error| (400, error)),
                Err(_) => Err((400, "invalid_payload")),
            },
            Some(_) => Err((403, "invalid_token")),
            None => Err((404, "no_service")),
        };
        let (status, said) = result.map_or_else(|refusal| refusal, |_| (200, "ok"));
        Planned::status(status, said)
    }

    /// The message as answers show it.
    fn shown(&self, ts: &str) -> Value {
        let Message { thread, body } = &self.messages[ts];
        let mut shown = json!({
            "type": "message", "subtype": "bot_message", "bot_id": "B024BE7LH", "ts": ts,
            "text": body["text"],
        });
        if let Some(thread) = thread {
            shown["thread_ts"] = json!(thread);
        }
        for given in ["blocks", "metadata"] {
            if let Some(value) = body.get(given) {
                shown[given] = value.clone();
            }
        }
        shown
    }

    fn post(&mut self, body: &Value) -> Result<String, &'static str> {
        self.check(body)?;
        let thread = body
            .get("thread_ts")
            .map(|ts| ts.as_str().ok_or("invalid_arguments").map(str::to_owned))
            .transpose()?;
        if let Some(thread) = &thread {
            if self.refuse_threads {
                return Err("restricted_action_non_threadable_channel");
            }
            if !self.messages.contains_key(thread) {
                return Err("thread_not_found");
            }
        }
        self.posted += 1;
        let ts = format!("1700000000.{:06}", self.posted);
        let body = body.clone();
        self.messages.insert(ts.clone(), Message { thread, body });
        Ok(ts)
    }

    fn update(&mut self, body: &Value) -> Result<String, &'static str> {
        if body["channel"] != CHANNEL {
            return Err("channel_not_found");
        }
        self.check(body)?;
        let ts = body["ts"].as_str().ok_or("invalid_arguments")?;
        let message = self.messages.get_mut(ts).ok_or("message_not_found")?;
        message.body = body.clone();
        Ok(ts.to_owned())
    }

    fn check(&self, body: &Value) -> Result<(), &'static str> {
        let text = body["text"]
            .as_str()
            .filter(|text| !text.is_empty())
            .ok_or("no_text")?;
        for name in ["link_names", "unfurl_links", "unfurl_media"] {
            if body[name] != json!(false) {
                return Err("invalid_arguments");
            }
        }
        // Raw `<` in mrkdwn would be a mention or a link.
        if text.chars().count() > 4_000 || text.contains(['<', '>']) {
            return Err("msg_too_long");
        }
        match body.get("blocks") {
            None => Ok(()),
            Some(_) if self.refuse_blocks => Err("invalid_blocks"),
            Some(blocks) => check_blocks(blocks).ok_or("invalid_blocks"),
        }
    }
}

fn check_headers(taken: &Taken) -> Result<(), &'static str> {
    let headers = &taken.parts.headers;
    let token = headers.get("authorization").ok_or("not_authed")?;
    if token.as_bytes() != format!("Bearer xoxb-{CANARY}").as_bytes() {
        return Err("invalid_auth");
    }
    let sent = headers.get("content-type").map(HeaderValue::as_bytes);
    let json = sent.is_some_and(|sent| sent.starts_with(b"application/json"));
    json.then_some(()).ok_or("invalid_post_type")
}

fn channel(body: &Value) -> Result<(), &'static str> {
    let known = body["channel"] == "#soc" || body["channel"] == CHANNEL;
    known.then_some(()).ok_or("channel_not_found")
}

fn check_blocks(blocks: &Value) -> Option<()> {
    let blocks = blocks.as_array()?;
    let mut chars = 0;
    for block in blocks {
        match block["type"].as_str()? {
            "divider" => {}
            "header" => {
                let text = block["text"]["text"].as_str()?;
                let fits = (1..=150).contains(&text.chars().count());
                (fits && block["text"]["type"] == "plain_text").then_some(())?;
                chars += text.chars().count();
            }
            "rich_text" => {
                let elements = block["elements"].as_array().filter(|all| !all.is_empty())?;
                for element in elements {
                    chars += check_element(element)?;
                }
            }
            _ => return None,
        }
    }
    ((1..=50).contains(&blocks.len()) && chars <= 12_000).then_some(())
}

/// The characters of a `rich_text` element.
fn check_element(element: &Value) -> Option<usize> {
    let inner = element["elements"].as_array()?;
    let inline = match element["type"].as_str()? {
        "rich_text_list" => false,
        "rich_text_section" | "rich_text_preformatted" | "rich_text_quote" => true,
        _ => return None,
    };
    let mut chars = 0;
    for part in inner {
        chars += match part["type"].as_str()? {
            "text" if inline => part["text"]
                .as_str()
                .filter(|t| !t.is_empty())?
                .chars()
                .count(),
            "link" if inline => {
                let url = part["url"].as_str()?;
                url.chars().count() + part["text"].as_str().unwrap_or_default().chars().count()
            }
            "rich_text_section" if !inline => check_element(part)?,
            _ => return None,
        };
    }
    Some(chars)
}
