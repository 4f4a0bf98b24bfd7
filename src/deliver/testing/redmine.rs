//! As much of Redmine 5.0.4 as we use, strict where it is strict and as silent where it is silent.

use http::Method;
use serde_json::{Value, json};

use super::http::Taken;
use super::tracker::{Shelf, below, one, parameter};
use super::{CANARY, now};

/// What Redmine answers. Notes stand under `notes` of their issue, and what is `locked` keeps its status.
pub(in crate::deliver) fn answer(taken: &Taken, issues: &mut Shelf) -> (u16, Value) {
    let given = taken.parts.headers.get("x-redmine-api-key");
    if given.is_none_or(|given| given != CANARY) {
        return (401, Value::Null);
    }
    let parts = below(taken, "/").unwrap_or_default();
    match (&taken.parts.method, parts.as_slice()) {
        (&Method::GET, ["issue_statuses.json"]) => {
            let statuses: Vec<_> = (1..).zip(STATUSES).map(|(id, _)| status(id)).collect();
            (200, json!({ "issue_statuses": statuses }))
        }
        (&Method::GET, ["issues.json"]) => {
            let found: Vec<_> = listed(taken, issues).into_iter().map(shown).collect();
            let (total, limit) = (found.len(), parameter(taken, "limit"));
            let limit = limit.map_or(25, |limit| limit.parse::<u64>().unwrap().min(100));
            (
                200,
                json!({ "issues": found, "total_count": total, "offset": 0, "limit": limit }),
            )
        }
        (&Method::POST, ["issues.json"]) => {
            let issue = &taken.json()["issue"];
            if issue["project_id"] != "sec" {
                return (422, json!({ "errors": ["Project cannot be blank"] }));
            }
            create(issue, issues)
        }
        (&Method::POST, ["projects", "sec", "issues.json"]) => {
            create(&taken.json()["issue"], issues)
        }
        (method, ["issues", id]) => {
            let id = id.strip_suffix(".json");
            let Some(issue) = id.and_then(|id| one(issues, "id", id)) else {
                return (404, Value::Null);
            };
            match *method {
                Method::GET => (200, json!({ "issue": shown(issue) })),
                Method::PUT => change(&taken.json()["issue"], issue),
                _ => (404, Value::Null),
            }
        }
        _ => (404, Value::Null),
    }
}

const STATUSES: [&str; 4] = ["New", "In Progress", "Rejected", "Closed"];

fn status(id: u64) -> Value {
    let name = STATUSES.get(usize::try_from(id).unwrap() - 1);
    json!({ "id": id, "name": name, "is_closed": id > 2 })
}

fn shown(issue: &Value) -> Value {
    let mut issue = issue.clone();
    for ours in ["notes", "locked"] {
        issue.as_object_mut().unwrap().remove(ours);
    }
    issue
}

/// A filter that Redmine does not know shows every issue.
fn listed<'a>(taken: &Taken, issues: &'a Shelf) -> Vec<&'a Value> {
    let project = parameter(taken, "project_id");
    let state = ["status_id", "op[status_id]"].map(|name| parameter(taken, name));
    let state = state.into_iter().flatten().next();
    let by_field = parameter(taken, "cf_1");
    let by_text = parameter(taken, "v[description][]");
    let shown = |issue: &&Value| {
        let closed = issue["status"]["id"].as_u64().is_some_and(|id| id > 2);
        let by_state = match state.as_deref() {
            Some("*") => true,
            Some("closed" | "c") => closed,
            _ => !closed,
        };
        let by_content = match (&by_field, &by_text) {
            (Some(value), None) => issue["custom_fields"][0]["value"] == *value,
            (None, Some(text)) => {
                let of = issue["description"].as_str();
                of.is_some_and(|of| of.contains(text))
            }
            _ => true,
        };
        by_state && by_content && project.as_deref().is_none_or(|project| project == "sec")
    };
    issues.iter().filter(shown).collect()
}

fn create(asked: &Value, issues: &mut Shelf) -> (u16, Value) {
    let subject = asked["subject"].as_str().unwrap_or_default();
    if subject.trim().is_empty() {
        return (422, json!({ "errors": ["Subject cannot be blank"] }));
    }
    if subject.chars().count() > 255 {
        let wrong = "Subject is too long (maximum is 255 characters)";
        return (422, json!({ "errors": [wrong] }));
    }
    let text = asked["description"].as_str().unwrap_or_default();
    assert!(text.len() <= 65_535, "some of its databases cut it");
    let named = |name: &str| json!({ "id": 1, "name": name });
    let mut fields = asked["custom_fields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    // What the project does not have is dropped.
    fields.retain(|field| field["id"] == 1);
    for field in &mut fields {
        field["name"] = json!("Falco fingerprint");
    }
    let issue = json!({
        "id": issues.len() + 1, "project": named("sec"), "status": status(1), "author": named("herald"),
        "tracker": { "id": asked["tracker_id"].as_u64().unwrap_or(1), "name": "Bug" },
        "priority": { "id": asked["priority_id"].as_u64().unwrap_or(2), "name": "Normal" },
        "subject": subject, "description": text, "start_date": null, "due_date": null, "done_ratio": 0,
        "is_private": false, "custom_fields": fields, "created_on": now().to_string(),
        "updated_on": now().to_string(), "closed_on": null, "notes": [],
    });
    issues.push(issue.clone());
    (201, json!({ "issue": shown(&issue) }))
}

fn change(asked: &Value, issue: &mut Value) -> (u16, Value) {
    if let Some(notes) = asked["notes"].as_str() {
        let private = asked["private_notes"] == true;
        let note = json!({ "notes": notes, "private": private });
        issue["notes"].as_array_mut().unwrap().push(note);
    }
    // What the workflow forbids is answered with 204 too.
    if let Some(id) = asked["status_id"].as_u64()
        && issue["locked"].is_null()
        && (1..=4).contains(&id)
    {
        issue["status"] = status(id);
        // An issue that is opened again keeps the day it was closed on.
        if id > 2 {
            issue["closed_on"] = json!(now().to_string());
        }
    }
    (204, Value::Null)
}
