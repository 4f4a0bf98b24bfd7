//! As much of GitHub's issues as we use, as strict as docs.github.com/rest/issues says GitHub is.

use http::Method;
use serde_json::{Value, json};

use super::http::Taken;
use super::tracker::{Shelf, below, one, origin, parameter};
use super::{CANARY, now};

/// What GitHub answers. A comment stands under `said` of its issue.
pub(in crate::deliver) fn answer(taken: &Taken, issues: &mut Shelf) -> (u16, Value) {
    let headers = &taken.parts.headers;
    if !headers.contains_key("user-agent") {
        return refused(403, "Request forbidden by administrative rules.");
    }
    let known = ["Bearer", "token"].map(|scheme| format!("{scheme} {CANARY}"));
    let given = headers.get("authorization");
    if !given.is_some_and(|given| known.iter().any(|known| given == known)) {
        return refused(401, "Bad credentials");
    }
    let parts = below(taken, "/").unwrap_or_default();
    match (&taken.parts.method, parts.as_slice()) {
        (&Method::GET, ["search", "issues"]) => searched(taken, issues),
        (&Method::GET, ["repos", "acme", "sec"]) => {
            let url = format!("{}/repos/acme/sec", origin(taken));
            let repository = json!({
                "id": 1, "node_id": "R_1", "name": "sec", "full_name": "acme/sec", "owner": user(),
                "url": url, "private": true, "has_issues": true,
            });
            (200, repository)
        }
        (&Method::GET, ["repos", "acme", "sec", "issues"]) => listed(taken, issues),
        (&Method::POST, ["repos", "acme", "sec", "issues"]) => create(taken, issues),
        (method, ["repos", "acme", "sec", "issues", number, rest @ ..]) => {
            let Some(issue) = one(issues, "number", number) else {
                return refused(404, "Not Found");
            };
            match (method, rest) {
                (&Method::GET, []) => (200, shown(issue)),
                (&Method::PATCH, []) => change(&taken.json(), issue),
                (&Method::GET, ["comments"]) => (200, issue["said"].clone()),
                (&Method::POST, ["comments"]) => comment(taken, issue),
                _ => refused(404, "Not Found"),
            }
        }
        _ => refused(404, "Not Found"),
    }
}

