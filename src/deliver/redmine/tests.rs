use super::*;
use crate::deliver::NoticeKind;
use crate::deliver::testing::tracker::Bench;
use crate::deliver::testing::{CANARY, TIMEOUT, notice, now, redmine};
use crate::incident::State;

async fn bench(marker_field: Option<u32>) -> Bench {
    let build = |url: &str| {
        let config = RedmineConfig {
            url: Some(Secret::new(url)),
            api_key: Some(Secret::new(CANARY)),
            project: "sec".to_owned(),
            tracker_id: Some(3),
            marker_field,
            fields: [("priority_id".to_owned(), json!(4))].into(),
            private_notes: true,
            ..RedmineConfig::default()
        };
        config.build(TIMEOUT, &Clock::manual(now())).unwrap()
    };
    Bench::start("#1", redmine::answer, build).await
}

#[tokio::test]
async fn an_issue_lives_as_its_incident_does() {
    for field in [None, Some(1)] {
        let mut bench = bench(field).await;
        bench.lives().await;
        let issue = bench.change(|issues| issues[0].clone());
        let notes = issue["notes"].as_array().unwrap();
        assert_eq!(notes.len(), 4);
        assert!(notes.iter().all(|note| note["private"] == true));
        assert_eq!(issue["priority"]["id"], 4);
        assert_eq!(issue["tracker"]["id"], 3);
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
async fn the_official_client_shares_the_issue() {
    bench(Some(1)).await.is_shared_with("redmine").await;
}

#[tokio::test]
async fn what_redmine_refuses_says_why() {
    bench(None).await.judges().await;
    bench(Some(1)).await.takes_hostile_reports().await;
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
