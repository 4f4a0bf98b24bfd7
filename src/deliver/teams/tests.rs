use serde_json::json;

use super::*;
use crate::deliver::testing::contract::{self, Keeps};
use crate::deliver::testing::http::{Peer, Planned};
use crate::deliver::testing::teams::{FakeTeams, check};
use crate::deliver::testing::{
    CANARY, IMPATIENT, TIMEOUT, hostile_notices, long, notice, now, peers, retried, send,
};
use crate::deliver::{Verdict, testing};

fn config(peer: &Peer) -> TeamsConfig {
    let url = format!("{}/workflows/1/triggers/manual?sig={CANARY}", peer.url);
    TeamsConfig {
        url: Some(Secret::new(url)),
        ..TeamsConfig::default()
    }
}

async fn teams() -> (FakeTeams, Teams) {
    let fake = FakeTeams::start().await;
    let teams = Teams::from_config(&config(&fake.peer), TIMEOUT, Clock::manual(now())).unwrap();
    (fake, teams)
}

#[tokio::test]
async fn an_incident_opens_with_the_whole_report() {
    let (fake, teams) = teams().await;
    let receipt = send(&teams, &notice(NoticeKind::Open)).await.unwrap();
    assert_eq!(receipt.remote, None);
    insta::assert_snapshot!(receipt.detail, @"the flow answered 202");
    let texts = fake.texts();
    for part in [
        "Terminal shell in container on node-1",
        "What happened",
        "bash -c id",
        "Look.",
    ] {
        assert!(texts[0].contains(part), "{part}: {texts:?}");
    }
}

#[tokio::test]
async fn an_update_and_the_end_are_new_messages_with_news_and_head() {
    let (fake, teams) = teams().await;
    for kind in [NoticeKind::Open, NoticeKind::Update, NoticeKind::Close] {
        send(&teams, &notice(kind)).await.unwrap();
    }
    let texts = fake.texts();
    assert_eq!(texts.len(), 3);
    insta::assert_snapshot!(texts[1], @r"
    Terminal shell in container on node-1
    2 events from 2026-03-01 10:00:00 to 2026-03-01 10:00:00 UTC · Critical · open
    Critical on node-1, twice.
    ");
    assert!(texts[2].contains("Critical · quiet"), "{}", texts[2]);
}

#[tokio::test]
async fn a_card_that_is_too_large_is_sent_shorter_and_then_as_its_head() {
    let (fake, teams) = teams().await;
    let mut sizes = Vec::new();
    for room in [21_000, 11_000, 6_000] {
        fake.take_at_most(room);
        send(&teams, &long(NoticeKind::Open)).await.unwrap();
        sizes.push(fake.texts().pop().unwrap().len());
    }
    assert_eq!(fake.peer.calls(), 1 + 2 + 3);
    assert!(sizes[0] > sizes[1] && sizes[1] > sizes[2], "{sizes:?}");
    fake.take_at_most(1);
    let error = send(&teams, &long(NoticeKind::Open)).await.unwrap_err();
    assert_eq!(error.verdict, Verdict::Unacceptable);
}

#[tokio::test]
async fn a_rate_limit_is_kept_and_then_said_once() {
    let (fake, teams) = teams().await;
    fake.peer.plan([Planned::with(429, "retry-after", "9")]);
    let error = send(&teams, &notice(NoticeKind::Open)).await.unwrap_err();
    let after = Some(Duration::from_secs(9));
    assert_eq!(error.verdict, Verdict::Retry { after });
    send(&teams, &notice(NoticeKind::Open)).await.unwrap();
    assert_eq!(fake.texts().len(), 1);
}

#[tokio::test]
async fn refused_credentials_fail_and_passing_errors_are_retried() {
    for (status, again) in [
        (401, false),
        (403, false),
        (404, false),
        (410, false),
        (302, false),
        (400, false),
        (408, true),
        (425, true),
        (500, true),
        (502, true),
    ] {
        let (fake, teams) = teams().await;
        fake.peer.plan([Planned::status(status, CANARY)]);
        let error = send(&teams, &notice(NoticeKind::Open)).await.unwrap_err();
        assert_eq!(retried(&error), again, "{status}");
    }
}

#[tokio::test]
async fn no_answer_in_time_is_retried() {
    let peer = Peer::start().await;
    peer.plan([Planned::Hang]);
    let teams = Teams::from_config(&config(&peer), IMPATIENT, Clock::manual(now())).unwrap();
    let error = send(&teams, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(retried(&error));
}

#[test]
fn no_text_of_an_event_is_more_than_text() {
    for kind in [NoticeKind::Open, NoticeKind::Close] {
        for notice in hostile_notices(kind) {
            for card in requests(&notice) {
                let title = &notice.report.title;
                check(&card).unwrap_or_else(|wrong| panic!("{title:?}: {wrong}"));
            }
        }
    }
}

#[test]
fn the_library_of_adaptive_cards_takes_every_card() {
    let kinds = [NoticeKind::Open, NoticeKind::Close];
    let notices = kinds.map(|kind| hostile_notices(kind).chain([notice(kind), long(kind)]));
    let notices = notices.into_iter().flatten();
    let cards: Vec<_> = notices.flat_map(|notice| requests(&notice)).collect();
    let body = "/attachments/0/content/body/0";
    let break_it = |place: &str, value| peers::broken(&cards[0], &format!("{body}/{place}"), value);
    let broken = [
        break_it("type", json!("RichTextBlok")),
        break_it("inlines/0/type", json!("TextWalk")),
        break_it("inlines/0/weight", json!("fat")),
        break_it("inlines/0/colour", json!("red")),
        break_it("inlines/0/selectAction", json!({ "type": "Action.Open" })),
    ];
    peers::takes("teams", &cards, &broken);
}

#[test]
fn a_wrong_section_is_refused_without_its_secrets() {
    let refused = |url: Option<&str>| {
        let config = TeamsConfig {
            url: url.map(|url| Secret::new(format!("{url}{CANARY}"))),
            ..TeamsConfig::default()
        };
        let error = Teams::from_config(&config, TIMEOUT, Clock::manual(now())).unwrap_err();
        testing::no_secret(&format!("{error} {error:?} {config:?}"));
        error.to_string()
    };
    insta::assert_snapshot!(refused(None), @"set one of `url`, `url_env` or `url_file`");
    insta::assert_snapshot!(refused(Some("file:///")), @"teams: `url` must be an http or https address");
}

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    let (fake, teams) = teams().await;
    let standing = || contract::titled(fake.texts());
    let limit = || contract::limit(&fake.peer);
    contract::lives(&teams, Keeps::Each, limit, standing).await;
}
