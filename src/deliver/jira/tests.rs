use http::Method;

use super::*;
use crate::deliver::testing::http::{Planned, Taken};
use crate::deliver::testing::tracker::{Answer, Bench, Shelf, below, one, parameter, stranger};
use crate::deliver::testing::{CANARY, TIMEOUT, long, now};
use crate::deliver::{NoticeKind, Verdict};
use crate::incident::State;

fn cloud(taken: &Taken, issues: &mut Shelf) -> (u16, Value) {
    // bot@acme.com:canary-5f2c9e
    let basic = "Basic Ym90QGFjbWUuY29tOmNhbmFyeS01ZjJjOWU=";
    let stranger = stranger(taken, "authorization", basic);
    stranger.unwrap_or_else(|| fake(taken, issues, JiraApi::Cloud))
}

fn center(taken: &Taken, issues: &mut Shelf) -> (u16, Value) {
    let stranger = stranger(taken, "authorization", &format!("Bearer {CANARY}"));
    stranger.unwrap_or_else(|| fake(taken, issues, JiraApi::DataCenter))
}

/// As much of Jira as we use, with a workflow of three statuses.
fn fake(taken: &Taken, issues: &mut Shelf, api: JiraApi) -> (u16, Value) {
    let prefix = match api {
        JiraApi::Cloud => "/rest/api/3/",
        JiraApi::DataCenter => "/rest/api/2/",
    };
    let Some(parts) = below(taken, prefix) else {
        return (404, Value::Null);
    };
    match (&taken.parts.method, parts.as_slice(), api) {
        (&Method::POST, ["search", "jql"], JiraApi::Cloud) => {
            let asked = taken.json();
            assert!(
                asked["fields"]
                    .as_array()
                    .unwrap()
                    .contains(&json!("labels"))
            );
            found(asked["jql"].as_str().unwrap(), issues)
        }
        (&Method::GET, ["search"], JiraApi::DataCenter) => {
            assert!(parameter(taken, "fields").unwrap().contains("labels"));
            found(&parameter(taken, "jql").unwrap(), issues)
        }
        (&Method::POST, ["issue"], _) => create(&taken.json()["fields"], issues, api),
        (method, ["issue", id, rest @ ..], _) => {
            let Some(issue) = one(issues, "id", id) else {
                return (404, json!({ "errorMessages": ["Issue does not exist"] }));
            };
            match (method, rest) {
                (&Method::GET, []) => (200, issue.clone()),
                (&Method::POST, ["comment"]) => {
                    let body = taken.json()["body"].clone();
                    check_text(&body, api);
                    issue["comments"].as_array_mut().unwrap().push(body);
                    (201, json!({ "id": "1" }))
                }
                (&Method::GET, ["transitions"]) => (200, json!({ "transitions": offered(issue) })),
                (&Method::POST, ["transitions"]) => transit(&taken.json(), issue),
                _ => (404, Value::Null),
            }
        }
        _ => (404, Value::Null),
    }
}

fn found(jql: &str, issues: &Shelf) -> (u16, Value) {
    let marker = jql.strip_prefix("project = \"SEC\" AND labels = \"");
    let marker = marker.and_then(|rest| rest.strip_suffix("\" ORDER BY created DESC"));
    let Some(marker) = marker else {
        return (400, json!({ "errorMessages": ["bad JQL"] }));
    };
    let has = |issue: &&Value| issue["fields"]["labels"][0] == marker;
    let found: Vec<_> = issues.iter().filter(has).cloned().collect();
    (200, json!({ "issues": found }))
}

fn create(fields: &Value, issues: &mut Shelf, api: JiraApi) -> (u16, Value) {
    let summary = fields["summary"].as_str().unwrap();
    let length = summary.chars().count();
    if !(1..=255).contains(&length) || summary.contains('\n') {
        return (400, json!({ "errors": { "summary": summary } }));
    }
    if fields["issuetype"]["name"] != "Task" || fields["project"]["key"] != "SEC" {
        return (
            400,
            json!({ "errors": { "issuetype": "valid type is required" } }),
        );
    }
    check_text(&fields["description"], api);
    let number = 10_000 + issues.len();
    let mut fields = fields.clone();
    fields["status"] = status("To Do", "new");
    fields["resolution"] = Value::Null;
    let made = json!({ "id": number.to_string(), "key": format!("SEC-{}", issues.len() + 1) });
    let mut issue = made.clone();
    issue["fields"] = fields;
    issue["comments"] = json!([]);
    issues.push(issue);
    (201, made)
}

fn check_text(text: &Value, api: JiraApi) {
    match api {
        JiraApi::Cloud => assert_eq!(
            (&text["type"], &text["version"]),
            (&json!("doc"), &json!(1))
        ),
        JiraApi::DataCenter => assert!(text.is_string()),
    }
    assert!(length(text) <= 32_767);
}

fn status(name: &str, category: &str) -> Value {
    json!({ "name": name, "statusCategory": { "key": category } })
}

