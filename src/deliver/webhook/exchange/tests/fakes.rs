//! Strict, stateful products. They refuse what their documentation says they refuse.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::{build, config};
use crate::deliver::NoticeKind;
use crate::deliver::testing::http::{Peer, Taken};
use crate::deliver::testing::{CANARY, notice};
use crate::deliver::webhook::Webhook;

/// A ticket as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ticket {
    pub(super) title: String,
    pub(super) state: String,
    pub(super) articles: usize,
}

/// A strict, stateful Zammad.
#[derive(Clone, Debug)]
pub(super) struct FakeZammad {
    pub(super) peer: Peer,
    pub(super) tickets: Arc<Mutex<Vec<Ticket>>>,
}

impl FakeZammad {
    pub(super) async fn start() -> Self {
        let tickets: Arc<Mutex<Vec<Ticket>>> = Arc::default();
        let shared = Arc::clone(&tickets);
        let peer = Peer::replying(move |taken| zammad(&mut shared.lock().unwrap(), taken)).await;
        Self { peer, tickets }
    }

    pub(super) fn webhook(&self, timeout: Duration) -> Webhook {
        let params = [("group", "SOC"), ("customer", "soc@example.com")];
        build(&config(&self.peer, "zammad", &params, true), timeout)
    }

    pub(super) fn tickets(&self) -> Vec<Ticket> {
        self.tickets.lock().unwrap().clone()
    }
}

fn zammad(tickets: &mut Vec<Ticket>, taken: &Taken) -> (u16, String) {
    if taken.parts.headers["authorization"] != format!("Token token={CANARY}").as_str() {
        return (401, String::new());
    }
    let path = taken
        .parts
        .uri
        .path()
        .strip_prefix("/base/api/v1/tickets")
        .unwrap();
    let query = taken.parts.uri.query().unwrap();
    assert!(query.starts_with(&format!("key={CANARY}")), "{query}");
    let ticket =
        |(number, ticket): (usize, &Ticket)| json!({ "id": number + 1, "title": ticket.title });
    if path == "/search" {
        assert_eq!((taken.parts.method.as_str(), taken.body.len()), ("GET", 0));
        let uid = notice(NoticeKind::Open).incident.uid.to_string();
        assert!(query.contains(&format!("&query={uid}&expand=true")));
        // The search is fuzzy: it finds something in any case.
        let found = tickets
            .iter()
            .position(|ticket| ticket.title.contains(&uid));
        let found: Vec<_> = tickets
            .iter()
            .enumerate()
            .skip(found.unwrap_or(0))
            .map(ticket)
            .collect();
        return (200, json!(found).to_string());
    }
    let body = taken.json();
    let article = &body["article"];
    if article["body"].as_str().is_none_or(str::is_empty) || article["content_type"] != "text/plain"
    {
        return (422, CANARY.to_owned());
    }
    let state = body["state"].as_str();
    if path.is_empty() {
        if body["group"] != "SOC" || body["customer"] != "soc@example.com" {
            return (422, CANARY.to_owned());
        }
        let title = body["title"].as_str().unwrap().to_owned();
        tickets.push(Ticket {
            title,
            state: "new".to_owned(),
            articles: 1,
        });
        return (201, json!({ "id": tickets.len() }).to_string());
    }
    assert_eq!(taken.parts.method, "PUT");
    let number: usize = path.trim_start_matches('/').parse().unwrap();
    let Some(ticket) = tickets
        .get_mut(number - 1)
        .filter(|ticket| ticket.state != "deleted")
    else {
        return (404, String::new());
    };
    state
        .unwrap_or(&ticket.state.clone())
        .clone_into(&mut ticket.state);
    ticket.articles += 1;
    (200, json!({ "id": number }).to_string())
}

/// A strict Linear with one issue at most: what was asked, in order.
pub(super) fn linear(taken: &Taken) -> (u16, String) {
    if taken.parts.headers["authorization"] != CANARY {
        return (401, String::new());
    }
    let body = taken.json();
    let (query, variables) = (body["query"].as_str().unwrap(), &body["variables"]);
    let has = |name: &str| query.contains(name);
    let data = if has("issueCreate(") {
        let input = &variables["input"];
        assert!(
            input["title"].is_string() && (1..=4).contains(&input["priority"].as_u64().unwrap())
        );
        json!({ "issueCreate": { "success": input["teamId"] == "T1", "issue": { "id": "a1-b2" } } })
    } else if has("commentCreate(") {
        assert_eq!(
            (&variables["id"], &variables["c"]["issueId"]),
            (&json!("a1-b2"), &json!("a1-b2"))
        );
        json!({ "commentCreate": { "success": true }, "issueUpdate": { "success": true } })
    } else {
        json!({ "issues": { "nodes": [] } })
    };
    (200, json!({ "data": data }).to_string())
}
