mod fakes;

use std::time::Duration;

use serde_json::json;

use fakes::{FakeZammad, Ticket, linear};

use super::super::WebhookConfig;
use super::*;
use crate::clock::Clock;
use crate::deliver::testing::http::{Peer, Planned};
use crate::deliver::testing::{CANARY, IMPATIENT, TIMEOUT, notice, now, retried, send};
use crate::deliver::{NoticeKind, Verdict};
use crate::incident::State;
use crate::secret::Secret;

fn config(peer: &Peer, preset: &str, params: &[(&str, &str)], token: bool) -> WebhookConfig {
    let params = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)));
    WebhookConfig {
        url: Some(Secret::new(format!("{}/base/?key={CANARY}", peer.url))),
        preset: Some(preset.to_owned()),
        params: params.collect(),
        token: token.then(|| Secret::new(CANARY)),
        ..WebhookConfig::default()
    }
}

fn build(config: &WebhookConfig, timeout: Duration) -> Webhook {
    Webhook::from_config(config, timeout, Clock::manual(now())).unwrap()
}

/// Sends a notice for each state, each with what was remembered of the one before.
async fn live(webhook: &Webhook, states: &[State]) {
    let mut remote = None;
    for (number, state) in states.iter().enumerate() {
        let mut notice = notice(match (number, state) {
            (0, _) => NoticeKind::Open,
            (_, State::Quiet | State::Closed) => NoticeKind::Close,
            _ => NoticeKind::Update,
        });
        notice.incident.state = *state;
        notice.remote = remote;
        remote = send(webhook, &notice).await.unwrap().remote;
    }
}

const LIFE: [State; 5] = [
    State::Open,
    State::Open,
    State::Acknowledged,
    State::Quiet,
    State::Open,
];

#[tokio::test]
async fn an_incident_is_one_ticket_through_its_whole_life() {
    let fake = FakeZammad::start().await;
    let webhook = fake.webhook(TIMEOUT);
    live(&webhook, &LIFE[..4]).await;
    assert_eq!(fake.tickets()[0].state, "closed");
    live(&webhook, &LIFE).await;
    let tickets = fake.tickets();
    // The second life found the ticket of the first by its uid.
    assert_eq!((tickets.len(), tickets[0].articles), (1, 9));
    assert_eq!(tickets[0].state, "open");
}

#[tokio::test]
async fn a_ticket_whose_answer_was_lost_is_found_and_not_made_twice() {
    let fake = FakeZammad::start().await;
    // What the search finds at first is another's.
    let other = Ticket {
        title: "other".to_owned(),
        state: "new".to_owned(),
        articles: 1,
    };
    fake.tickets.lock().unwrap().push(other.clone());
    let mut notice = notice(NoticeKind::Open);
    send(&fake.webhook(TIMEOUT), &notice).await.unwrap();
    assert_eq!(fake.tickets().len(), 2);
    notice.remote = None;
    let receipt = send(&fake.webhook(TIMEOUT), &notice).await.unwrap();
    assert_eq!(receipt.remote.as_deref(), Some("2"));
    assert_eq!((fake.tickets().len(), &fake.tickets()[0]), (2, &other));
}

#[tokio::test]
async fn a_retry_after_429_or_silence_makes_one_ticket() {
    let fake = FakeZammad::start().await;
    let found = Planned::status(200, "[]");
    fake.peer.plan([
        found.clone(),
        Planned::with(429, "retry-after", "7"),
        found,
        Planned::Hang,
    ]);
    let notice = notice(NoticeKind::Open);
    let error = send(&fake.webhook(TIMEOUT), &notice).await.unwrap_err();
    let after = Some(Duration::from_secs(7));
    assert_eq!(error.verdict, Verdict::Retry { after });
    let error = send(&fake.webhook(IMPATIENT), &notice).await.unwrap_err();
    assert!(retried(&error));
    send(&fake.webhook(TIMEOUT), &notice).await.unwrap();
    assert_eq!(fake.tickets().len(), 1);
    let taken = fake.peer.taken();
    assert!(
        taken
            .iter()
            .all(|taken| taken.parts.headers["webhook-id"] == notice.key.as_str())
    );
}

