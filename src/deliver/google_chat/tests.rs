use super::*;
use crate::deliver::Verdict;
use crate::deliver::testing::contract::{self, Keeps};
use crate::deliver::testing::google_chat::{FakeGoogleChat, check, refusal};
use crate::deliver::testing::http::Planned;
use crate::deliver::testing::{
    CANARY, IMPATIENT, TIMEOUT, hostile_notices, long, no_secret, notice, now, retried, send,
};

fn config(url: &str) -> GoogleChatConfig {
    GoogleChatConfig {
        url: Some(Secret::new(url)),
        ..GoogleChatConfig::default()
    }
}

fn build(url: &str) -> GoogleChat {
    GoogleChat::from_config(&config(url), TIMEOUT, Clock::manual(now())).unwrap()
}

async fn chat() -> (FakeGoogleChat, GoogleChat) {
    let fake = FakeGoogleChat::start().await;
    let chat = build(&fake.url());
    (fake, chat)
}

#[tokio::test]
async fn an_incident_opens_a_thread_with_the_whole_report() {
    let (fake, chat) = chat().await;
    let receipt = send(&chat, &notice(NoticeKind::Open)).await.unwrap();
    assert_eq!(receipt.remote, None);
    let message = fake.messages().pop().unwrap();
    let uid = notice(NoticeKind::Open).incident.uid.to_string();
    assert_eq!(message["thread"]["threadKey"], uid);
    insta::assert_snapshot!(message["text"].as_str().unwrap());
}

#[tokio::test]
async fn an_update_and_the_end_say_in_the_thread_what_is_new() {
    let (fake, chat) = chat().await;
    for kind in [NoticeKind::Open, NoticeKind::Update, NoticeKind::Close] {
        send(&chat, &notice(kind)).await.unwrap();
    }
    let messages = fake.messages();
    assert_eq!(messages.len(), 3);
    assert!(
        messages
            .iter()
            .all(|message| message["thread"] == messages[0]["thread"])
    );
    insta::assert_snapshot!(messages[2]["text"].as_str().unwrap());
}

#[tokio::test]
async fn what_is_sent_again_stands_once() {
    let (fake, chat) = chat().await;
    fake.peer.plan([refusal(429, "RESOURCE_EXHAUSTED")]);
    let error = send(&chat, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(retried(&error));
    insta::assert_snapshot!(error.reason, @"google chat answered 429 RESOURCE_EXHAUSTED");
    for _ in 0..2 {
        send(&chat, &notice(NoticeKind::Open)).await.unwrap();
    }
    assert_eq!(fake.messages().len(), 1);
}

#[tokio::test]
async fn the_wait_that_chat_asks_for_is_kept() {
    let (fake, chat) = chat().await;
    fake.peer.plan([Planned::with(429, "retry-after", "3")]);
    let error = send(&chat, &notice(NoticeKind::Open)).await.unwrap_err();
    let after = Some(Duration::from_secs(3));
    assert_eq!(error.verdict, Verdict::Retry { after });
}

#[tokio::test]
async fn refused_credentials_fail_without_a_secret() {
    let (fake, _) = chat().await;
    let wrong = fake.url().replace("token=", "token=other-");
    let error = send(&build(&wrong), &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert_eq!(error.verdict, Verdict::Pause { sure: true });
    insta::assert_snapshot!(error.reason, @"google chat answered 401 UNAUTHENTICATED");
}

#[tokio::test]
async fn each_refusal_has_its_verdict() {
    let (fake, chat) = chat().await;
    for (planned, expected) in [
        (refusal(400, "INVALID_ARGUMENT"), "plain"),
        (refusal(403, "PERMISSION_DENIED"), "forbidden"),
        (refusal(404, "NOT_FOUND"), "pause?"),
        (Planned::status(410, CANARY), "pause?"),
        (Planned::status(302, ""), "pause"),
        (Planned::status(408, ""), "retry"),
        (Planned::status(425, ""), "retry"),
        (refusal(503, "UNAVAILABLE"), "retry"),
    ] {
        fake.peer.plan([planned]);
        let error = send(&chat, &notice(NoticeKind::Open)).await.unwrap_err();
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
    let fake = FakeGoogleChat::start().await;
    fake.peer.plan([Planned::Hang]);
    let section = config(&fake.url());
    let chat = GoogleChat::from_config(&section, IMPATIENT, Clock::manual(now())).unwrap();
    let error = send(&chat, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(retried(&error));
}

#[test]
fn no_text_of_an_event_is_more_than_text() {
    for kind in [NoticeKind::Open, NoticeKind::Update] {
        for notice in hostile_notices(kind) {
            let (title, message) = (&notice.report.title, request(&notice));
            check(&message).unwrap_or_else(|wrong| panic!("{title:?}: {wrong} {message}"));
        }
    }
}

#[test]
fn a_long_report_is_cut_to_the_limit_of_bytes() {
    let mut notice = long(NoticeKind::Open);
    notice.report.markdown = notice.report.markdown.replace('x', "é\"");
    let message = request(&notice);
    check(&message).unwrap();
    let text = message["text"].as_str().unwrap();
    assert!(
        text.ends_with("_Shortened; the rest of the report is in falco-herald._"),
        "{text}"
    );
    assert!(message.to_string().len() > 20_000);
}

#[test]
fn a_wrong_section_is_refused_without_its_secrets() {
    let refused = |config: &GoogleChatConfig| {
        let error = GoogleChat::from_config(config, TIMEOUT, Clock::manual(now())).unwrap_err();
        no_secret(&format!("{error} {error:?} {config:?}"));
        error.to_string()
    };
    insta::assert_snapshot!(refused(&GoogleChatConfig::default()), @"set one of `url`, `url_env` or `url_file`");
    let wrong = config(&format!("ftp://{CANARY}"));
    insta::assert_snapshot!(refused(&wrong), @"google_chat: `url` must be an http or https address");
}

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    let (fake, chat) = chat().await;
    let standing = || {
        let messages = fake.messages();
        let threads = messages.iter().map(|message| message["thread"].to_string());
        threads.collect::<std::collections::BTreeSet<_>>().len()
    };
    let limit = || contract::limit(&fake.peer);
    contract::lives(&chat, Keeps::One, limit, standing).await;
}
