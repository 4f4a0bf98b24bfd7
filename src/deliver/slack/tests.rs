mod evidence;
mod life;

use super::*;
use crate::deliver::testing::http::Planned;
use crate::deliver::testing::slack::FakeSlack;
use crate::deliver::testing::{
    CANARY, HOSTILE, IMPATIENT, TIMEOUT, later, long, notice, now, opened, retried, send, titled,
};

fn bot_config(slack: &FakeSlack) -> SlackConfig {
    SlackConfig {
        token: Some(Secret::new(format!("xoxb-{CANARY}"))),
        channel: Some("#soc".to_owned()),
        api_url: Some(slack.api_url()),
        ..SlackConfig::default()
    }
}

fn webhook_config(slack: &FakeSlack) -> SlackConfig {
    SlackConfig {
        webhook_url: Some(Secret::new(slack.webhook_url())),
        ..SlackConfig::default()
    }
}

fn build(config: &SlackConfig) -> Slack {
    Slack::from_config(config, TIMEOUT, Clock::manual(now())).unwrap()
}

async fn bot() -> (FakeSlack, Slack) {
    let slack = FakeSlack::start().await;
    let bot = build(&bot_config(&slack));
    (slack, bot)
}

async fn webhook() -> (FakeSlack, Slack) {
    let slack = FakeSlack::start().await;
    let webhook = build(&webhook_config(&slack));
    (slack, webhook)
}

#[tokio::test]
async fn a_bot_posts_a_head_and_its_details_in_a_thread() {
    let (slack, bot) = bot().await;
    let receipt = send(&bot, &notice(NoticeKind::Open)).await.unwrap();
    assert_eq!(receipt.detail, "posted to C024BE91L");
    let messages = slack.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].thread, None);
    assert_eq!(messages[1].thread.as_deref(), Some("1700000000.000001"));
    let metadata = &messages[0].body["metadata"];
    assert_eq!(metadata["event_type"], "falco_herald_incident");
    assert_eq!(
        metadata["event_payload"]["uid"],
        notice(NoticeKind::Open).incident.uid.to_string()
    );
}

#[tokio::test]
async fn a_bot_edits_the_head_and_says_in_the_thread_what_is_new() {
    let (slack, bot) = bot().await;
    let remote = opened(&bot).await;
    let receipt = send(&bot, &later(NoticeKind::Update, remote.clone()))
        .await
        .unwrap();
    assert_eq!(receipt.remote, remote);
    assert_eq!(slack.calls("chat.update"), 1);
    let messages = slack.messages();
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[2].thread.as_deref(), Some("1700000000.000001"));
    insta::assert_snapshot!(
        messages[2].body["text"].as_str().unwrap(),
        @"7 events from 2026-03-01 10:00:00 to 2026-03-01 10:00:00 UTC · Critical · open"
    );
}

#[tokio::test]
async fn a_head_that_is_gone_is_posted_anew() {
    for error in [
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
    ] {
        let (slack, bot) = bot().await;
        let remote = opened(&bot).await;
        slack.refuse(&[error]);
        let receipt = send(&bot, &later(NoticeKind::Update, remote.clone()))
            .await
            .unwrap();
        assert_ne!(receipt.remote, remote, "{error}");
        assert_eq!(slack.messages().len(), 4, "{error}");
    }
}

#[tokio::test]
async fn a_head_that_a_person_deleted_is_posted_anew() {
    let (slack, bot) = bot().await;
    let remote = opened(&bot).await;
    slack.delete("1700000000.000001");
    send(&bot, &later(NoticeKind::Update, remote))
        .await
        .unwrap();
    assert!(
        slack
            .messages()
            .iter()
            .any(|message| message.thread.is_none())
    );
}

#[tokio::test]
async fn a_retry_posts_only_what_is_not_out() {
    let (slack, bot) = bot().await;
    let mut notice = long(NoticeKind::Open);
    slack.peer.plan([]);
    let whole = message(&notice.report).details.len() + 1;
    assert!(whole > 2, "the report must need several messages");
    let ok = serde_json::json!({"ok": true, "channel": "C024BE91L", "ts": "1.1"}).to_string();
    slack
        .peer
        .plan([Planned::status(200, &ok), Planned::status(503, "")]);
    let error = send(&bot, &notice).await.unwrap_err();
    assert!(retried(&error));
    let remote: Remote = serde_json::from_str(error.remote.as_deref().unwrap()).unwrap();
    assert_eq!(
        (remote.posted, remote.partial, remote.ts.as_str()),
        (1, true, "1.1")
    );

    notice.remote = error.remote;
    // The thread of a head that the workspace does not know: everything goes to the top level.
    let receipt = send(&bot, &notice).await.unwrap();
    let remote: Remote = serde_json::from_str(receipt.remote.as_deref().unwrap()).unwrap();
    assert_eq!(
        (remote.posted, remote.partial, remote.ts.as_str()),
        (whole, false, "1.1")
    );
    assert_eq!(slack.messages().len(), whole - 1);
}

