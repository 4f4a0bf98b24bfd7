use super::*;
use crate::deliver::testing::contract::{self, Keeps};
use crate::deliver::testing::http::Planned;
use crate::deliver::testing::telegram::{FakeTelegram, GROUP, SUPERGROUP, check, refusal};
use crate::deliver::testing::{
    CANARY, IMPATIENT, TIMEOUT, hostile_notices, later, no_secret, notice, now, opened, retried,
    said_once, send,
};
use crate::deliver::{NoticeKind, Verdict};

fn config(fake: &FakeTelegram) -> TelegramConfig {
    TelegramConfig {
        token: Some(Secret::new(format!("1:{CANARY}"))),
        chat_id: Some(ChatId::Number(GROUP)),
        api_url: Some(fake.peer.url.clone()),
        ..TelegramConfig::default()
    }
}

fn build(config: &TelegramConfig) -> Telegram {
    Telegram::from_config(config, TIMEOUT, Clock::manual(now())).unwrap()
}

async fn telegram() -> (FakeTelegram, Telegram) {
    let fake = FakeTelegram::start().await;
    let telegram = build(&config(&fake));
    (fake, telegram)
}

#[tokio::test]
async fn an_incident_opens_with_a_head_and_its_details_as_an_answer() {
    let (fake, telegram) = telegram().await;
    let remote = opened(&telegram).await.unwrap();
    assert_eq!(
        remote,
        r#"{"place":"-42","head":"1","posted":2,"partial":false}"#
    );
    insta::assert_json_snapshot!(fake.messages());
}

#[tokio::test]
async fn an_update_edits_the_head_and_answers_it_with_what_is_new() {
    let (fake, telegram) = telegram().await;
    let remote = opened(&telegram).await;
    let receipt = send(&telegram, &later(NoticeKind::Update, remote.clone()))
        .await
        .unwrap();
    assert_eq!(
        (receipt.remote, receipt.detail.as_str()),
        (remote, "edited")
    );
    let messages = fake.messages();
    assert_eq!(messages.len(), 3);
    assert!(
        messages[0]["text"]
            .as_str()
            .unwrap()
            .contains("seven times")
    );
    assert_eq!(messages[2]["reply_parameters"]["message_id"], 1);
    insta::assert_snapshot!(
        messages[2]["text"].as_str().unwrap(),
        @"7 events from 2026-03-01 10:00:00 to 2026-03-01 10:00:00 UTC · Critical · open"
    );
}

#[tokio::test]
async fn the_end_of_an_incident_says_its_state() {
    let (fake, telegram) = telegram().await;
    let remote = opened(&telegram).await;
    // The head reads as before, which Telegram refuses to write again.
    let mut end = notice(NoticeKind::Close);
    end.remote = remote;
    send(&telegram, &end).await.unwrap();
    let news = fake.messages().pop().unwrap();
    assert!(news["text"].as_str().unwrap().ends_with("Critical · quiet"));
}

#[tokio::test]
async fn a_head_that_is_gone_or_too_old_is_posted_anew() {
    let (fake, telegram) = telegram().await;
    let remote = opened(&telegram).await;
    fake.delete_head();
    let receipt = send(&telegram, &later(NoticeKind::Update, remote.clone()))
        .await
        .unwrap();
    assert_ne!(receipt.remote, remote);
    let old = refusal(400, "Bad Request: message can't be edited", &json!({}));
    fake.peer.plan([old]);
    let again = send(
        &telegram,
        &later(NoticeKind::Update, receipt.remote.clone()),
    )
    .await
    .unwrap();
    assert_ne!(again.remote, receipt.remote);
    insta::assert_snapshot!(again.detail, @"posted anew, because the message was gone");
}

#[tokio::test]
async fn a_group_that_became_a_supergroup_is_followed() {
    let (fake, telegram) = telegram().await;
    let remote = opened(&telegram).await;
    fake.migrate();
    let moved = send(&telegram, &later(NoticeKind::Update, remote))
        .await
        .unwrap();
    let mut end = later(NoticeKind::Close, moved.remote.clone());
    end.report.markdown.push_str("\nEnd.\n");
    let receipt = send(&telegram, &end).await.unwrap();
    assert_eq!(
        (receipt.remote, receipt.detail.as_str()),
        (moved.remote, "edited")
    );
    let chats: Vec<_> = fake
        .messages()
        .iter()
        .map(|message| message["chat_id"].clone())
        .collect();
    let there = chats
        .iter()
        .filter(|chat| **chat == json!(SUPERGROUP))
        .count();
    assert_eq!((chats.len(), there), (5, 3));
}

