use super::*;
use crate::deliver::testing::http::{Planned, Taken};
use crate::deliver::testing::tracker::Bench;
use crate::deliver::testing::{CANARY, TIMEOUT, github, notice, now, peers};
use crate::deliver::{NoticeKind, Verdict};
use crate::incident::State;

async fn bench() -> Bench {
    let build = |url: &str| {
        let config = GithubConfig {
            repository: "acme/sec".to_owned(),
            token: Some(Secret::new(CANARY.to_owned())),
            labels: vec!["security".to_owned()],
            api_url: Some(Secret::new(url)),
            ..GithubConfig::default()
        };
        config.build(TIMEOUT, &Clock::manual(now())).unwrap()
    };
    Bench::start("#1", github::answer, build).await
}

#[tokio::test]
async fn an_issue_lives_as_its_incident_does() {
    let mut bench = bench().await;
    bench.lives().await;
    let issue = bench.change(|issues| issues[0].clone());
    let labels = &issue["labels"];
    let marker = labels[0]["name"].as_str().unwrap();
    assert!(
        issue["body"]
            .as_str()
            .unwrap()
            .starts_with(&format!("<!-- {marker} -->"))
    );
    assert_eq!(labels[1]["name"], "security");
    assert_eq!(issue["said"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_limit_may_be_told_by_403() {
    let bench = bench().await;
    bench.peer.plan([Planned::with(403, "retry-after", "7")]);
    let notice = notice(NoticeKind::Open);
    let error = bench.destination.send(&notice).await.unwrap_err();
    let after = Some(Duration::from_secs(7));
    assert_eq!(error.verdict, Verdict::Retry { after });
}

#[tokio::test]
async fn an_issue_closed_as_not_planned_stays_closed() {
    for reason in ["not_planned", "duplicate"] {
        let close = |issue: &mut Value| {
            issue["state"] = json!("closed");
            issue["state_reason"] = json!(reason);
            issue["closed_at"] = json!(now().to_string());
        };
        bench().await.stays_closed(close).await;
    }
}

#[tokio::test]
async fn an_issue_is_found_by_its_label_or_by_its_first_line_and_no_other() {
    bench().await.is_found_again().await;
    let mut bench = bench().await;
    bench.send(1, State::Open).await;
    bench.change(|issues| issues[0]["labels"] = json!([]));
    bench.forget();
    assert_eq!(bench.send(2, State::Open).await, "commented on T");
    bench.change(|issues| {
        let text = issues[0]["body"].as_str().unwrap();
        issues[0]["body"] = json!(format!("see {text}"));
    });
    bench.forget();
    assert_eq!(bench.send(4, State::Open).await, "created #2");
}

#[tokio::test]
async fn the_official_client_shares_the_issue() {
    bench().await.is_shared_with("github").await;
}

#[tokio::test]
async fn what_is_sent_has_the_types_of_octokit() {
    let mut bench = bench().await;
    bench.lives().await;
    bench.takes_hostile_reports().await;
    let taken = bench.peer.taken();
    let sent = |method: Method, end: &str| -> Vec<Value> {
        let is =
            |taken: &&Taken| taken.parts.method == method && taken.parts.uri.path().ends_with(end);
        taken.iter().filter(is).map(Taken::json).collect()
    };
    let (made, changed, said) = (
        sent(Method::POST, "/issues"),
        sent(Method::PATCH, "/issues/1"),
        sent(Method::POST, "/comments"),
    );
    assert!(made.len() > 450 && changed.len() >= 2 && said.len() >= 4);
    for (kind, bodies, broken) in [
        (
            "github-create",
            &made,
            [("/title", Value::Null), ("/labels", json!("x"))],
        ),
        (
            "github-update",
            &changed,
            [("/state", json!("shut")), ("/state_reason", json!("fixed"))],
        ),
        (
            "github-comment",
            &said,
            [("/body", json!(1)), ("/text", json!("x"))],
        ),
    ] {
        let broken = broken.map(|(place, value)| peers::broken(&bodies[0], place, value));
        peers::takes(kind, bodies, &broken);
    }
}

#[tokio::test]
async fn what_github_refuses_says_why_and_holds_no_secret() {
    bench().await.judges().await;
    for (status, reason, verdict) in [
        (
            401,
            "GitHub does not know the token",
            Verdict::Pause { sure: true },
        ),
        (
            403,
            "GitHub does not let the token write issues",
            Verdict::Forbidden,
        ),
        (
            404,
            "GitHub shows the token no such repository or issue",
            Verdict::Pause { sure: false },
        ),
    ] {
        let bench = bench().await;
        let (peer, github) = (&bench.peer, &bench.destination);
        peer.plan([Planned::status(status, CANARY)]);
        let error = github.send(&notice(NoticeKind::Open)).await.unwrap_err();
        assert_eq!((error.reason.as_str(), error.verdict), (reason, verdict));
        assert!(!format!("{github:?} {error:?}").contains(CANARY));
        assert!(!format!("{github:?} {error:?}").contains(&peer.url));
    }
    for repository in ["", "acme", "acme/sec/x", "acme/s c", "acme/../x"] {
        let config = GithubConfig {
            repository: repository.to_owned(),
            token: Some(Secret::new(CANARY.to_owned())),
            ..GithubConfig::default()
        };
        assert!(
            config.build(TIMEOUT, &Clock::manual(now())).is_err(),
            "{repository}"
        );
    }
}