fn refused(status: u16, message: &str) -> (u16, Value) {
    let body = json!({
        "message": message, "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    });
    (status, body)
}

fn invalid(field: &str, code: &str) -> (u16, Value) {
    let (status, mut body) = refused(422, "Validation Failed");
    body["errors"] = json!([{ "resource": "Issue", "field": field, "code": code }]);
    (status, body)
}

/// As GitHub shows it: the number of its comments, and not they.
fn shown(issue: &Value) -> Value {
    let mut issue = issue.clone();
    let said = issue["said"].take();
    issue["comments"] = json!(said.as_array().map_or(0, Vec::len));
    issue.as_object_mut().unwrap().remove("said");
    issue
}

fn has_label(issue: &Value, label: &str) -> bool {
    let labels = issue["labels"].as_array();
    labels.is_some_and(|labels| labels.iter().any(|has| has["name"] == label))
}

fn listed(taken: &Taken, issues: &Shelf) -> (u16, Value) {
    let state = parameter(taken, "state").unwrap_or_else(|| "open".to_owned());
    if !["open", "closed", "all"].contains(&state.as_str()) {
        return invalid("state", "invalid");
    }
    let labels = parameter(taken, "labels").unwrap_or_default();
    let fits = |issue: &&Value| {
        let mut labels = labels.split(',').filter(|label| !label.is_empty());
        (state == "all" || issue["state"] == state) && labels.all(|label| has_label(issue, label))
    };
    (200, issues.iter().filter(fits).map(shown).collect())
}

/// A phrase in the bodies of the repository's issues, and no other search.
fn searched(taken: &Taken, issues: &Shelf) -> (u16, Value) {
    let query = parameter(taken, "q").unwrap_or_default();
    let words: Vec<_> = query.split(' ').collect();
    let phrase = query.split('"').nth(1);
    let (Some(phrase), true) = (phrase, words.contains(&"is:issue")) else {
        return invalid("q", "invalid");
    };
    if !words.contains(&"repo:acme/sec") || !words.contains(&"in:body") {
        return invalid("q", "invalid");
    }
    let holds = |issue: &&Value| {
        let body = issue["body"].as_str();
        body.is_some_and(|body| body.contains(phrase))
    };
    let scored = |issue: &Value| {
        let mut issue = shown(issue);
        issue["score"] = json!(1.0);
        issue
    };
    let items: Vec<_> = issues.iter().filter(holds).map(scored).collect();
    let found = json!({ "total_count": items.len(), "incomplete_results": false, "items": items });
    (200, found)
}

fn create(taken: &Taken, issues: &mut Shelf) -> (u16, Value) {
    let asked = taken.json();
    let Some(title) = asked["title"].as_str() else {
        return invalid("title", "missing_field");
    };
    let body = asked["body"].as_str().unwrap_or_default();
    if title.trim().is_empty() || title.chars().count() > 256 || body.chars().count() > 65_536 {
        return invalid("title", "invalid");
    }
    let labels = asked["labels"].as_array().cloned().unwrap_or_default();
    let fits = |name: &Value| {
        name.as_str()
            .is_some_and(|name| (1..=50).contains(&name.len()))
    };
    if !labels.iter().all(fits) {
        return invalid("labels", "invalid");
    }
    let number = issues.len() + 1;
    let (root, at) = (origin(taken), now().to_string());
    let url = format!("{root}/repos/acme/sec/issues/{number}");
    let label = |name: &Value| json!({ "id": 1, "url": "", "name": name, "color": "ededed" });
    let issue = json!({
        "id": 9_000 + number, "node_id": "I_1", "number": number, "url": url,
        "repository_url": format!("{root}/repos/acme/sec"), "comments_url": format!("{url}/comments"),
        "html_url": format!("{root}/acme/sec/issues/{number}"), "title": title, "body": asked["body"],
        "labels": labels.iter().map(label).collect::<Vec<_>>(), "user": user(), "locked": false,
        "assignee": null, "assignees": [], "milestone": null, "state": "open", "state_reason": null,
        "created_at": at, "updated_at": at, "closed_at": null, "closed_by": null, "said": [],
    });
    issues.push(issue.clone());
    (201, shown(&issue))
}

fn user() -> Value {
    json!({ "login": "herald[bot]", "id": 1, "node_id": "U_1", "type": "Bot", "site_admin": false })
}

fn change(asked: &Value, issue: &mut Value) -> (u16, Value) {
    let reasons = [
        json!("completed"),
        json!("not_planned"),
        json!("duplicate"),
        json!("reopened"),
    ];
    let reason = &asked["state_reason"];
    if !reason.is_null() && !reasons.contains(reason) {
        return invalid("state_reason", "invalid");
    }
    let state = &asked["state"];
    if !state.is_null() && state != "open" && state != "closed" {
        return invalid("state", "invalid");
    }
    // The reason counts only where the state changes.
    if !state.is_null() && issue["state"] != *state {
        let closed = state == "closed";
        if closed == (reason == "reopened") {
            return invalid("state_reason", "invalid");
        }
        issue["state"] = state.clone();
        issue["state_reason"] = match (closed, reason) {
            (true, Value::Null) => json!("completed"),
            (true, reason) => reason.clone(),
            (false, _) => json!("reopened"),
        };
        issue["closed_at"] = closed.then(|| now().to_string()).into();
        issue["closed_by"] = closed.then(user).into();
    }
    (200, shown(issue))
}

fn comment(taken: &Taken, issue: &mut Value) -> (u16, Value) {
    let body = taken.json()["body"].clone();
    let length = body.as_str().map_or(0, |body| body.trim().chars().count());
    if !(1..=65_536).contains(&length) {
        return invalid("body", "missing_field");
    }
    let said = issue["said"].as_array_mut().unwrap();
    let at = now().to_string();
    let comment = json!({
        "id": said.len() + 1, "node_id": "IC_1", "body": body, "user": user(), "issue_url": issue["url"],
        "url": format!("{}/comments/1", issue["repository_url"]), "created_at": at, "updated_at": at,
    });
    issue["said"].as_array_mut().unwrap().push(comment.clone());
    (201, comment)
}
