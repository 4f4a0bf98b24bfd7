use super::*;
use crate::deliver::Verdict;
use crate::deliver::testing::contract::{self, Keeps};
use crate::deliver::testing::http::Planned;
use crate::deliver::testing::mattermost::{CHANNEL, FakeMattermost, check, refusal};
use crate::deliver::testing::{
    CANARY, IMPATIENT, TIMEOUT, hostile_notices, later, long, no_secret, notice, now, opened,
    retried, said_once, send,
};

fn bot_config(fake: &FakeMattermost) -> MattermostConfig {
    MattermostConfig {
        url: Some(Secret::new(fake.peer.url.clone())),
        token: Some(Secret::new(CANARY)),
        channel_id: Some(CHANNEL.to_owned()),
        ..MattermostConfig::default()
    }
}

fn build(config: &MattermostConfig) -> Mattermost {
    Mattermost::from_config(config, TIMEOUT, Clock::manual(now())).unwrap()
}

async fn bot() -> (FakeMattermost, Mattermost) {
    let fake = FakeMattermost::start().await;
    let bot = build(&bot_config(&fake));
    (fake, bot)
}

async fn webhook() -> (FakeMattermost, Mattermost) {
    let fake = FakeMattermost::start().await;
    let webhook = build(&MattermostConfig {
        url: Some(Secret::new(fake.webhook())),
        ..MattermostConfig::default()
    });
    (fake, webhook)
}

#[tokio::test]
async fn a_bot_opens_with_a_head_and_its_details_in_a_thread() {
    let (fake, bot) = bot().await;
    opened(&bot).await;
    insta::assert_json_snapshot!(fake.posts());
}

#[tokio::test]
async fn a_bot_edits_the_head_and_says_in_the_thread_what_is_new() {
    let (fake, bot) = bot().await;
    let remote = opened(&bot).await;
    let receipt = send(&bot, &later(NoticeKind::Update, remote.clone()))
        .await
        .unwrap();
    assert_eq!(
        (receipt.remote, receipt.detail.as_str()),
        (remote, "edited")
    );
    let posts = fake.posts();
    assert_eq!(posts.len(), 3);
    assert!(
        posts[0]["message"]
            .as_str()
            .unwrap()
            .contains("seven times")
    );
    assert_eq!(posts[2]["root_id"], "post0000");
    insta::assert_snapshot!(
        posts[2]["message"].as_str().unwrap(),
        @"7 events from 2026-03-01 10:00:00 to 2026-03-01 10:00:00 UTC · Critical · open"
    );
}

#[tokio::test]
async fn the_end_of_an_incident_says_its_state() {
    let (fake, bot) = bot().await;
    let remote = opened(&bot).await;
    send(&bot, &later(NoticeKind::Close, remote)).await.unwrap();
    let news = fake.posts().pop().unwrap();
    assert!(
        news["message"]
            .as_str()
            .unwrap()
            .ends_with("Critical · quiet")
    );
}

#[tokio::test]
async fn a_head_that_is_gone_or_too_old_is_posted_anew() {
    let old = "api.post.update_post.permissions_time_limit.app_error";
    for planned in [None, Some(refusal(400, old))] {
        let (fake, bot) = bot().await;
        let remote = opened(&bot).await;
        if planned.is_none() {
            fake.delete_head();
        }
        fake.peer.plan(planned);
        let receipt = send(&bot, &later(NoticeKind::Update, remote.clone()))
            .await
            .unwrap();
        assert_ne!(receipt.remote, remote);
        insta::allow_duplicates! {
            insta::assert_snapshot!(receipt.detail, @"posted anew, because the message was gone");
        }
    }
}

#[tokio::test]
async fn a_head_that_vanishes_before_its_details_are_out_is_posted_anew() {
    let (fake, bot) = bot().await;
    let mut notice = notice(NoticeKind::Open);
    fake.peer.plan([Planned::Usual, Planned::status(503, "")]);
    let error = send(&bot, &notice).await.unwrap_err();
    fake.delete_head();
    notice.remote = error.remote;
    send(&bot, &notice).await.unwrap();
    let posts = fake.posts();
    assert_eq!(posts.len(), 2);
    assert!(posts[0].get("root_id").is_none() && posts[1]["root_id"] == "post0000");
}

#[tokio::test]
async fn a_bot_that_may_not_edit_fails_and_posts_nothing_anew() {
    let (fake, bot) = bot().await;
    let remote = opened(&bot).await;
    fake.peer
        .plan([refusal(403, "api.context.permissions.app_error")]);
    let error = send(&bot, &later(NoticeKind::Update, remote))
        .await
        .unwrap_err();
    assert_eq!(error.verdict, Verdict::Fail);
    assert_eq!(fake.posts().len(), 2);
}

