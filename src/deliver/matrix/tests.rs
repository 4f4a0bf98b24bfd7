use super::*;
use crate::deliver::testing::contract::{self, Keeps};
use crate::deliver::testing::http::Planned;
use crate::deliver::testing::matrix::{FakeMatrix, check};
use crate::deliver::testing::{
    CANARY, IMPATIENT, TIMEOUT, hostile_notices, later, long, no_secret, notice, now, opened,
    retried, said_once, send,
};
use crate::deliver::{NoticeKind, Verdict};

fn config(fake: &FakeMatrix) -> MatrixConfig {
    MatrixConfig {
        homeserver: format!("{}/", fake.peer.url),
        token: Some(Secret::new(CANARY)),
        room: "!room:example.com".to_owned(),
        ..MatrixConfig::default()
    }
}

fn build(config: &MatrixConfig) -> Matrix {
    Matrix::from_config(config, TIMEOUT, Clock::manual(now())).unwrap()
}

async fn matrix() -> (FakeMatrix, Matrix) {
    let fake = FakeMatrix::start().await;
    let matrix = build(&config(&fake));
    (fake, matrix)
}

#[tokio::test]
async fn an_incident_opens_with_a_head_and_its_details_in_a_thread() {
    let (fake, matrix) = matrix().await;
    opened(&matrix).await;
    insta::assert_json_snapshot!(fake.messages());
}

#[tokio::test]
async fn an_update_replaces_the_head_and_says_in_the_thread_what_is_new() {
    let (fake, matrix) = matrix().await;
    let remote = opened(&matrix).await;
    let receipt = send(&matrix, &later(NoticeKind::Update, remote.clone()))
        .await
        .unwrap();
    assert_eq!(
        (receipt.remote, receipt.detail.as_str()),
        (remote, "edited")
    );
    let messages = fake.messages();
    assert_eq!(messages.len(), 3);
    assert!(
        messages[0]["body"]
            .as_str()
            .unwrap()
            .contains("seven times")
    );
    assert_eq!(messages[2]["m.relates_to"]["event_id"], "$0000");
    insta::assert_snapshot!(
        messages[2]["body"].as_str().unwrap(),
        @"7 events from 2026-03-01 10:00:00 to 2026-03-01 10:00:00 UTC · Critical · open"
    );
}

#[tokio::test]
async fn the_end_of_an_incident_says_its_state() {
    let (fake, matrix) = matrix().await;
    let remote = opened(&matrix).await;
    send(&matrix, &later(NoticeKind::Close, remote))
        .await
        .unwrap();
    let news = fake.messages().pop().unwrap();
    assert!(news["body"].as_str().unwrap().ends_with("Critical · quiet"));
}

#[tokio::test]
async fn a_head_that_was_redacted_or_is_unknown_is_posted_anew() {
    for vanish in [FakeMatrix::redact_head, FakeMatrix::forget_head] {
        let (fake, matrix) = matrix().await;
        let remote = opened(&matrix).await;
        vanish(&fake);
        let receipt = send(&matrix, &later(NoticeKind::Update, remote.clone()))
            .await
            .unwrap();
        assert_ne!(receipt.remote, remote);
        insta::allow_duplicates! {
            insta::assert_snapshot!(receipt.detail, @"posted anew, because the message was gone");
        }
    }
}

#[tokio::test]
async fn a_retry_after_a_rate_limit_says_nothing_twice() {
    let (fake, matrix) = matrix().await;
    let limit = r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2500}"#;
    let limit = Planned::status(429, limit);
    said_once(&matrix, &fake.peer, &limit, || fake.messages().len()).await;
    fake.peer.plan([limit]);
    let error = send(&matrix, &notice(NoticeKind::Open)).await.unwrap_err();
    let after = Some(Duration::from_millis(2_500));
    assert_eq!(error.verdict, Verdict::Retry { after });
    insta::assert_snapshot!(error.reason, @"matrix answered 429 M_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn what_is_sent_again_because_the_answer_was_lost_stands_once() {
    let (fake, matrix) = matrix().await;
    let remote = opened(&matrix).await;
    opened(&matrix).await;
    let update = later(NoticeKind::Update, remote);
    send(&matrix, &update).await.unwrap();
    let mut again = update.clone();
    again.report.markdown = again.report.markdown.replace("seven", "eight");
    send(&matrix, &again).await.unwrap();
    let messages = fake.messages();
    assert_eq!(messages.len(), 3);
    // The head is as current as the last attempt.
    assert!(
        messages[0]["body"]
            .as_str()
            .unwrap()
            .contains("eight times")
    );
}