#[tokio::test]
async fn a_ticket_that_was_deleted_is_made_anew_unless_the_incident_is_over() {
    let fake = FakeZammad::start().await;
    let webhook = fake.webhook(TIMEOUT);
    live(&webhook, &LIFE[..1]).await;
    fake.tickets.lock().unwrap()[0].state = "deleted".to_owned();
    let mut update = notice(NoticeKind::Update);
    update.remote = Some("1".to_owned());
    assert_eq!(
        send(&webhook, &update).await.unwrap().remote.as_deref(),
        Some("2")
    );
    let mut close = notice(NoticeKind::Close);
    close.remote = Some("1".to_owned());
    let error = send(&webhook, &close).await.unwrap_err();
    assert_eq!((error.verdict, fake.tickets().len()), (Verdict::Fail, 2));
}

#[tokio::test]
async fn what_ended_before_it_was_told_is_a_closed_ticket() {
    let fake = FakeZammad::start().await;
    live(&fake.webhook(TIMEOUT), &[State::Quiet]).await;
    assert_eq!(
        (fake.tickets()[0].state.as_str(), fake.tickets()[0].articles),
        ("closed", 2)
    );
}

#[tokio::test]
async fn an_incident_is_one_issue_in_linear_whose_state_follows_it() {
    let peer = Peer::replying(linear).await;
    let params = [("team", "T1"), ("done_state", "S9"), ("open_state", "S1")];
    live(
        &build(&config(&peer, "linear", &params, true), TIMEOUT),
        &LIFE,
    )
    .await;
    let states: Vec<_> = peer
        .taken()
        .iter()
        .map(|taken| taken.json()["variables"]["u"]["stateId"].clone())
        .collect();
    // Find, create, then: grown, acknowledged, quiet, back.
    assert_eq!(json!(states), json!([null, null, "S1", null, "S9", "S1"]));
}

#[tokio::test]
async fn linear_says_in_the_body_what_went_wrong() {
    let peer = Peer::replying(linear).await;
    let webhook = build(&config(&peer, "linear", &[("team", "T2")], true), TIMEOUT);
    let error = send(&webhook, &notice(NoticeKind::Open)).await.unwrap_err();
    assert_eq!(error.verdict, Verdict::Unacceptable);
    let limited =
        json!({ "errors": [{ "message": CANARY, "extensions": { "code": "RATELIMITED" } }] });
    peer.plan([Planned::status(400, &limited.to_string())]);
    assert!(retried(
        &send(&webhook, &notice(NoticeKind::Open)).await.unwrap_err()
    ));
}

#[tokio::test]
async fn push_services_get_a_message_for_each_notice() {
    for (preset, params, token, path, answer) in [
        (
            "ntfy",
            vec![("topic", "falco")],
            true,
            "/base/",
            "{\"id\":\"x\"}",
        ),
        ("gotify", vec![], true, "/base/message", "{\"id\":1}"),
        (
            "apprise",
            vec![("key", "soc")],
            false,
            "/base/notify/soc",
            "ok",
        ),
        ("rocketchat", vec![], false, "/base/", "{\"success\":true}"),
    ] {
        let peer = Peer::answering(move |_| answer.to_owned()).await;
        let webhook = build(&config(&peer, preset, &params, token), TIMEOUT);
        peer.plan([Planned::status(503, CANARY)]);
        assert!(retried(
            &send(&webhook, &notice(NoticeKind::Open)).await.unwrap_err()
        ));
        live(&webhook, &LIFE).await;
        let taken = peer.taken();
        assert_eq!(taken.len(), 6, "{preset}");
        assert_eq!(taken[0].body, taken[1].body, "{preset}");
        assert!(
            taken.iter().all(|taken| taken.parts.uri.path() == path),
            "{preset}"
        );
        assert!(
            taken
                .iter()
                .all(|taken| taken.parts.headers["content-type"] == "application/json")
        );
    }
}

#[tokio::test]
async fn answers_are_judged_by_the_preset() {
    for (preset, params, status, body, expected) in [
        (
            "rocketchat",
            vec![],
            200,
            "{\"success\":false}",
            "unacceptable",
        ),
        ("rocketchat", vec![], 200, CANARY, "unacceptable"),
        ("apprise", vec![("key", "soc")], 204, "", "fail"),
        ("apprise", vec![("key", "soc")], 424, CANARY, "retry"),
        ("ntfy", vec![("topic", "t")], 400, CANARY, "unacceptable"),
        ("ntfy", vec![("topic", "t")], 401, CANARY, "fail"),
        ("ntfy", vec![("topic", "t")], 403, CANARY, "fail"),
        ("ntfy", vec![("topic", "t")], 404, CANARY, "fail"),
        ("ntfy", vec![("topic", "t")], 410, CANARY, "fail"),
        ("ntfy", vec![("topic", "t")], 408, CANARY, "retry"),
        ("ntfy", vec![("topic", "t")], 425, CANARY, "retry"),
        ("ntfy", vec![("topic", "t")], 500, CANARY, "retry"),
    ] {
        let peer = Peer::start().await;
        peer.plan([Planned::status(status, body)]);
        let webhook = build(&config(&peer, preset, &params, false), TIMEOUT);
        let outcome = match send(&webhook, &notice(NoticeKind::Open)).await {
            Ok(_) => "sent",
            Err(error) if retried(&error) => "retry",
            Err(error) if error.verdict == Verdict::Unacceptable => "unacceptable",
            Err(_) => "fail",
        };
        assert_eq!(outcome, expected, "{preset} {status}");
    }
}