#[tokio::test]
async fn a_retry_after_a_rate_limit_says_nothing_twice() {
    let (fake, bot) = bot().await;
    let limit = Planned::with(429, "retry-after", "2");
    said_once(&bot, &fake.peer, &limit, || fake.posts().len()).await;
    fake.peer.plan([limit]);
    let error = send(&bot, &notice(NoticeKind::Open)).await.unwrap_err();
    let after = Some(Duration::from_secs(2));
    assert_eq!(error.verdict, Verdict::Retry { after });
}

#[tokio::test]
async fn a_webhook_posts_the_report_once_and_then_what_is_new() {
    let (fake, webhook) = webhook().await;
    for notice in [long(NoticeKind::Open), later(NoticeKind::Close, None)] {
        let receipt = send(&webhook, &notice).await.unwrap();
        assert_eq!(receipt.remote, None);
    }
    let posts = fake.posts();
    let text = |post: usize| posts[post]["text"].as_str().unwrap();
    assert!(
        text(0).ends_with("*Shortened; the rest of the report is in falco-herald\\.*"),
        "{}",
        text(0)
    );
    insta::assert_snapshot!(text(1));
}

#[tokio::test]
async fn refused_credentials_fail_without_a_secret() {
    let fake = FakeMattermost::start().await;
    let wrong = MattermostConfig {
        token: Some(Secret::new("other")),
        ..bot_config(&fake)
    };
    let error = send(&build(&wrong), &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert_eq!(error.verdict, Verdict::Pause { sure: true });
    insta::assert_snapshot!(error.reason, @"mattermost answered 401 api.context.session_expired.app_error");
    let wrong = MattermostConfig {
        url: Some(Secret::new(format!("{}x", fake.webhook()))),
        ..MattermostConfig::default()
    };
    let error = send(&build(&wrong), &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert_eq!(error.verdict, Verdict::Pause { sure: true });
    insta::assert_snapshot!(error.reason, @"mattermost answered 404 web.incoming_webhook.invalid.app_error");
}

#[tokio::test]
async fn each_refusal_has_its_verdict_by_both_transports() {
    for (fake, mattermost) in [bot().await, webhook().await] {
        for (planned, expected) in [
            (refusal(400, "model.post.is_valid.msg.app_error"), "plain"),
            (refusal(400, "web.incoming_webhook.text.app_error"), "plain"),
            (
                refusal(400, "web.incoming_webhook.channel.app_error"),
                "pause",
            ),
            (
                refusal(400, "api.post.create_post.can_not_post_to_deleted.error"),
                "pause",
            ),
            (
                refusal(403, "api.context.permissions.app_error"),
                "forbidden",
            ),
            (Planned::status(410, CANARY), "pause?"),
            (Planned::status(302, CANARY), "pause"),
            (Planned::status(408, ""), "retry"),
            (Planned::status(425, ""), "retry"),
            (Planned::status(500, CANARY), "retry"),
        ] {
            fake.peer.plan([planned]);
            let error = send(&mattermost, &notice(NoticeKind::Open))
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
}

#[tokio::test]
async fn no_answer_in_time_is_retried() {
    let fake = FakeMattermost::start().await;
    fake.peer.plan([Planned::Hang]);
    let config = bot_config(&fake);
    let bot = Mattermost::from_config(&config, IMPATIENT, Clock::manual(now())).unwrap();
    let error = send(&bot, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(retried(&error));
}

#[tokio::test]
async fn every_hostile_report_is_within_the_limits() {
    // What is inert in them is judged with the format.
    let (_, bot) = bot().await;
    for notice in hostile_notices(NoticeKind::Open) {
        for post in bot.report(&notice) {
            check(&post.into()).unwrap();
        }
        check(&webhook_request(&notice)["text"]).unwrap();
    }
}

#[test]
fn a_wrong_section_is_refused_without_its_secrets() {
    let refused = |url: Option<&str>, token: Option<&str>| {
        let config = MattermostConfig {
            url: url.map(|url| Secret::new(format!("{url}{CANARY}"))),
            token: token.map(Secret::new),
            ..MattermostConfig::default()
        };
        let error = Mattermost::from_config(&config, TIMEOUT, Clock::manual(now())).unwrap_err();
        no_secret(&format!("{error} {error:?} {config:?}"));
        error.to_string()
    };
    insta::assert_snapshot!(refused(None, None), @"set one of `url`, `url_env` or `url_file`");
    insta::assert_snapshot!(refused(Some("x"), None), @"mattermost: `url` must be an http or https address");
    insta::assert_snapshot!(refused(Some("https://x.example/"), Some(CANARY)), @"mattermost: set `token` and `channel_id` together, or neither");
}

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    for (keeps, (fake, mattermost)) in [
        (Keeps::OneOrAnother, bot().await),
        (Keeps::Each, webhook().await),
    ] {
        let standing = || contract::titled(fake.posts());
        let limit = || contract::limit(&fake.peer);
        contract::lives(&mattermost, keeps, limit, standing).await;
    }
}
