//! As much of Jira as we use, Cloud's API 3 and Data Center's API 2, with a workflow of three statuses.

use http::Method;
use serde_json::{Value, json};

use super::http::Taken;
use super::tracker::{Shelf, below, origin, parameter, parameters};
use super::{CANARY, now};
use crate::deliver::jira::JiraApi;

pub(in crate::deliver) fn cloud(taken: &Taken, issues: &mut Shelf) -> (u16, Value) {
    // bot@acme.com:canary-5f2c9e
    let basic = "Basic Ym90QGFjbWUuY29tOmNhbmFyeS01ZjJjOWU=";
    answer(taken, issues, JiraApi::Cloud, basic)
}

pub(in crate::deliver) fn center(taken: &Taken, issues: &mut Shelf) -> (u16, Value) {
    answer(
        taken,
        issues,
        JiraApi::DataCenter,
        &format!("Bearer {CANARY}"),
    )
}

fn answer(taken: &Taken, issues: &mut Shelf, api: JiraApi, login: &str) -> (u16, Value) {
    let given = taken.parts.headers.get("authorization");
    if given.is_none_or(|given| given != login) {
        return wrong(401, "Client must be authenticated to access this resource.");
    }
    let prefix = match api {
        JiraApi::Cloud => "/rest/api/3/",
        JiraApi::DataCenter => "/rest/api/2/",
    };
    let parts = below(taken, prefix).unwrap_or_default();
    match (&taken.parts.method, parts.as_slice(), api) {
        (&Method::GET, ["serverInfo"], JiraApi::Cloud) => (
            200,
            json!({ "versionNumbers": [1001, 0, 0], "deploymentType": "Cloud" }),
        ),
        (&Method::GET, ["serverInfo"], JiraApi::DataCenter) => (
            200,
            json!({ "versionNumbers": [9, 12, 0], "deploymentType": "Server" }),
        ),
        (&Method::GET, ["issue", "createmeta", "SEC", "issuetypes", rest @ ..], _) => {
            let (name, list) = match rest {
                [] => ("issueTypes", json!([{ "id": "10001", "name": "Task" }])),
                ["10001"] => (
                    "fields",
                    json!([{ "fieldId": "summary", "required": true }, { "fieldId": "labels" }]),
                ),
                _ => return wrong(404, "The issue type does not exist."),
            };
            let name = if api == JiraApi::Cloud {
                name
            } else {
                "values"
            };
            (
                200,
                json!({ "startAt": 0, "maxResults": 200, "total": 2, name: list }),
            )
        }
        (&Method::GET, ["field"], _) => (
            200,
            json!([{ "id": "labels", "name": "Labels", "clauseNames": ["labels"] }]),
        ),
        (&Method::POST, ["search", "jql"], JiraApi::Cloud) => {
            let asked = taken.json();
            let fields = asked["fields"].as_array().into_iter().flatten();
            let fields: Vec<_> = fields.filter_map(Value::as_str).collect();
            let found = found(asked["jql"].as_str(), &fields, issues);
            found.map_or_else(
                |wrong| wrong,
                |found| (200, json!({ "issues": found, "isLast": true })),
            )
        }
        (&Method::GET, ["search"], JiraApi::DataCenter) => {
            let fields = parameters(taken, "fields").join(",");
            let fields: Vec<_> = fields.split(',').collect();
            let found = found(parameter(taken, "jql").as_deref(), &fields, issues);
            let page = |found: Vec<_>| json!({ "startAt": 0, "maxResults": 100, "total": found.len(), "issues": found });
            found.map_or_else(|wrong| wrong, |found| (200, page(found)))
        }
        (&Method::POST, ["issue"], _) => create(taken, issues, api),
        (method, ["issue", id, rest @ ..], _) => {
            let is = |issue: &&mut Value| issue["id"] == *id || issue["key"] == *id;
            let Some(issue) = issues.iter_mut().find(is) else {
                let text = "Issue does not exist or you do not have permission to see it.";
                return wrong(404, text);
            };
            match (method, rest) {
                (&Method::GET, []) => {
                    let fields = parameter(taken, "fields").unwrap_or_else(|| "*all".to_owned());
                    let fields: Vec<_> = fields.split(',').collect();
                    (200, shown(issue, &fields))
                }
                (&Method::POST, ["comment"]) => comment(taken, issue, api),
                (&Method::GET, ["transitions"]) => {
                    let mut ways = offered(issue);
                    if parameter(taken, "expand").as_deref() != Some("transitions.fields") {
                        let bare = |way: &mut Value| way.as_object_mut().unwrap().remove("fields");
                        ways.iter_mut().map(bare).for_each(drop);
                    }
                    (200, json!({ "expand": "transitions", "transitions": ways }))
                }
                (&Method::POST, ["transitions"]) => transit(&taken.json(), issue),
                _ => (404, Value::Null),
            }
        }
        _ => (404, Value::Null),
    }
}