#[tokio::test]
async fn an_update_first_finishes_what_the_opening_left() {
    let (slack, bot) = bot().await;
    let remote = opened(&bot).await.unwrap();
    let mut remote: Remote = serde_json::from_str(&remote).unwrap();
    (remote.posted, remote.partial) = (1, true);
    send(&bot, &later(NoticeKind::Update, Some(remote.stored())))
        .await
        .unwrap();
    // Head and details, the details again as asked, and the news.
    assert_eq!(slack.messages().len(), 4);
    assert_eq!(slack.calls("chat.update"), 1);
}

#[tokio::test]
async fn a_channel_without_threads_gets_everything_at_its_top_level() {
    let (slack, bot) = bot().await;
    slack.refuse_threads();
    let remote = opened(&bot).await;
    send(&bot, &later(NoticeKind::Update, remote))
        .await
        .unwrap();
    let messages = slack.messages();
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|message| message.thread.is_none()));
    // Asked once, then remembered.
    assert_eq!(slack.calls("chat.postMessage"), 4);
}

#[tokio::test]
async fn refused_blocks_still_bring_the_text() {
    let (slack, bot) = bot().await;
    slack.refuse_blocks();
    let remote = opened(&bot).await;
    send(&bot, &later(NoticeKind::Update, remote))
        .await
        .unwrap();
    for message in slack.messages() {
        assert!(message.body.get("blocks").is_none());
        assert!(!message.body["text"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn refused_blocks_are_sent_again_as_text_only_once() {
    let (slack, bot) = bot().await;
    slack.refuse(&["invalid_blocks", "invalid_blocks"]);
    let error = send(&bot, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(!retried(&error));
    assert_eq!(slack.calls("chat.postMessage"), 2);
}

#[tokio::test]
async fn errors_of_the_configuration_fail_and_passing_ones_are_retried() {
    for (error, again) in [
        ("channel_not_found", false),
        ("not_in_channel", false),
        ("is_archived", false),
        ("invalid_auth", false),
        ("token_revoked", false),
        ("account_inactive", false),
        ("missing_scope", false),
        ("restricted_action", false),
        ("no_text", false),
        ("an_error_of_the_future", false),
        ("ratelimited", true),
        ("rate_limited", true),
        ("message_limit_exceeded", true),
        ("internal_error", true),
        ("fatal_error", true),
        ("service_unavailable", true),
        ("request_timeout", true),
    ] {
        let (slack, bot) = bot().await;
        slack.refuse(&[error]);
        let refused = send(&bot, &notice(NoticeKind::Open)).await.unwrap_err();
        assert_eq!(retried(&refused), again, "{error}");
        let told = format!("slack answered {error}");
        assert!(refused.reason.starts_with(&told), "{refused}");
        assert_eq!(refused.remote, None);
    }
}

#[tokio::test]
async fn a_rate_limit_is_kept_by_both_transports() {
    let seconds = Duration::from_secs(30);
    for (slack, destination) in [bot().await, webhook().await] {
        for value in ["30", "Sun, 01 Mar 2026 10:00:30 GMT"] {
            slack.peer.plan([Planned::with(429, "retry-after", value)]);
            let error = send(&destination, &notice(NoticeKind::Open))
                .await
                .unwrap_err();
            let after = Some(seconds);
            assert_eq!(
                error.verdict,
                crate::deliver::Verdict::Retry { after },
                "{value}"
            );
        }
    }
}

#[tokio::test]
async fn only_the_identifiers_of_slack_are_shown() {
    let (slack, bot) = bot().await;
    slack.refuse(&[CANARY]);
    let error = send(&bot, &notice(NoticeKind::Open)).await.unwrap_err();
    insta::assert_snapshot!(error, @"slack answered an unknown error");
    slack
        .peer
        .plan([Planned::status(200, "<html>proxy</html>")]);
    let error = send(&bot, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(retried(&error));
    insta::assert_snapshot!(error, @"slack answered something else than JSON; check `api_url`");
}

#[tokio::test]
async fn a_token_that_slack_does_not_know_fails() {
    let slack = FakeSlack::start().await;
    let token = Some(Secret::new("xoxb-other"));
    let bot = build(&SlackConfig {
        token,
        ..bot_config(&slack)
    });
    let error = send(&bot, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(!retried(&error));
    insta::assert_snapshot!(error, @"slack answered invalid_auth: check the token, it begins with xoxb-");
}

#[tokio::test]
async fn no_answer_in_time_is_retried() {
    let slack = FakeSlack::start().await;
    slack.peer.plan([Planned::Hang]);
    let config = bot_config(&slack);
    let bot = Slack::from_config(&config, IMPATIENT, Clock::manual(now())).unwrap();
    assert!(retried(
        &send(&bot, &notice(NoticeKind::Open)).await.unwrap_err()
    ));
}

#[tokio::test]
async fn a_webhook_posts_new_messages_within_the_limits() {
    let (slack, webhook) = webhook().await;
    let receipt = send(&webhook, &long(NoticeKind::Open)).await.unwrap();
    assert_eq!(receipt.remote, None);
    assert_eq!(slack.messages().len(), 2);
    send(&webhook, &notice(NoticeKind::Update)).await.unwrap();
    assert_eq!(slack.messages().len(), 3);
}

#[tokio::test]
async fn a_webhook_retry_posts_only_what_is_not_out() {
    let (slack, webhook) = webhook().await;
    slack.peer.plan([
        Planned::status(200, "ok"),
        Planned::status(500, "rollup_error"),
    ]);
    let mut notice = notice(NoticeKind::Open);
    let error = send(&webhook, &notice).await.unwrap_err();
    assert!(retried(&error));
    notice.remote = error.remote;
    send(&webhook, &notice).await.unwrap();
    assert_eq!(slack.messages().len(), 1);
    assert_eq!(slack.calls(CANARY), 3);
}

#[tokio::test]
async fn the_words_of_a_webhook_fail_and_its_blocks_fall_back() {
    for (status, word) in [
        (403, "invalid_token"),
        (404, "no_service"),
        (410, "channel_is_archived"),
        (302, "moved"),
    ] {
        let (slack, webhook) = webhook().await;
        slack.peer.plan([Planned::status(status, word)]);
        let error = send(&webhook, &notice(NoticeKind::Open)).await.unwrap_err();
        assert!(!retried(&error), "{word}");
        assert_eq!(error.reason, format!("slack answered {status} {word}"));
    }
    let (slack, webhook) = webhook().await;
    slack.peer.plan([Planned::status(400, "invalid_blocks\n")]);
    send(&webhook, &notice(NoticeKind::Update)).await.unwrap();
    assert!(slack.messages()[0].body.get("blocks").is_none());
}

#[tokio::test]
async fn a_hostile_title_is_inert_in_every_message() {
    for title in HOSTILE {
        for (slack, destination) in [bot().await, webhook().await] {
            // The peer refuses raw `<` and every block but literal ones.
            let opening = titled(NoticeKind::Open, title);
            let remote = send(&destination, &opening).await.unwrap().remote;
            let mut update = titled(NoticeKind::Update, title);
            update.remote = remote;
            send(&destination, &update).await.unwrap();
            for message in slack.messages() {
                assert!(message.body.get("blocks").is_some(), "fell back: {title:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_name_and_a_picture_go_with_new_messages() {
    let slack = FakeSlack::start().await;
    let config = SlackConfig {
        username: Some("falco".to_owned()),
        icon: Some(":rotating_light:".to_owned()),
        ..bot_config(&slack)
    };
    opened(&build(&config)).await;
    let body = &slack.messages()[0].body;
    assert_eq!(
        (&body["username"], &body["icon_emoji"]),
        (&json!("falco"), &json!(":rotating_light:"))
    );
}

#[test]
fn a_wrong_section_is_refused_without_its_secrets() {
    let secret = || Some(Secret::new(format!("not an address {CANARY}")));
    let refused = |config: &SlackConfig| {
        let error = Slack::from_config(config, TIMEOUT, Clock::manual(now())).unwrap_err();
        assert!(!format!("{error} {error:?} {config:?}").contains(CANARY));
        error.to_string()
    };
    let mut config = SlackConfig::default();
    insta::assert_snapshot!(refused(&config), @"slack: set either `token` and `channel`, or `webhook_url`");
    config.token = secret();
    insta::assert_snapshot!(refused(&config), @"slack: set `channel` beside the token");
    config.webhook_url = secret();
    insta::assert_snapshot!(refused(&config), @"slack: set either `token` and `channel`, or `webhook_url`");
    config.token = None;
    insta::assert_snapshot!(refused(&config), @"slack: `webhook_url` must be an http or https address");
}

#[tokio::test]
async fn what_a_webhook_cannot_do_is_a_doubt() {
    let ((_, bot), (_, webhook)) = (bot().await, webhook().await);
    assert_eq!(bot.doubt(), None);
    assert!(
        webhook
            .doubt()
            .unwrap()
            .contains("each update is a new message")
    );
}
