use std::time::Instant;

use super::*;
use crate::deliver::NoticeKind;
use crate::deliver::testing::contract::{self, Keeps};
use crate::deliver::testing::http::{Peer, Planned, Taken};
use crate::deliver::testing::{
    CANARY, HOSTILE, IMPATIENT, TIMEOUT, notice, now, retried, send, titled,
};

fn config(peer: &Peer) -> WebhookConfig {
    WebhookConfig {
        url: Some(Secret::new(format!("{}/in?key={CANARY}", peer.url))),
        ..WebhookConfig::default()
    }
}

fn build(config: &WebhookConfig) -> Webhook {
    Webhook::from_config(config, TIMEOUT, Clock::manual(now())).unwrap()
}

/// What the peer gets for a notice.
async fn taken(config: impl FnOnce(&mut WebhookConfig), notice: &Notice) -> Taken {
    let peer = Peer::start().await;
    let mut section = self::config(&peer);
    config(&mut section);
    send(&build(&section), notice).await.unwrap();
    peer.taken().pop().unwrap()
}

#[tokio::test]
async fn the_body_says_everything_and_keeps_the_event_as_posted() {
    let taken = taken(|_| (), &notice(NoticeKind::Open)).await;
    assert_eq!(taken.parts.method, Method::POST);
    assert_eq!(taken.parts.headers["content-type"], "application/json");
    let body = std::str::from_utf8(&taken.body).unwrap();
    let event = r#""event":{"rule":"x","output_fields":{"evt.time":1772359200000000123,"r":1.10}}"#;
    assert!(body.contains(event), "{body}");
    let mut body = taken.json();
    body["data"]["event"].take();
    insta::assert_json_snapshot!(body);
}

#[tokio::test]
async fn an_event_that_is_no_json_is_sent_as_text() {
    let mut notice = notice(NoticeKind::Open);
    notice.event = b"not \"json\" \xff".to_vec();
    let taken = taken(|_| (), &notice).await;
    assert_eq!(taken.json()["data"]["event"], "not \"json\" \u{fffd}");
}

#[tokio::test]
async fn the_official_verifier_accepts_the_signature() {
    let encoded = format!("whsec_{}", STANDARD.encode([7_u8; 32]));
    let official = standardwebhooks::Webhook::new(&encoded).unwrap();
    let raw = standardwebhooks::Webhook::from_bytes(CANARY.into()).unwrap();
    for (secret, verifier) in [(encoded.as_str(), official), (CANARY, raw)] {
        let peer = Peer::start().await;
        let secret = Some(Secret::new(secret));
        let section = WebhookConfig {
            secret,
            ..config(&peer)
        };
        // The verifier looks at the real time.
        let webhook = Webhook::from_config(&section, TIMEOUT, Clock::system()).unwrap();
        send(&webhook, &notice(NoticeKind::Open)).await.unwrap();
        let taken = peer.taken().pop().unwrap();
        verifier.verify(&taken.body, &taken.parts.headers).unwrap();
        assert!(verifier.verify(b"{}", &taken.parts.headers).is_err());
    }
}

#[tokio::test]
async fn without_a_secret_there_is_an_id_and_no_signature() {
    let taken = taken(|_| (), &notice(NoticeKind::Open)).await;
    assert!(!taken.parts.headers.contains_key("webhook-signature"));
    assert_eq!(
        taken.parts.headers["webhook-timestamp"],
        now().as_second().to_string().as_str()
    );
}

#[tokio::test]
async fn the_id_stays_over_retries_differs_between_deliveries_and_has_no_dot() {
    let peer = Peer::start().await;
    peer.plan([Planned::status(503, "")]);
    let webhook = build(&config(&peer));
    let mut notice = notice(NoticeKind::Open);
    notice.key = "a.b\r\nc-1".to_owned();
    send(&webhook, &notice).await.unwrap_err();
    send(&webhook, &notice).await.unwrap();
    notice.key = "a.b\r\nc-2".to_owned();
    send(&webhook, &notice).await.unwrap();
    let taken = peer.taken();
    let ids: Vec<_> = taken
        .iter()
        .map(|taken| &taken.parts.headers["webhook-id"])
        .collect();
    assert_eq!(ids, ["abc-1", "abc-1", "abc-2"]);
}

#[tokio::test]
async fn statuses_are_judged_as_the_standard_says() {
    for (status, expected) in [
        (200, "sent"),
        (204, "sent"),
        (301, "fail"),
        (307, "fail"),
        (400, "fail"),
        (401, "fail"),
        (410, "fail"),
        (408, "retry"),
        (429, "retry"),
        (500, "retry"),
        (502, "retry"),
        (504, "retry"),
    ] {
        let peer = Peer::start().await;
        peer.plan([Planned::status(status, "canary-5f2c9e")]);
        let outcome = match send(&build(&config(&peer)), &notice(NoticeKind::Open)).await {
            Ok(_) => "sent",
            Err(error) if retried(&error) => "retry",
            Err(_) => "fail",
        };
        assert_eq!(outcome, expected, "{status}");
    }
}