fn wrong(status: u16, text: &str) -> (u16, Value) {
    (status, json!({ "errorMessages": [text], "errors": {} }))
}

fn wrong_field(field: &str, text: &str) -> (u16, Value) {
    (
        400,
        json!({ "errorMessages": [], "errors": { field: text } }),
    )
}

/// The issue with the fields that were asked for.
fn shown(issue: &Value, fields: &[&str]) -> Value {
    let mut shown = issue.clone();
    shown.as_object_mut().unwrap().remove("comments");
    if let Some(of) = shown["fields"].as_object_mut() {
        let all = fields.iter().any(|field| field.starts_with('*'));
        of.retain(|name, _| all || fields.contains(&name.as_str()));
    }
    shown
}

/// One form of JQL, and no other. Without fields there are only ids.
fn found(jql: Option<&str>, fields: &[&str], issues: &Shelf) -> Result<Vec<Value>, (u16, Value)> {
    let marker = jql.and_then(|jql| jql.strip_prefix("project = \"SEC\" AND labels = \""));
    let marker = marker.and_then(|rest| rest.strip_suffix("\" ORDER BY created DESC"));
    let marker = marker.ok_or_else(|| wrong(400, "Error in the JQL Query"))?;
    let has = |issue: &&Value| {
        let labels = issue["fields"]["labels"].as_array();
        labels.is_some_and(|labels| labels.iter().any(|label| label == marker))
    };
    let newest_first = issues.iter().rev().filter(has);
    Ok(newest_first.map(|issue| shown(issue, fields)).collect())
}

fn create(taken: &Taken, issues: &mut Shelf, api: JiraApi) -> (u16, Value) {
    let mut fields = taken.json()["fields"].take();
    let summary = fields["summary"].as_str().unwrap_or_default();
    if summary.trim().is_empty() {
        return wrong_field("summary", "You must specify a summary of the issue.");
    }
    if summary.contains(['\r', '\n']) {
        let text = "The summary is invalid because it contains newline characters.";
        return wrong_field("summary", text);
    }
    if summary.chars().count() > 255 {
        return wrong_field("summary", "Summary must be less than 255 characters.");
    }
    if fields["project"]["key"] != "SEC" {
        return wrong_field("project", "valid project is required");
    }
    if fields["issuetype"]["name"] != "Task" {
        return wrong_field("issuetype", "The issue type selected is invalid.");
    }
    let spaced = |label: &Value| label.as_str().is_none_or(|label| label.contains(' '));
    if fields["labels"]
        .as_array()
        .into_iter()
        .flatten()
        .any(spaced)
    {
        return wrong_field("labels", "The label contains spaces which is invalid.");
    }
    if let Err(text) = check_text(&fields["description"], api) {
        return wrong_field("description", text);
    }
    fields["status"] = status("To Do", "new");
    fields["resolution"] = Value::Null;
    fields["resolutiondate"] = Value::Null;
    let number = issues.len() + 1;
    let id = (10_000 + number).to_string();
    let url = format!("{}{}/{id}", origin(taken), taken.parts.uri.path());
    let made = json!({ "id": id, "key": format!("SEC-{number}"), "self": url });
    let mut issue = made.clone();
    issue["fields"] = fields;
    issue["comments"] = json!([]);
    issues.push(issue);
    (201, made)
}