#[tokio::test]
async fn a_message_that_is_too_large_is_sent_once_more_as_its_beginning() {
    let (fake, matrix) = matrix().await;
    fake.take_at_most(5_000);
    let receipt = send(&matrix, &long(NoticeKind::Open)).await.unwrap();
    let mut update = long(NoticeKind::Update);
    update.remote = receipt.remote;
    send(&matrix, &update).await.unwrap();
    assert!(fake.messages()[1].get("formatted_body").is_none());
    fake.take_at_most(10);
    let mut other = long(NoticeKind::Open);
    other.key = "other".to_owned();
    let error = send(&matrix, &other).await.unwrap_err();
    assert_eq!(error.verdict, Verdict::Unacceptable);
}

#[tokio::test]
async fn every_event_is_within_the_limit_of_servers() {
    let (_, matrix) = matrix().await;
    let mut notice = long(NoticeKind::Open);
    notice.report.markdown = notice.report.markdown.replace('x', "\"<é");
    for content in matrix.report(&notice) {
        let edit = replacing(&content, "$0000").to_string();
        assert!(edit.len() < 60_000, "{}", edit.len());
    }
}

#[tokio::test]
async fn refused_credentials_fail_without_a_secret_and_outages_are_retried() {
    let (fake, _) = matrix().await;
    let wrong = MatrixConfig {
        token: Some(Secret::new("other")),
        ..config(&fake)
    };
    let error = send(&build(&wrong), &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert_eq!(error.verdict, Verdict::Pause { sure: true });
    insta::assert_snapshot!(error.reason, @"matrix answered 401 M_UNKNOWN_TOKEN");
    let elsewhere = MatrixConfig {
        room: "!other:example.com".to_owned(),
        ..config(&fake)
    };
    let error = send(&build(&elsewhere), &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert_eq!(error.verdict, Verdict::Forbidden);
    insta::assert_snapshot!(error.reason, @"matrix answered 403 M_FORBIDDEN");
    let (fake, matrix) = matrix().await;
    for (status, body, again) in [
        (500, CANARY, true),
        (408, "", true),
        (425, "", true),
        (200, "<html>", true),
        (404, CANARY, false),
        (410, "", false),
        (302, "", false),
    ] {
        fake.peer.plan([Planned::status(status, body)]);
        let error = send(&matrix, &notice(NoticeKind::Open)).await.unwrap_err();
        assert_eq!(retried(&error), again, "{status}");
    }
}

#[tokio::test]
async fn no_answer_in_time_is_retried() {
    let fake = FakeMatrix::start().await;
    fake.peer.plan([Planned::Hang]);
    let matrix = Matrix::from_config(&config(&fake), IMPATIENT, Clock::manual(now())).unwrap();
    let error = send(&matrix, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(retried(&error));
}

#[tokio::test]
async fn no_text_of_an_event_is_more_than_text() {
    let (_, matrix) = matrix().await;
    for notice in hostile_notices(NoticeKind::Open) {
        for content in matrix.report(&notice) {
            let title = &notice.report.title;
            check(&content).unwrap_or_else(|wrong| panic!("{title:?}: {wrong} {content}"));
        }
    }
}

#[test]
fn a_wrong_section_is_refused_without_its_secrets() {
    let refused = |homeserver: &str, token: Option<&str>, room: &str| {
        let config = MatrixConfig {
            homeserver: homeserver.to_owned(),
            token: token.map(Secret::new),
            room: room.to_owned(),
            ..MatrixConfig::default()
        };
        let error = Matrix::from_config(&config, TIMEOUT, Clock::manual(now())).unwrap_err();
        no_secret(&format!("{error} {error:?} {config:?}"));
        error.to_string()
    };
    let token = Some(CANARY);
    insta::assert_snapshot!(refused("", token, "!r:x"), @"matrix: `homeserver` must be an http or https address");
    insta::assert_snapshot!(refused("https://x.example", token, "#r:x"), @"matrix: `room` is the room's id, which begins with `!`");
    insta::assert_snapshot!(refused("https://x.example", None, "!r:x"), @"set one of `token`, `token_env` or `token_file`");
}

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    let (fake, matrix) = matrix().await;
    let standing = || contract::titled(fake.messages());
    let limit = || contract::limit(&fake.peer);
    contract::lives(&matrix, Keeps::One, limit, standing).await;
}