#[tokio::test]
async fn no_answer_makes_an_id_more_than_an_id() {
    for id in [
        json!("../../users"),
        json!("a?b"),
        json!(""),
        json!(["1"]),
        json!("x".repeat(300)),
    ] {
        let fake = FakeZammad::start().await;
        let created = json!({ "id": id }).to_string();
        fake.peer
            .plan([Planned::status(200, "[]"), Planned::status(201, &created)]);
        let error = send(&fake.webhook(TIMEOUT), &notice(NoticeKind::Open))
            .await
            .unwrap_err();
        assert_eq!(error.verdict, Verdict::Fail, "{id}");
    }
}

#[test]
fn a_path_and_a_query_are_put_behind_those_of_the_address() {
    for (base, path, whole) in [
        ("https://a/hooks/x", "", "https://a/hooks/x"),
        ("https://a", "/b", "https://a/b"),
        ("https://a/", "/b?c=1", "https://a/b?c=1"),
        ("https://a/?k=1", "/b?c=1", "https://a/b?k=1&c=1"),
        ("https://a/x?k=1", "", "https://a/x?k=1"),
        ("https://a/x", "?c=1", "https://a/x?c=1"),
    ] {
        assert_eq!(address(base, path), whole);
    }
}

#[tokio::test]
async fn a_preset_of_the_site_is_read_from_its_file_and_a_wrong_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pager.yaml");
    std::fs::write(
        &file,
        "create: { path: /own, body: '[{{ report.line }}, {{ link }}]' }\n",
    )
    .unwrap();
    let peer = Peer::start().await;
    let section = |file: &std::path::Path| WebhookConfig {
        preset: None,
        preset_file: Some(file.to_owned()),
        ..config(&peer, "", &[], false)
    };
    // No link is null, which is JSON.
    send(&build(&section(&file), TIMEOUT), &notice(NoticeKind::Open))
        .await
        .unwrap();
    assert_eq!(
        peer.taken()[0].json()[0],
        "Terminal shell in container on node-1"
    );
    let refused = |config: &WebhookConfig| {
        let result = Webhook::from_config(config, TIMEOUT, Clock::manual(now()));
        let error = result.unwrap_err().to_string();
        assert!(!error.contains(CANARY) && !format!("{config:?}").contains(CANARY));
        error.replace(folder.path().to_str().unwrap(), "DIR")
    };
    std::fs::write(&file, "create: { body: '{{ report.titel }}' }\n").unwrap();
    let error = refused(&section(&file));
    assert!(
        error.starts_with("webhook: preset_file DIR/pager.yaml: create.body: undefined"),
        "{error}"
    );
    std::fs::write(&file, "create:\n  bodi: x\n").unwrap();
    let error = refused(&section(&file));
    assert!(
        error.starts_with("webhook: preset_file DIR/pager.yaml: ") && error.contains("line 2"),
        "{error}"
    );
    let with = |change: &dyn Fn(&mut WebhookConfig)| {
        let mut section = config(&peer, "ntfy", &[("topic", CANARY)], true);
        change(&mut section);
        refused(&section)
    };
    insta::assert_snapshot!(with(&|c| c.preset = Some("pigeon".to_owned())), @"webhook: preset `pigeon`: there is none; there are apprise, gotify, linear, ntfy, rocketchat, zammad");
    insta::assert_snapshot!(with(&|c| c.preset_file = Some(file.clone())), @"webhook: set only one of `preset` and `preset_file`");
    insta::assert_snapshot!(with(&|c| c.body = Some("1".to_owned())), @"webhook: a preset has its own `method`, `body` and `success`");
    insta::assert_snapshot!(with(&|c| c.preset = None), @"webhook: `params` and `token` are for a `preset`");
    insta::assert_snapshot!(with(&|c| c.params.clear()), @"webhook: preset `ntfy`: it needs `params.topic`");
}