fn comment(taken: &Taken, issue: &mut Value, api: JiraApi) -> (u16, Value) {
    let body = taken.json()["body"].take();
    if let Err(text) = check_text(&body, api) {
        return wrong_field("comment", text);
    }
    let url = format!("{}{}/1", origin(taken), taken.parts.uri.path());
    issue["comments"].as_array_mut().unwrap().push(body.clone());
    let at = moment();
    (
        201,
        json!({ "id": "1", "self": url, "body": body, "created": at, "updated": at }),
    )
}

fn check_text(text: &Value, api: JiraApi) -> Result<(), &'static str> {
    let length = match api {
        JiraApi::Cloud => {
            if text["type"] != "doc" || text["version"] != 1 || !text["content"].is_array() {
                return Err("Operation value must be an Atlassian Document");
            }
            text.to_string().chars().count()
        }
        JiraApi::DataCenter => {
            let text = text.as_str().ok_or("Operation value must be a string")?;
            text.chars().count()
        }
    };
    if length > 32_767 {
        return Err(
            "The entered text is too long. It exceeds the allowed limit of 32,767 characters.",
        );
    }
    Ok(())
}

fn moment() -> String {
    now().strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}

pub(in crate::deliver) fn status(name: &str, category: &str) -> Value {
    json!({ "name": name, "statusCategory": { "key": category } })
}

/// What asks for a field that nobody can guess, and what would be wrong, comes first.
fn offered(issue: &Value) -> Vec<Value> {
    let open = issue["fields"]["status"]["statusCategory"]["key"] != "done";
    let resolutions = ["Won't Fix", "Duplicate", "Done"].map(|name| json!({ "name": name }));
    let resolution = json!({ "resolution": { "required": true, "allowedValues": resolutions } });
    let more = json!({ "customfield_1": { "required": true, "hasDefaultValue": false } });
    let way = |id: &str, to: Value, fields: &Value| json!({ "id": id, "name": to["name"], "to": to, "fields": fields });
    if open {
        vec![
            way("1", status("Won't Do", "done"), &json!({})),
            way("2", status("In Progress", "indeterminate"), &json!({})),
            way("3", status("Released", "done"), &more),
            way("4", status("Done", "done"), &resolution),
        ]
    } else {
        vec![
            way("5", status("In Progress", "indeterminate"), &json!({})),
            way("6", status("To Do", "new"), &json!({})),
        ]
    }
}

fn transit(asked: &Value, issue: &mut Value) -> (u16, Value) {
    // Jira takes the id as a text and as a number.
    let id = &asked["transition"]["id"];
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let Some(way) = offered(issue).into_iter().find(|way| way["id"] == id) else {
        return wrong(400, "It is not on the appropriate screen, or unknown.");
    };
    if way["fields"].get("customfield_1").is_some() {
        return wrong_field("customfield_1", "It is required.");
    }
    let resolution = &asked["fields"]["resolution"];
    let allowed = way["fields"]["resolution"]["allowedValues"].as_array();
    match allowed {
        Some(allowed) if !allowed.contains(resolution) => {
            return wrong_field("resolution", "Please enter a resolution.");
        }
        None if !resolution.is_null() => {
            let text = "Field 'resolution' cannot be set. It is not on the appropriate screen.";
            return wrong_field("resolution", text);
        }
        _ => {}
    }
    let closed = way["to"]["statusCategory"]["key"] == "done";
    issue["fields"]["status"] = way["to"].clone();
    issue["fields"]["resolution"] = resolution.clone();
    issue["fields"]["resolutiondate"] = allowed.map(|_| moment()).into();
    issue["fields"]["statuscategorychangedate"] = json!(moment());
    assert!(closed || allowed.is_none());
    (204, Value::Null)
}
