//! As much of RT 5.0.3's REST API 2 as we use: what it drops, cuts and refuses in its own way.

use http::Method;
use serde_json::{Value, json};

use super::http::Taken;
use super::tracker::{Shelf, below, one, origin, parameter};
use super::{CANARY, now};

const FIELD: &str = "Falco Herald";

/// What RT answers. Comments stand under `comments` of their ticket, its first text under `content`,
/// and what is `locked` keeps its status.
pub(in crate::deliver) fn answer(taken: &Taken, tickets: &mut Shelf) -> (u16, Value) {
    let given = taken.parts.headers.get("authorization");
    if given.is_none_or(|given| *given != format!("token {CANARY}")) {
        return (401, json!({ "message": "Unauthorized" }));
    }
    let parts = below(taken, "/REST/2.0/").unwrap_or_default();
    match (&taken.parts.method, parts.as_slice()) {
        (&Method::GET, ["queue", "Sec%20Ops"]) => {
            let field = json!({ "type": "customfield", "name": FIELD, "id": "2" });
            let queue = json!({
                "id": 3, "Name": "Sec Ops", "Lifecycle": "default", "Disabled": "0",
                "TicketCustomFields": [field],
            });
            (200, queue)
        }
        (&Method::GET, ["tickets"]) => listed(taken, tickets),
        (&Method::POST, ["ticket"]) => create(taken, tickets),
        (method, ["ticket", id, rest @ ..]) => {
            let Some(ticket) = one(tickets, "id", id) else {
                return (404, json!({ "message": "Not Found" }));
            };
            match (method, rest) {
                (&Method::GET, []) => (200, whole(ticket)),
                (&Method::POST, ["comment"]) => comment(&taken.json(), ticket),
                (&Method::PUT, []) => change(&taken.json(), ticket),
                _ => (404, json!({ "message": "Not Found" })),
            }
        }
        _ => (404, json!({ "message": "Not Found" })),
    }
}

/// A ticket alone, where its id is a number; in lists it is a text.
fn whole(ticket: &Value) -> Value {
    let mut whole = ticket.clone();
    whole["id"] = json!(ticket["id"].as_str().unwrap().parse::<u64>().unwrap());
    let value = whole["marker"].take();
    whole["CustomFields"] =
        json!([{ "type": "customfield", "id": "2", "name": FIELD, "values": [value] }]);
    for ours in ["marker", "content", "comments", "locked"] {
        whole.as_object_mut().unwrap().remove(ours);
    }
    whole
}

fn listed(taken: &Taken, tickets: &Shelf) -> (u16, Value) {
    let query = parameter(taken, "query").unwrap_or_default();
    let bare = query
        .strip_prefix('(')
        .and_then(|query| query.strip_suffix(')'));
    let Some(found) = found(bare.unwrap_or(&query), tickets) else {
        return (400, json!({ "message": "Unable to parse query" }));
    };
    let fields = parameter(taken, "fields").unwrap_or_default();
    let fields: Vec<_> = fields.split(',').collect();
    let item = |ticket: &Value| {
        let id = ticket["id"].as_str().unwrap();
        let url = format!("{}/REST/2.0/ticket/{id}", origin(taken));
        let mut item = json!({ "id": id, "type": "ticket", "_url": url });
        let whole = whole(ticket);
        for field in fields.iter().filter(|field| whole.get(field).is_some()) {
            item[field] = whole[field].clone();
        }
        item
    };
    let items: Vec<_> = found.into_iter().map(item).collect();
    let number = |name: &str, usual: u64| {
        parameter(taken, name).map_or(usual, |value| value.parse().unwrap())
    };
    let page = json!({
        "count": items.len(), "total": items.len(), "pages": 1, "page": number("page", 1),
        "per_page": number("per_page", 20), "items": items,
    });
    (200, page)
}

/// Two forms of `TicketSQL`, and no other.
fn found<'a>(query: &str, tickets: &'a Shelf) -> Option<Vec<&'a Value>> {
    let (condition, status) = query.split_once(" AND Status = ")?;
    let active = match status {
        "'__Active__'" => true,
        "'__Inactive__'" => false,
        _ => return None,
    };
    // A field that the queue does not have is one that no ticket has.
    let by_field = condition.replace("CF.{Other}", "CF.{Falco Herald}");
    let by_field = by_field.strip_prefix("Queue = 'Sec Ops' AND CF.{Falco Herald} = '");
    let (key, value) = match by_field {
        Some(marker) => ("marker", marker.strip_suffix('\'')?),
        None => ("id", condition.strip_prefix("id = ")?),
    };
    let is = |ticket: &&Value| {
        let inactive = ["resolved", "rejected", "deleted"];
        let is_active = !inactive.iter().any(|name| ticket["Status"] == *name);
        ticket[key] == value && is_active == active
    };
    Some(tickets.iter().filter(is).collect())
}

fn create(taken: &Taken, tickets: &mut Shelf) -> (u16, Value) {
    let asked = taken.json();
    // An unknown queue is one that nobody may see.
    if asked["Queue"] != "Sec Ops" {
        return (403, json!({ "message": "No permission to create tickets" }));
    }
    let subject = asked["Subject"].as_str().unwrap_or_default();
    assert!((1..=200).contains(&subject.chars().count()), "RT cuts it");
    if !asked["Content"].is_null() && !asked["ContentType"].is_string() {
        return (
            400,
            json!({ "message": "ContentType is a required field for Content" }),
        );
    }
    let id = (tickets.len() + 1).to_string();
    let marker = &asked["CustomFields"][FIELD];
    tickets.push(json!({
        "id": id, "type": "ticket", "Subject": subject, "Status": "new", "Created": now().to_string(),
        "Resolved": "1970-01-01T00:00:00Z", "Queue": { "id": "3", "type": "queue", "Name": "Sec Ops" },
        "comments": [], "marker": marker, "content": asked["Content"], "Priority": "0",
    }));
    let url = format!("{}/REST/2.0/ticket/{id}", origin(taken));
    (201, json!({ "type": "ticket", "id": id, "_url": url }))
}

fn comment(asked: &Value, ticket: &mut Value) -> (u16, Value) {
    let (Some(content), true) = (asked["Content"].as_str(), asked["ContentType"].is_string())
    else {
        let wrong = "Content is a required field for comment";
        return (400, json!({ "message": wrong }));
    };
    ticket["comments"]
        .as_array_mut()
        .unwrap()
        .push(json!(content));
    (201, json!(["Comments added"]))
}

fn change(asked: &Value, ticket: &mut Value) -> (u16, Value) {
    let id = ticket["id"].as_str().unwrap().to_owned();
    let known = ["new", "open", "stalled", "resolved", "rejected"];
    let Some(status) = asked["Status"].as_str() else {
        return (200, json!([]));
    };
    if !ticket["locked"].is_null() {
        return (200, json!([format!("Ticket {id}: Permission Denied")]));
    }
    if !known.contains(&status) {
        let wrong = format!("Ticket {id}: Status '{status}' isn't a valid status for this ticket.");
        return (200, json!([wrong]));
    }
    let before = ticket["Status"].clone();
    ticket["Status"] = json!(status);
    if status == "resolved" {
        ticket["Resolved"] = json!(now().to_string());
    }
    let done = format!("Ticket {id}: Status changed from {before} to '{status}'");
    (200, json!([done]))
}
