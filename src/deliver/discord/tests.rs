use serde_json::json;

use super::*;
use crate::deliver::testing::contract::{self, Keeps};
use crate::deliver::testing::discord::{FakeDiscord, check};
use crate::deliver::testing::http::Planned;
use crate::deliver::testing::{
    CANARY, IMPATIENT, TIMEOUT, hostile_notices, later, long, no_secret, notice, now, opened,
    peers, retried, said_once, send,
};
use crate::deliver::{NoticeKind, Verdict};

fn config(fake: &FakeDiscord) -> DiscordConfig {
    DiscordConfig {
        url: Some(Secret::new(fake.url())),
        ..DiscordConfig::default()
    }
}

fn build(config: &DiscordConfig) -> Discord {
    Discord::from_config(config, TIMEOUT, Clock::manual(now())).unwrap()
}

async fn discord() -> (FakeDiscord, Discord) {
    let fake = FakeDiscord::start().await;
    let discord = build(&config(&fake));
    (fake, discord)
}

#[tokio::test]
async fn an_incident_opens_with_a_head_and_its_details() {
    let (fake, discord) = discord().await;
    let receipt = send(&discord, &notice(NoticeKind::Open)).await.unwrap();
    insta::assert_snapshot!(receipt.remote.unwrap(), @r#"{"place":"9","head":"1000","posted":2,"partial":false}"#);
    insta::assert_json_snapshot!(fake.messages());
}

#[tokio::test]
async fn an_update_edits_the_head_and_says_what_is_new() {
    let (fake, discord) = discord().await;
    let remote = opened(&discord).await;
    let receipt = send(&discord, &later(NoticeKind::Update, remote.clone()))
        .await
        .unwrap();
    assert_eq!(
        (receipt.remote, receipt.detail.as_str()),
        (remote, "edited")
    );
    let messages = fake.messages();
    assert_eq!(messages.len(), 3);
    let head = messages[0]["embeds"][0]["description"].as_str().unwrap();
    assert!(head.contains("seven times"), "{head}");
    let news = messages[2]["content"].as_str().unwrap();
    insta::assert_snapshot!(news, @"7 events from 2026-03-01 10:00:00 to 2026-03-01 10:00:00 UTC · Critical · open");
}

#[tokio::test]
async fn the_end_of_an_incident_says_its_state() {
    let (fake, discord) = discord().await;
    let remote = opened(&discord).await;
    send(&discord, &later(NoticeKind::Close, remote))
        .await
        .unwrap();
    let news = fake.messages().pop().unwrap();
    assert!(
        news["content"]
            .as_str()
            .unwrap()
            .ends_with("Critical · quiet")
    );
}

#[tokio::test]
async fn a_head_that_a_person_deleted_is_posted_anew() {
    let (fake, discord) = discord().await;
    let remote = opened(&discord).await;
    fake.delete_head();
    let receipt = send(&discord, &later(NoticeKind::Update, remote.clone()))
        .await
        .unwrap();
    assert_ne!(receipt.remote, remote);
    insta::assert_snapshot!(receipt.detail, @"posted anew, because the message was gone");
}

#[tokio::test]
async fn a_retry_after_a_rate_limit_says_nothing_twice() {
    let (fake, discord) = discord().await;
    let limit = r#"{"message":"limited","retry_after":1.5,"global":false}"#;
    let limit = Planned::status(429, limit);
    said_once(&discord, &fake.peer, &limit, || fake.messages().len()).await;
    fake.peer.plan([limit]);
    let error = send(&discord, &notice(NoticeKind::Open)).await.unwrap_err();
    let after = Some(Duration::from_millis(1_500));
    assert_eq!(error.verdict, Verdict::Retry { after });
}

#[tokio::test]
async fn what_only_the_settings_mend_fails_with_a_hint() {
    for (status, code, reason) in [
        (
            404,
            10_015,
            "discord answered 404 10015: the webhook was deleted",
        ),
        (
            401,
            50_027,
            "discord answered 401 50027: the webhook's token is not valid",
        ),
        (
            404,
            10_003,
            "discord answered 404 10003: the channel or thread is gone",
        ),
        (
            400,
            220_001,
            "discord answered 400 220001: a forum channel needs `thread_id`",
        ),
        (403, 50_013, "discord answered 403 50013"),
        (404, 0, "the destination answered 404"),
    ] {
        let (fake, discord) = discord().await;
        fake.refuse(status, code);
        let error = send(&discord, &notice(NoticeKind::Open)).await.unwrap_err();
        // Discord's own code says which it is.
        let verdict = match code {
            50_013 => Verdict::Forbidden,
            code => Verdict::Pause { sure: code != 0 },
        };
        assert_eq!((error.verdict, error.reason.as_str()), (verdict, reason));
    }
}

#[tokio::test]
async fn refused_content_is_for_a_plainer_message_and_outages_are_retried() {
    let (fake, discord) = discord().await;
    fake.refuse(400, 50_035);
    let error = send(&discord, &notice(NoticeKind::Open)).await.unwrap_err();
    assert_eq!(error.verdict, Verdict::Unacceptable);
    for planned in [
        Planned::status(500, CANARY),
        Planned::status(408, ""),
        Planned::status(425, ""),
        Planned::with(429, "retry-after", "3"),
        Planned::status(200, "<html>"),
    ] {
        fake.peer.plan([planned]);
        let error = send(&discord, &notice(NoticeKind::Open)).await.unwrap_err();
        assert!(retried(&error), "{error:?}");
    }
}

#[tokio::test]
async fn no_answer_in_time_is_retried() {
    let fake = FakeDiscord::start().await;
    fake.peer.plan([Planned::Hang]);
    let discord = Discord::from_config(&config(&fake), IMPATIENT, Clock::manual(now())).unwrap();
    let error = send(&discord, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(retried(&error));
}

#[tokio::test]
async fn a_thread_of_the_channel_is_named_in_posts_and_edits() {
    let fake = FakeDiscord::start().await;
    let discord = build(&DiscordConfig {
        thread_id: Some("42".to_owned()),
        ..config(&fake)
    });
    let remote = opened(&discord).await;
    send(&discord, &later(NoticeKind::Update, remote))
        .await
        .unwrap();
    for taken in fake.peer.taken() {
        assert_eq!(taken.parts.uri.query(), Some("wait=true&thread_id=42"));
    }
}

#[tokio::test]
async fn no_text_of_an_event_is_more_than_text() {
    let (_, discord) = discord().await;
    for notice in hostile_notices(NoticeKind::Open) {
        for message in discord.report(&notice) {
            let title = &notice.report.title;
            check(&message).unwrap_or_else(|wrong| panic!("{title:?}: {wrong} {message}"));
        }
    }
}

#[tokio::test]
async fn the_types_and_limits_of_discord_js_take_every_message() {
    let (_, discord) = discord().await;
    let mut messages = Vec::new();
    for kind in [NoticeKind::Open, NoticeKind::Close] {
        for notice in hostile_notices(kind).chain([notice(kind), long(kind)]) {
            messages.extend(discord.report(&notice));
            messages.push(discord.news(&notice));
        }
    }
    let embed = |length: usize| json!({ "description": "x".repeat(length) });
    let broken = [
        ("/embeds", json!([embed(4_097)])),
        ("/embeds", json!([embed(3_001), embed(3_000)])),
        ("/embeds", json!(vec![embed(1); 11])),
        ("/embeds/0/description", json!("")),
        ("/embeds/0/color", json!(0x0100_0000)),
        ("/embeds/0/color", json!("red")),
        ("/embeds/0/colour", json!(1)),
        ("/content", json!("x".repeat(2_001))),
        ("/contents", json!("x")),
        ("/allowed_mentions/parse", json!(["all"])),
    ];
    let broken = broken.map(|(place, value)| peers::broken(&messages[0], place, value));
    peers::takes("discord", &messages, &broken);
}

#[test]
fn a_wrong_section_is_refused_without_its_secrets() {
    let refused = |url: Option<&str>, thread_id: Option<&str>| {
        let config = DiscordConfig {
            url: url.map(|url| Secret::new(format!("{url}{CANARY}"))),
            thread_id: thread_id.map(str::to_owned),
            ..DiscordConfig::default()
        };
        let error = Discord::from_config(&config, TIMEOUT, Clock::manual(now())).unwrap_err();
        no_secret(&format!("{error} {error:?} {config:?}"));
        error.to_string()
    };
    insta::assert_snapshot!(refused(None, None), @"set one of `url`, `url_env` or `url_file`");
    insta::assert_snapshot!(refused(Some("ftp://"), None), @"discord: `url` must be an http or https address");
    insta::assert_snapshot!(refused(Some("https://discord.com/"), Some("general")), @"discord: `thread_id` is a number, in quotes");
}

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    let (fake, discord) = discord().await;
    let standing = || contract::titled(fake.messages());
    let limit = || contract::limit(&fake.peer);
    contract::lives(&discord, Keeps::OneOrAnother, limit, standing).await;
}