/// What asks for a field that nobody can guess, and what would be wrong, comes first.
fn offered(issue: &Value) -> Vec<Value> {
    let open = issue["fields"]["status"]["statusCategory"]["key"] != "done";
    let resolutions = ["Won't Fix", "Duplicate", "Done"].map(|name| json!({ "name": name }));
    let resolution = json!({ "resolution": { "required": true, "allowedValues": resolutions } });
    let more = json!({ "customfield_1": { "required": true, "hasDefaultValue": false } });
    let way = |id: &str, to: Value, fields: &Value| json!({ "id": id, "to": to, "fields": fields });
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
    let mut ways = offered(issue).into_iter();
    let Some(way) = ways.find(|way| way["id"] == asked["transition"]["id"]) else {
        return (
            400,
            json!({ "errorMessages": ["not a transition of this issue"] }),
        );
    };
    if way["fields"].get("customfield_1").is_some() {
        return (400, json!({ "errors": { "customfield_1": "is required" } }));
    }
    let resolution = &asked["fields"]["resolution"];
    assert_eq!(
        resolution.is_object(),
        way["fields"].get("resolution").is_some()
    );
    issue["fields"]["status"] = way["to"].clone();
    issue["fields"]["resolution"] = resolution.clone();
    issue["fields"]["resolutiondate"] = json!("2026-03-01T10:00:00.000+0000");
    (204, Value::Null)
}

fn config(url: &str) -> JiraConfig {
    JiraConfig {
        url: Some(Secret::new(url)),
        token: Some(Secret::new(CANARY)),
        project: "SEC".to_owned(),
        labels: vec!["falco".to_owned()],
        // The second would take the marker away.
        fields: [("priority", json!({ "id": "2" })), ("labels", json!([]))]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        ..JiraConfig::default()
    }
}

async fn bench(api: JiraApi) -> Bench {
    let (answer, user): (Answer, _) = match api {
        JiraApi::Cloud => (cloud, Some("bot@acme.com".to_owned())),
        JiraApi::DataCenter => (center, None),
    };
    let build = |url: &str| {
        let config = JiraConfig {
            user,
            ..config(url)
        };
        config.build(TIMEOUT, &Clock::manual(now())).unwrap()
    };
    Bench::start("SEC-1", answer, build).await
}

const BOTH: [JiraApi; 2] = [JiraApi::Cloud, JiraApi::DataCenter];

#[tokio::test]
async fn an_issue_lives_as_its_incident_does() {
    for api in BOTH {
        let mut bench = bench(api).await;
        bench.lives().await;
        let issue = bench.change(|issues| issues[0].clone());
        assert_eq!(issue["comments"].as_array().unwrap().len(), 4);
        assert_eq!(issue["fields"]["status"]["name"], "To Do");
        assert_eq!(issue["fields"]["labels"][1], "falco");
        assert_eq!(issue["fields"]["priority"]["id"], "2");
    }
}

#[tokio::test]
async fn an_issue_is_found_again() {
    for api in BOTH {
        bench(api).await.is_found_again().await;
    }
}

#[tokio::test]
async fn a_resolution_or_a_status_may_say_that_nothing_is_to_be_done() {
    for name in ["Won't Fix", "Won't Do", "Declined", "Duplicate"] {
        let close = |issue: &mut Value| {
            issue["fields"]["status"] = status("Closed", "done");
            issue["fields"]["resolution"] = json!({ "name": name });
        };
        bench(JiraApi::DataCenter).await.stays_closed(close).await;
        let close = |issue: &mut Value| issue["fields"]["status"] = status(name, "done");
        bench(JiraApi::Cloud).await.stays_closed(close).await;
    }
}

#[tokio::test]
async fn an_issue_closed_long_ago_is_followed_by_a_new_one() {
    let mut bench = bench(JiraApi::Cloud).await;
    bench.send(1, State::Open).await;
    bench.change(|issues| {
        issues[0]["fields"]["status"] = status("Done", "done");
        issues[0]["fields"]["statuscategorychangedate"] = json!("2026-02-01T11:00:00.000+0100");
    });
    assert_eq!(bench.send(9, State::Open).await, "created SEC-2");
}

#[tokio::test]
async fn a_workflow_without_a_way_is_told() {
    let mut bench = bench(JiraApi::Cloud).await;
    bench.send(1, State::Open).await;
    let issue = bench.change(|issues| issues[0].clone());
    // What is read, and then the transitions.
    bench.peer.plan([
        Planned::status(200, &issue.to_string()),
        Planned::status(201, "{}"),
        Planned::status(200, r#"{"transitions":[]}"#),
    ]);
    let said = bench.refused(State::Closed).await;
    assert_eq!(
        said,
        "Jira's workflow does not let this user close the issue"
    );
}

#[tokio::test]
async fn what_jira_refuses_says_why() {
    for api in BOTH {
        bench(api).await.judges().await;
        bench(api).await.takes_hostile_titles().await;
    }
    let bench = bench(JiraApi::Cloud).await;
    let refusal = json!({ "errors": { "customfield_7": CANARY, "<script>": "x" } });
    bench.peer.plan([
        Planned::status(200, r#"{"issues":[]}"#),
        Planned::status(400, &refusal.to_string()),
    ]);
    let notice = long(NoticeKind::Open);
    let error = bench.destination.send(&notice).await.unwrap_err();
    assert_eq!(error.reason, "Jira refuses these fields: customfield_7");
    assert_eq!(error.verdict, Verdict::Unacceptable);
    // Longer than Jira takes, and yet created.
    let mut notice = notice;
    for _ in 0..4 {
        let again = notice.report.markdown.clone();
        notice.report.markdown.push_str(&again);
    }
    bench.destination.send(&notice).await.unwrap();
}

#[test]
fn names_do_not_leave_their_quotes() {
    for project in ["", "SEC\" OR 1=1", "S C"] {
        let config = JiraConfig {
            project: project.to_owned(),
            ..config("https://jira.example.com")
        };
        let built = config.build(TIMEOUT, &Clock::manual(now()));
        assert!(built.is_err(), "{project}");
    }
    let config = JiraConfig {
        labels: vec!["a b".to_owned()],
        ..config("https://jira.example.com")
    };
    assert!(config.build(TIMEOUT, &Clock::manual(now())).is_err());
}
