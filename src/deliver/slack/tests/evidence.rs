use super::*;
use crate::event::Priority;

#[tokio::test]
async fn the_event_of_a_critical_incident_is_a_file_in_its_thread_once() {
    let (slack, bot) = bot().await;
    let opening = notice(NoticeKind::Open);
    let remote = send(&bot, &opening).await.unwrap().remote;
    let update = later(NoticeKind::Update, remote);
    send(&bot, &update).await.unwrap();
    let thread = Some("1700000000.000001".to_owned());
    assert_eq!(slack.files(), [(thread, opening.event)]);
}

#[tokio::test]
async fn less_than_critical_is_no_file_and_neither_is_what_is_too_large() {
    let (slack, bot) = bot().await;
    let mut less = notice(NoticeKind::Open);
    less.incident.severity = Priority::Error;
    let mut large = notice(NoticeKind::Open);
    large.event = vec![b'x'; 2 << 20];
    for notice in [less, large] {
        send(&bot, &notice).await.unwrap();
    }
    assert!(slack.files().is_empty());
}

#[tokio::test]
async fn a_file_that_is_not_taken_costs_no_message_and_is_tried_again() {
    let (slack, bot) = bot().await;
    slack.refuse_files();
    let receipt = send(&bot, &notice(NoticeKind::Open)).await.unwrap();
    insta::assert_snapshot!(
        receipt.detail,
        @"posted to C024BE91L; the event is not attached: slack answered missing_scope: add the scope (chat:write, files:write for files) and install anew"
    );
    assert_eq!(slack.messages().len(), 2);
    assert!(receipt.remote.unwrap().contains(r#""attached":false"#));
}

#[tokio::test]
async fn an_event_is_not_uploaded_without_tls_to_a_place_that_is_not_slack() {
    let (slack, bot) = bot().await;
    let elsewhere = FakeSlack::start().await;
    let answer = json!({
        "ok": true, "upload_url": format!("{}/upload/F1", elsewhere.peer.url), "file_id": "F1",
    });
    // The head and its detail come first.
    slack.peer.plan([
        Planned::Usual,
        Planned::Usual,
        Planned::from(answer.to_string()),
    ]);
    let receipt = send(&bot, &notice(NoticeKind::Open)).await.unwrap();
    assert!(
        receipt.detail.contains("a place without TLS"),
        "{}",
        receipt.detail
    );
    assert_eq!(elsewhere.peer.calls(), 0);
}
