//! A strict, stateful Mattermost: posts, patches, threads, and an incoming webhook.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::CANARY;
use super::http::{Peer, Planned, Taken};

pub(in crate::deliver) const CHANNEL: &str = "4xp9fdt77pncbef59f4k1qe83o";

/// The peer.
#[derive(Clone, Debug)]
pub(in crate::deliver) struct FakeMattermost {
    pub(in crate::deliver) peer: Peer,
    posts: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl FakeMattermost {
    pub(in crate::deliver) async fn start() -> Self {
        let posts = Arc::new(Mutex::new(BTreeMap::new()));
        let shared = Arc::clone(&posts);
        let peer = Peer::answering(move |taken: &Taken| {
            let answered = answer(&mut shared.lock().unwrap(), taken);
            answered.unwrap_or_else(|(status, id)| refusal(status, id))
        });
        let peer = peer.await;
        Self { peer, posts }
    }

    pub(in crate::deliver) fn webhook(&self) -> String {
        format!("{}/hooks/{CANARY}", self.peer.url)
    }

    /// Every post that stands, oldest first.
    pub(in crate::deliver) fn posts(&self) -> Vec<Value> {
        self.posts.lock().unwrap().values().cloned().collect()
    }

    pub(in crate::deliver) fn delete_head(&self) {
        self.posts.lock().unwrap().pop_first().unwrap();
    }
}

pub(in crate::deliver) fn refusal(status: u16, id: &str) -> Planned {
    let body = json!({ "id": id, "message": CANARY, "status_code": status });
    Planned::status(status, &body.to_string())
}

type Refused = (u16, &'static str);

fn answer(posts: &mut BTreeMap<String, Value>, taken: &Taken) -> Result<Planned, Refused> {
    let path = taken.parts.uri.path();
    let next = format!("post{:04}", posts.len());
    if let Some(hook) = path.strip_prefix("/hooks/") {
        if hook != CANARY {
            return Err((404, "web.incoming_webhook.invalid.app_error"));
        }
        let body = taken.json();
        check(&body["text"]).map_err(|()| (400, "web.incoming_webhook.text.app_error"))?;
        posts.insert(next, body);
        return Ok(Planned::status(200, "ok"));
    }
    let token = taken.parts.headers.get("authorization");
    if token.is_none_or(|token| token.as_bytes() != format!("Bearer {CANARY}").as_bytes()) {
        return Err((401, "api.context.session_expired.app_error"));
    }
    let rest = path.strip_prefix("/api/v4/posts");
    let rest = rest.ok_or((404, "api.context.404.app_error"))?;
    let id = rest.trim_start_matches('/').trim_end_matches("/patch");
    match (taken.parts.method.as_str(), rest.ends_with("/patch")) {
        ("POST", false) => {
            let body = taken.json();
            if body["channel_id"] != CHANNEL {
                return Err((403, "api.context.permissions.app_error"));
            }
            if let Some(root) = body["root_id"].as_str() {
                let root = posts.get(root);
                let root = root.ok_or((400, "api.post.create_post.root_id.app_error"))?;
                assert!(root.get("root_id").is_none(), "an answer has no answers");
            }
            check(&body["message"]).map_err(|()| (400, "model.post.is_valid.msg.app_error"))?;
            posts.insert(next.clone(), body);
            Ok(Planned::status(201, &json!({ "id": next }).to_string()))
        }
        ("PUT", true) => {
            let body = taken.json();
            check(&body["message"]).map_err(|()| (400, "model.post.is_valid.msg.app_error"))?;
            let post = posts.get_mut(id);
            let post = post.ok_or((403, "api.context.permissions.app_error"))?;
            post["message"] = body["message"].clone();
            Ok(Planned::status(200, &json!({ "id": id }).to_string()))
        }
        ("GET", false) => {
            let post = posts.get(id).ok_or((404, "app.post.get.app_error"))?;
            Ok(Planned::status(200, &post.to_string()))
        }
        _ => Err((404, "api.context.404.app_error")),
    }
}

/// Whether a post is taken.
pub(in crate::deliver) fn check(text: &Value) -> Result<(), ()> {
    let chars = text.as_str().map(|text| text.chars().count());
    let fits = chars.is_some_and(|chars| (1..=16_383).contains(&chars));
    fits.then_some(()).ok_or(())
}
