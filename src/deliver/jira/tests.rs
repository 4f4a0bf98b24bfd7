use super::*;
use crate::deliver::testing::http::Planned;
use crate::deliver::testing::jira::{center, cloud, status};
use crate::deliver::testing::tracker::{Answer, Bench};
use crate::deliver::testing::{CANARY, TIMEOUT, long, now};
use crate::deliver::{NoticeKind, Verdict};
use crate::incident::State;

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
async fn the_official_client_shares_the_issue() {
    for (api, client) in BOTH.into_iter().zip(["jira-cloud", "jira-center"]) {
        bench(api).await.is_shared_with(client).await;
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
async fn jira_cloud_takes_hostile_reports() {
    bench(JiraApi::Cloud).await.takes_hostile_reports().await;
}

#[tokio::test]
async fn a_data_center_takes_hostile_reports() {
    let bench = bench(JiraApi::DataCenter).await;
    bench.takes_hostile_reports().await;
}

#[tokio::test]
async fn what_jira_refuses_says_why() {
    for api in BOTH {
        bench(api).await.judges().await;
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

#[tokio::test]
async fn labels_that_are_not_on_the_screen_are_found_out_before() {
    for api in BOTH {
        let bench = bench(api).await;
        assert_eq!(
            bench.probed().await,
            "tickets can be searched by the marker"
        );
        let usual = if api == JiraApi::Cloud {
            "fields"
        } else {
            "values"
        };
        let bare = json!({ usual: [{ "fieldId": "summary" }] }).to_string();
        // The search and the types of issues come before the fields.
        let before = [Planned::Usual, Planned::Usual];
        bench
            .peer
            .plan(before.into_iter().chain([Planned::from(bare)]));
        assert_eq!(
            bench.probed().await,
            "labels are not on the screen for new issues of this type; put them there"
        );
        let usual = if api == JiraApi::Cloud {
            "issueTypes"
        } else {
            "values"
        };
        let none = json!({ usual: [{ "id": "1", "name": "Story" }] }).to_string();
        bench.peer.plan([Planned::Usual, Planned::from(none)]);
        assert_eq!(
            bench.probed().await,
            "the project has no such `issue_type` that this user may create"
        );
    }
}
