//! As much of GitLab's issues as we use, as docs.gitlab.com/api/issues has them. A project of its own
//! drops labels, as for a Guest.

use http::Method;
use serde_json::{Value, json};

use super::http::Taken;
use super::tracker::{Shelf, below, one, origin, parameter};
use super::{CANARY, now};

/// What GitLab answers. A note stands under `notes` of its issue.
pub(in crate::deliver) fn answer(taken: &Taken, issues: &mut Shelf) -> (u16, Value) {
    let given = taken.parts.headers.get("private-token");
    if given.is_none_or(|given| given != CANARY) {
        return (401, json!({ "message": "401 Unauthorized" }));
    }
    let parts = below(taken, "/api/v4/projects/").unwrap_or_default();
    let Some((project @ ("acme%2Fsec" | "7"), rest)) = parts.split_first().map(|(p, r)| (*p, r))
    else {
        return (404, json!({ "message": "404 Project Not Found" }));
    };
    match (&taken.parts.method, rest) {
        (&Method::GET, ["issues"]) => listed(taken, issues),
        (&Method::POST, ["issues"]) => create(taken, issues, project == "7"),
        (method, ["issues", number, rest @ ..]) => {
            let Some(issue) = one(issues, "iid", number) else {
                return (404, json!({ "message": "404 Issue Not Found" }));
            };
            match (method, rest) {
                (&Method::GET, []) => (200, shown(issue)),
                (&Method::PUT, []) => change(&taken.json(), issue),
                (&Method::GET, ["notes"]) => (200, issue["notes"].clone()),
                (&Method::POST, ["notes"]) => comment(&taken.json(), issue),
                _ => (404, json!({ "error": "404 Not Found" })),
            }
        }
        _ => (404, json!({ "error": "404 Not Found" })),
    }
}

/// As GitLab shows it: the number of its notes, and not they.
fn shown(issue: &Value) -> Value {
    let mut issue = issue.clone();
    let notes = issue["notes"].take();
    issue["user_notes_count"] = json!(notes.as_array().map_or(0, Vec::len));
    issue.as_object_mut().unwrap().remove("notes");
    issue
}

fn listed(taken: &Taken, issues: &Shelf) -> (u16, Value) {
    let state = parameter(taken, "state").unwrap_or_else(|| "all".to_owned());
    if !["opened", "closed", "all"].contains(&state.as_str()) {
        return (400, json!({ "error": "state does not have a valid value" }));
    }
    let labels = parameter(taken, "labels").unwrap_or_default();
    let text = parameter(taken, "search").unwrap_or_default();
    let places = parameter(taken, "in").unwrap_or_else(|| "title,description".to_owned());
    let fits = |issue: &&Value| {
        let mut labels = labels.split(',').filter(|label| !label.is_empty());
        let has = |label: &str| {
            let has = issue["labels"].as_array();
            has.is_some_and(|has| has.iter().any(|has| has == label))
        };
        let says = |place: &str| issue[place].as_str().is_some_and(|of| of.contains(&text));
        (state == "all" || issue["state"] == state)
            && labels.all(has)
            && (text.is_empty() || places.split(',').any(says))
    };
    (200, issues.iter().filter(fits).map(shown).collect())
}

fn create(taken: &Taken, issues: &mut Shelf, guest: bool) -> (u16, Value) {
    let asked = taken.json();
    let Some(title) = asked["title"].as_str() else {
        return (400, json!({ "error": "title is missing" }));
    };
    let text = asked["description"].as_str().unwrap_or_default();
    for (field, value, most) in [("title", title, 255), ("description", text, 1_048_576)] {
        if value.chars().count() > most {
            let wrong = format!("is too long (maximum is {most} characters)");
            return (400, json!({ "message": { field: [wrong] } }));
        }
    }
    if title.trim().is_empty() {
        return (400, json!({ "message": { "title": ["can't be blank"] } }));
    }
    let labels = &asked["labels"];
    if !labels.is_null() && !labels.is_string() {
        return (400, json!({ "error": "labels is invalid" }));
    }
    // Nobody is called by a title.
    assert!(!title.contains(['@', '#', '!', '~']), "{title}");
    check_text(text);
    let labels = labels.as_str().unwrap_or_default().split(',');
    let labels = labels.filter(|label| !guest && !label.is_empty());
    let (number, at) = (issues.len() + 1, now().to_string());
    let issue = json!({
        "id": 900 + number, "iid": number, "project_id": 7, "state": "opened", "title": title,
        "description": asked["description"], "labels": labels.collect::<Vec<_>>(),
        "confidential": asked["confidential"] == true, "author": author(), "assignees": [],
        "assignee": null, "milestone": null, "created_at": at, "updated_at": at, "closed_at": null,
        "closed_by": null, "issue_type": "issue", "discussion_locked": null, "notes": [],
        "web_url": format!("{}/acme/sec/-/issues/{number}", origin(taken)),
    });
    issues.push(issue.clone());
    (201, shown(&issue))
}

fn author() -> Value {
    json!({ "id": 1, "username": "herald", "name": "Herald", "state": "active" })
}

fn change(asked: &Value, issue: &mut Value) -> (u16, Value) {
    let closed = match asked["state_event"].as_str() {
        Some("close") => true,
        Some("reopen") => false,
        Some(_) => {
            return (
                400,
                json!({ "error": "state_event does not have a valid value" }),
            );
        }
        None => {
            let wrong = "state_event, ... are missing, at least one parameter must be provided";
            return (400, json!({ "error": wrong }));
        }
    };
    issue["state"] = json!(if closed { "closed" } else { "opened" });
    issue["closed_at"] = closed.then(|| now().to_string()).into();
    issue["closed_by"] = closed.then(author).into();
    (200, shown(issue))
}

fn comment(asked: &Value, issue: &mut Value) -> (u16, Value) {
    let Some(body) = asked["body"].as_str() else {
        return (400, json!({ "error": "body is missing" }));
    };
    if body.trim().is_empty() {
        return (400, json!({ "message": { "note": ["can't be blank"] } }));
    }
    check_text(body);
    let (iid, at) = (issue["iid"].clone(), now().to_string());
    let notes = issue["notes"].as_array_mut().unwrap();
    let note = json!({
        "id": notes.len() + 1, "body": body, "author": author(), "created_at": at, "updated_at": at,
        "system": false, "noteable_type": "Issue", "noteable_iid": iid, "internal": false,
    });
    notes.push(note.clone());
    (201, note)
}

/// No line is a quick action.
fn check_text(text: &str) {
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        assert!(fenced || !line.starts_with('/'), "{text}");
    }
}
