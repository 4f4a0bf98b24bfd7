use super::*;
use crate::deliver::testing::tracker::Bench;
use crate::deliver::testing::{CANARY, TIMEOUT, gitlab, now};
use crate::incident::State;

async fn bench(project: &'static str) -> Bench {
    let build = |url: &str| {
        let config = GitlabConfig {
            url: Secret::new(url),
            token: Some(Secret::new(CANARY)),
            project: project.to_owned(),
            labels: vec!["falco".to_owned(), "security".to_owned()],
            ..GitlabConfig::default()
        };
        config.build(TIMEOUT, &Clock::manual(now())).unwrap()
    };
    Bench::start("#1", gitlab::answer, build).await
}

const BOTH: [&str; 2] = ["acme/sec", "7"];

#[tokio::test]
async fn an_issue_lives_as_its_incident_does() {
    for project in BOTH {
        let mut bench = bench(project).await;
        bench.lives().await;
        let issue = bench.change(|issues| issues[0].clone());
        assert_eq!(issue["notes"].as_array().unwrap().len(), 4);
        assert_eq!(issue["confidential"], true);
    }
}

#[tokio::test]
async fn an_issue_is_found_by_its_label_or_by_its_first_line() {
    for project in BOTH {
        bench(project).await.is_found_again().await;
    }
    let mut bench = bench("7").await;
    bench.send(1, State::Open).await;
    bench.change(|issues| {
        let text = issues[0]["description"].as_str().unwrap();
        issues[0]["description"] = json!(format!("quoted: {text}"));
    });
    bench.forget();
    assert_eq!(bench.send(1, State::Open).await, "created #2");
}

#[tokio::test]
async fn an_issue_with_the_label_stays_closed() {
    let close = |issue: &mut Value| {
        issue["state"] = json!("closed");
        issue["labels"] = json!(["wontfix"]);
    };
    bench("acme/sec").await.stays_closed(close).await;
}

#[tokio::test]
async fn the_official_client_shares_the_issue() {
    for project in BOTH {
        bench(project).await.is_shared_with("gitlab").await;
    }
}

#[tokio::test]
async fn what_gitlab_refuses_says_why() {
    bench("acme/sec").await.judges().await;
    bench("acme/sec").await.takes_hostile_reports().await;
}

#[test]
fn a_project_is_a_number_or_a_path() {
    for (project, fits) in [
        ("7", true),
        ("acme/sub/sec-1.x", true),
        ("", false),
        ("acme//sec", false),
        ("../sec", false),
        ("acme/sec?x", false),
    ] {
        let config = GitlabConfig {
            token: Some(Secret::new(CANARY)),
            project: project.to_owned(),
            ..GitlabConfig::default()
        };
        let built = config.build(TIMEOUT, &Clock::manual(now()));
        assert_eq!(built.is_ok(), fits, "{project}");
    }
}