#[tokio::test]
async fn a_retry_after_a_rate_limit_says_nothing_twice() {
    let (fake, telegram) = telegram().await;
    let limit = refusal(429, "Too Many Requests", &json!({ "retry_after": 4 }));
    said_once(&telegram, &fake.peer, &limit, || fake.messages().len()).await;
    fake.peer.plan([limit]);
    let error = send(&telegram, &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    let after = Some(Duration::from_secs(4));
    assert_eq!(error.verdict, Verdict::Retry { after });
    insta::assert_snapshot!(error.reason, @"telegram answered 429");
}

#[tokio::test]
async fn a_topic_and_a_public_name_are_sent_as_configured() {
    let fake = FakeTelegram::start().await;
    let telegram = build(&TelegramConfig {
        chat_id: Some(ChatId::Name("@soc".to_owned())),
        message_thread_id: Some(7),
        ..config(&fake)
    });
    opened(&telegram).await;
    for message in fake.messages() {
        assert_eq!(message["message_thread_id"], 7);
    }
}

#[tokio::test]
async fn refused_credentials_and_wrong_settings_fail_without_a_secret() {
    let fake = FakeTelegram::start().await;
    let wrong = TelegramConfig {
        token: Some(Secret::new(format!("2:{CANARY}"))),
        ..config(&fake)
    };
    let error = send(&build(&wrong), &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert_eq!(
        (error.verdict, error.reason.as_str()),
        (Verdict::Pause { sure: true }, "telegram answered 401")
    );
    let wrong = TelegramConfig {
        chat_id: Some(ChatId::Number(5)),
        ..config(&fake)
    };
    let error = send(&build(&wrong), &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert_eq!(error.verdict, Verdict::Pause { sure: true });
    insta::assert_snapshot!(error.reason, @"telegram answered 400: chat not found");
}

#[tokio::test]
async fn refused_content_is_for_a_plainer_message_and_outages_are_retried() {
    let (fake, telegram) = telegram().await;
    for (planned, expected) in [
        (
            refusal(400, "Bad Request: message is too long", &json!({})),
            "plain",
        ),
        (
            refusal(403, "Forbidden: bot was kicked", &json!({})),
            "forbidden",
        ),
        (Planned::status(404, CANARY), "pause?"),
        (Planned::status(502, CANARY), "retry"),
        (Planned::status(408, ""), "retry"),
        (Planned::status(425, ""), "retry"),
        (Planned::status(200, "<html>"), "retry"),
    ] {
        fake.peer.plan([planned]);
        let error = send(&telegram, &notice(NoticeKind::Open))
            .await
            .unwrap_err();
        let got = match error.verdict {
            Verdict::Unacceptable => "plain",
            Verdict::Fail => "fail",
            Verdict::Pause { sure: true } => "pause",
            Verdict::Pause { sure: false } => "pause?",
            Verdict::Forbidden => "forbidden",
            Verdict::Retry { .. } => "retry",
        };
        assert_eq!(got, expected, "{error:?}");
    }
}

#[tokio::test]
async fn no_answer_in_time_is_retried() {
    let fake = FakeTelegram::start().await;
    fake.peer.plan([Planned::Hang]);
    let telegram = Telegram::from_config(&config(&fake), IMPATIENT, Clock::manual(now())).unwrap();
    let error = send(&telegram, &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert!(retried(&error));
}

#[tokio::test]
async fn no_text_of_an_event_is_more_than_text() {
    let (_, telegram) = telegram().await;
    for notice in hostile_notices(NoticeKind::Open) {
        for message in telegram.report(&notice) {
            let title = &notice.report.title;
            check(&message).unwrap_or_else(|wrong| panic!("{title:?}: {wrong} {message}"));
        }
    }
}

#[test]
fn a_wrong_section_is_refused_without_its_secrets() {
    let refused = |token: Option<&str>, chat_id: Option<&str>, api_url: &str| {
        let config = TelegramConfig {
            token: token.map(Secret::new),
            chat_id: chat_id.map(|name| ChatId::Name(name.to_owned())),
            api_url: Some(api_url.to_owned()),
            ..TelegramConfig::default()
        };
        let error = Telegram::from_config(&config, TIMEOUT, Clock::manual(now())).unwrap_err();
        no_secret(&format!("{error} {error:?} {config:?}"));
        error.to_string()
    };
    let (token, url) = (Some(CANARY), "https://x.example");
    insta::assert_snapshot!(refused(None, Some("@soc"), url), @"set one of `token`, `token_env` or `token_file`");
    insta::assert_snapshot!(refused(token, None, url), @"telegram: set `chat_id`, a number or a name with `@`");
    insta::assert_snapshot!(refused(token, Some("soc"), url), @"telegram: set `chat_id`, a number or a name with `@`");
    insta::assert_snapshot!(refused(token, Some("@soc"), "x"), @"telegram: `api_url` must be an http or https address");
}

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    let (fake, telegram) = telegram().await;
    let standing = || contract::titled(fake.messages());
    let limit = || contract::limit(&fake.peer);
    contract::lives(&telegram, Keeps::OneOrAnother, limit, standing).await;
}
