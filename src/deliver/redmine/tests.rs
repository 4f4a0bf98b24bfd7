use http::Method;

use super::*;
use crate::deliver::NoticeKind;
use crate::deliver::testing::http::Taken;
use crate::deliver::testing::tracker::{Bench, Shelf, below, one, parameter, stranger};
use crate::deliver::testing::{CANARY, TIMEOUT, notice, now};
use crate::incident::State;

/// As much of Redmine 5.0.4 as we use, strict where it is strict and as silent where it is silent.
fn fake(taken: &Taken, issues: &mut Shelf) -> (u16, Value) {
    if let Some(stranger) = stranger(taken, "x-redmine-api-key", CANARY) {
        return stranger;
    }
    let Some(parts) = below(taken, "/") else {
        return (404, Value::Null);
    };
    match (&taken.parts.method, parts.as_slice()) {
        (&Method::GET, ["issue_statuses.json"]) => {
            let named = ["New", "In Progress", "Rejected", "Closed"];
            let statuses = named.iter().zip(1..);
            let status = |(name, id)| json!({ "id": id, "name": name, "is_closed": id > 2 });
            let statuses: Vec<_> = statuses.map(status).collect();
            (200, json!({ "issue_statuses": statuses }))
        }
        (&Method::GET, ["issues.json"]) => (200, json!({ "issues": listed(taken, issues) })),
        (&Method::POST, ["issues.json"]) => {
            let issue = &taken.json()["issue"];
            let length = issue["subject"].as_str().unwrap().chars().count();
            if issue["project_id"] != "sec" || !(1..=255).contains(&length) {
                return (422, json!({ "errors": ["Subject is too long"] }));
            }
            assert!(issue["description"].as_str().unwrap().len() <= 65_535);
            let mut issue = issue.clone();
            issue["id"] = json!(issues.len() + 1);
            issue["status"] = json!({ "id": 1, "name": "New" });
            issue["closed_on"] = Value::Null;
            issue["notes"] = json!([]);
            issues.push(issue.clone());
            (201, json!({ "issue": issue }))
        }
        (method, ["issues", id]) => {
            let Some(issue) = one(issues, "id", id.trim_end_matches(".json")) else {
                return (404, Value::Null);
            };
            if method == Method::GET {
                return (200, json!({ "issue": issue }));
            }
            assert_eq!(method, Method::PUT);
            let change = taken.json()["issue"].clone();
            if let Some(notes) = change["notes"].as_str() {
                assert_eq!(change["private_notes"], true);
                issue["notes"].as_array_mut().unwrap().push(json!(notes));
            }
            // What the workflow forbids is answered with 204 too.
            if let Some(status) = change["status_id"].as_u64()
                && issue["locked"].is_null()
            {
                issue["status"]["id"] = json!(status);
                issue["closed_on"] = json!(now().to_string());
            }
            (204, Value::Null)
        }
        _ => (404, Value::Null),
    }
}

/// A filter that Redmine does not know shows every issue.
fn listed(taken: &Taken, issues: &Shelf) -> Vec<Value> {
    assert_eq!(parameter(taken, "project_id").unwrap(), "sec");
    let any = ["status_id", "op[status_id]"].map(|name| parameter(taken, name));
    assert!(any.contains(&Some("*".to_owned())), "closed ones too");
    let by_field = parameter(taken, "cf_1");
    let by_text = parameter(taken, "v[description][]");
    let shown = |issue: &&Value| match (&by_field, &by_text) {
        (Some(value), None) => issue["custom_fields"][0]["value"] == *value,
        (None, Some(text)) => issue["description"]
            .as_str()
            .is_some_and(|of| of.contains(text)),
        _ => true,
    };
    issues.iter().filter(shown).cloned().collect()
}

async fn bench(marker_field: Option<u32>) -> Bench {
    let build = |url: &str| {
        let config = RedmineConfig {
            url: Some(Secret::new(url)),
            api_key: Some(Secret::new(CANARY)),
            project: "sec".to_owned(),
            tracker_id: Some(1),
            marker_field,
            fields: [("priority_id".to_owned(), json!(4))].into(),
            private_notes: true,
            ..RedmineConfig::default()
        };
        config.build(TIMEOUT, &Clock::manual(now())).unwrap()
    };
    Bench::start("#1", fake, build).await
}

#[tokio::test]
async fn an_issue_lives_as_its_incident_does() {
    for field in [None, Some(1)] {
        let mut bench = bench(field).await;
        bench.lives().await;
        let issue = bench.change(|issues| issues[0].clone());
        assert_eq!(issue["notes"].as_array().unwrap().len(), 4);
        assert_eq!(issue["priority_id"], 4);
        assert_eq!(issue["tracker_id"], 1);
        let text = issue["description"].as_str().unwrap();
        assert!(text.starts_with("h1. Terminal shell"), "{text}");
    }
}

#[tokio::test]
async fn an_issue_is_found_by_its_field_or_by_its_last_line() {
    for field in [None, Some(1)] {
        bench(field).await.is_found_again().await;
    }
}

#[tokio::test]
async fn a_rejected_issue_stays_closed() {
    let close = |issue: &mut Value| issue["status"]["id"] = json!(3);
    bench(Some(1)).await.stays_closed(close).await;
}

#[tokio::test]
async fn what_redmine_refuses_says_why() {
    bench(None).await.judges().await;
    bench(Some(1)).await.takes_hostile_titles().await;
}

#[tokio::test]
async fn a_field_that_is_no_filter_creates_nothing() {
    let bench = bench(Some(9)).await;
    bench.change(|issues| issues.push(json!({ "id": 1, "description": "another" })));
    let notice = notice(NoticeKind::Open);
    let error = bench.destination.send(&notice).await.unwrap_err();
    let said = "cannot search: Redmine does not search by `marker_field`: make it a filter";
    assert_eq!(error.reason, said);
    assert_eq!(bench.change(|issues| issues.len()), 1);
}

#[tokio::test]
async fn an_issue_that_quotes_the_marker_is_another() {
    let mut bench = bench(None).await;
    bench.send(1, State::Open).await;
    bench.change(|issues| {
        let text = issues[0]["description"].as_str().unwrap();
        issues[0]["description"] = json!(format!("{text}\nand more"));
    });
    bench.forget();
    assert_eq!(bench.send(2, State::Open).await, "created #2");
}

#[tokio::test]
async fn a_workflow_that_forbids_to_close_is_told() {
    let mut bench = bench(Some(1)).await;
    bench.send(1, State::Open).await;
    bench.change(|issues| issues[0]["locked"] = json!(true));
    let error = bench.refused(State::Closed).await;
    assert_eq!(error, "Redmine does not let this user change the status");
}

#[test]
fn a_project_is_named_by_its_identifier() {
    for project in ["", "a b", "../x", "a&status_id=1"] {
        let config = RedmineConfig {
            url: Some(Secret::new("http://redmine")),
            api_key: Some(Secret::new(CANARY)),
            project: project.to_owned(),
            ..RedmineConfig::default()
        };
        let built = config.build(TIMEOUT, &Clock::manual(now()));
        assert!(built.is_err(), "{project}");
    }
}