#[tokio::test]
async fn the_site_may_say_what_success_is() {
    let peer = Peer::start().await;
    let success = vec![202, 409];
    let webhook = build(&WebhookConfig {
        success,
        ..config(&peer)
    });
    peer.plan([409, 202, 200].map(|status| Planned::status(status, "")));
    send(&webhook, &notice(NoticeKind::Open)).await.unwrap();
    send(&webhook, &notice(NoticeKind::Open)).await.unwrap();
    let error = send(&webhook, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(!retried(&error));
}

#[tokio::test]
async fn the_wait_that_a_peer_asks_for_is_kept() {
    let peer = Peer::start().await;
    peer.plan([Planned::with(
        429,
        "retry-after",
        "Sun, 01 Mar 2026 10:00:07 GMT",
    )]);
    let error = send(&build(&config(&peer)), &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    let after = Some(Duration::from_secs(7));
    assert_eq!(error.verdict, crate::deliver::Verdict::Retry { after });
}

#[tokio::test]
async fn no_answer_in_time_is_retried() {
    let peer = Peer::start().await;
    peer.plan([Planned::Hang]);
    let webhook = Webhook::from_config(&config(&peer), IMPATIENT, Clock::manual(now())).unwrap();
    assert!(retried(
        &send(&webhook, &notice(NoticeKind::Open)).await.unwrap_err()
    ));
}

#[tokio::test]
async fn a_template_inserts_every_value_as_json() {
    let body = r#"{"t": {{ report.title }}, "n": {{ incident.count }}, "e": {{ event }}, "k": {{ kind }}}"#;
    for title in HOSTILE {
        let notice = titled(NoticeKind::Update, title);
        let taken = taken(|section| section.body = Some(body.to_owned()), &notice).await;
        let sent = taken.json();
        assert_eq!(sent.as_object().unwrap().len(), 4);
        assert_eq!(sent["t"], title);
        assert_eq!(sent["n"], 2);
        assert_eq!(sent["e"]["rule"], "x");
        assert_eq!(sent["k"], "update");
    }
}

#[tokio::test]
async fn a_template_that_fails_or_gives_no_json_sends_nothing() {
    let peer = Peer::start().await;
    for (body, reason) in [
        (
            "{{ report.title }} and",
            "the body template did not give JSON",
        ),
        ("{{ no.such }}", "the body template failed: UndefinedError"),
        (
            "[{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}]",
            "",
        ),
    ] {
        let body = Some(body.to_owned());
        let began = Instant::now();
        let webhook = build(&WebhookConfig {
            body,
            ..config(&peer)
        });
        let error = send(&webhook, &notice(NoticeKind::Open)).await.unwrap_err();
        assert!(!retried(&error));
        assert!(error.reason.starts_with(reason), "{error}");
        assert!(began.elapsed() < TIMEOUT);
    }
    assert!(peer.taken().is_empty());
}

#[tokio::test]
async fn headers_and_method_are_those_of_the_site() {
    let taken = taken(
        |section| {
            section.method = WebhookMethod::Put;
            let value = Secret::new(format!("Bearer {CANARY}"));
            section.headers.insert("Authorization".to_owned(), value);
        },
        &notice(NoticeKind::Close),
    )
    .await;
    assert_eq!(taken.parts.method, Method::PUT);
    assert_eq!(
        taken.parts.headers["authorization"],
        format!("Bearer {CANARY}").as_str()
    );
}

#[tokio::test]
async fn a_wrong_section_is_refused_without_its_secrets() {
    let peer = Peer::start().await;
    let refused = |change: &dyn Fn(&mut WebhookConfig)| {
        let mut section = config(&peer);
        change(&mut section);
        let result = Webhook::from_config(&section, TIMEOUT, Clock::manual(now()));
        let error = result.unwrap_err();
        assert!(!format!("{error} {error:?} {section:?}").contains(CANARY));
        error.to_string()
    };
    let secret = |text: &str| Some(Secret::new(format!("{text}{CANARY}")));
    insta::assert_snapshot!(refused(&|c| c.url = None), @"set one of `url`, `url_env` or `url_file`");
    insta::assert_snapshot!(refused(&|c| c.url = secret("file:///")), @"webhook: `url` must be an http or https address");
    insta::assert_snapshot!(refused(&|c| c.secret = secret("whsec_!")), @"webhook: what follows `whsec_` in `secret` must be base64");
    insta::assert_snapshot!(refused(&|c| c.success = vec![302]), @"webhook: `success`: 302 cannot be one");
    let body = refused(&|c| c.body = Some("{{ x".to_owned()));
    assert!(body.starts_with("webhook: `body`: syntax error"), "{body}");
    insta::assert_snapshot!(refused(&|c| {
        c.headers.insert("X-A".to_owned(), Secret::new(format!("{CANARY}\r\nX-B: 1")));
    }), @"webhook: header `X-A` is not valid");
}

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    let peer = Peer::start().await;
    let webhook = build(&config(&peer));
    // The first was refused.
    let standing = || peer.calls() - 1;
    contract::lives(&webhook, Keeps::Each, || contract::limit(&peer), standing).await;
}
