use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::deliver::testing::contract::{self, Keeps};
use crate::deliver::testing::http::{Peer, Planned, Taken};
use crate::deliver::testing::{
    CANARY, HOSTILE, IMPATIENT, TIMEOUT, hostile_notices, long, notice, now, peers, retried, send,
    titled,
};
use crate::deliver::{NoticeKind, Verdict};
use crate::incident::{Handled, State};
use crate::markup::inert;

/// A strict, stateful Events API: refuses what developer.pagerduty.com says it refuses.
#[derive(Clone, Debug)]
struct FakePagerduty {
    peer: Peer,
    alerts: Arc<Mutex<BTreeMap<String, Vec<&'static str>>>>,
}

impl FakePagerduty {
    async fn start() -> Self {
        let alerts: Arc<Mutex<BTreeMap<String, Vec<&'static str>>>> = Arc::default();
        let shared = Arc::clone(&alerts);
        let peer = Peer::replying(move |taken| match take(taken) {
            Ok((key, action)) => {
                let mut alerts = shared.lock().unwrap();
                let known = alerts.get(&key).and_then(|told| told.last());
                let open = known.is_some_and(|last| *last != "resolve");
                // What it does not know is dropped without a word.
                if action == "trigger" || open {
                    alerts.entry(key.clone()).or_default().push(action);
                }
                let answer = json!({ "status": "success", "message": "Event processed", "dedup_key": key });
                (202, answer.to_string())
            }
            Err(error) => {
                let answer = json!({
                    "status": "invalid event", "message": "Event object is invalid", "errors": [error],
                });
                (400, answer.to_string())
            }
        })
        .await;
        Self { peer, alerts }
    }

    /// What was told of the one incident.
    fn told(&self) -> Vec<&'static str> {
        let alerts = self.alerts.lock().unwrap();
        assert!(alerts.len() <= 1);
        alerts.values().flatten().copied().collect()
    }
}

fn take(taken: &Taken) -> Result<(String, &'static str), String> {
    if taken.parts.uri.path() != "/v2/enqueue" || taken.body.len() > 512_000 {
        return Err("not an event".to_owned());
    }
    let body = taken.json();
    let known = [
        "routing_key",
        "event_action",
        "dedup_key",
        "payload",
        "links",
        "images",
        "client",
        "client_url",
    ];
    only(&body, &known)?;
    if body["routing_key"] != CANARY {
        return Err("'routing_key' is invalid".to_owned());
    }
    // A trigger without a key gets one.
    let key = match (&body["dedup_key"], &body["event_action"]) {
        (Value::Null, action) if action == "trigger" => "srv01/HTTP".to_owned(),
        _ => text(&body, "dedup_key", 255)?,
    };
    let action = match body["event_action"].as_str() {
        Some("trigger") => "trigger",
        Some("acknowledge") => return Ok((key, "acknowledge")),
        Some("resolve") => return Ok((key, "resolve")),
        _ => return Err("'event_action' is invalid".to_owned()),
    };
    let payload = &body["payload"];
    let known = [
        "summary",
        "source",
        "severity",
        "timestamp",
        "component",
        "group",
        "class",
        "custom_details",
    ];
    only(payload, &known)?;
    text(payload, "summary", 1_024)?;
    text(payload, "source", usize::MAX)?;
    let severity = payload["severity"].as_str().unwrap_or_default();
    if !["critical", "error", "warning", "info"].contains(&severity) {
        return Err("'payload.severity' is invalid".to_owned());
    }
    if payload.get("timestamp").is_some() {
        let timestamp = text(payload, "timestamp", usize::MAX)?;
        timestamp
            .parse::<Timestamp>()
            .map_err(|_| "'payload.timestamp' is invalid")?;
    }
    for link in body["links"].as_array().into_iter().flatten() {
        only(link, &["href", "text"])?;
        text(link, "href", usize::MAX)?;
    }
    Ok((key, action))
}

fn only(object: &Value, known: &[&str]) -> Result<(), String> {
    let object = object.as_object().ok_or("not an object")?;
    let unknown = object.keys().find(|key| !known.contains(&key.as_str()));
    unknown.map_or(Ok(()), |key| Err(format!("'{key}' is unknown")))
}

fn text(object: &Value, key: &str, max: usize) -> Result<String, String> {
    let text = object[key].as_str().unwrap_or_default();
    let fits = !text.is_empty() && text.chars().count() <= max;
    fits.then(|| text.to_owned())
        .ok_or_else(|| format!("'{key}' is missing or too long"))
}

fn build(peer: &Peer, timeout: Duration) -> Pagerduty {
    let config = PagerdutyConfig {
        routing_key: Some(Secret::new(CANARY)),
        api_url: Some(format!("{}/", peer.url)),
        ..PagerdutyConfig::default()
    };
    Pagerduty::from_config(&config, timeout, Clock::manual(now())).unwrap()
}

async fn pagerduty() -> (FakePagerduty, Pagerduty) {
    let fake = FakePagerduty::start().await;
    let pagerduty = build(&fake.peer, TIMEOUT);
    (fake, pagerduty)
}

#[tokio::test]
async fn an_alert_says_who_what_where_and_how_often() {
    let (fake, pagerduty) = pagerduty().await;
    send(&pagerduty, &notice(NoticeKind::Open)).await.unwrap();
    let mut body = fake.peer.taken().pop().unwrap().json();
    body["routing_key"].take();
    insta::assert_json_snapshot!(body);
}

#[tokio::test]
async fn an_incident_is_one_alert_through_its_whole_life() {
    let (fake, pagerduty) = pagerduty().await;
    let mut remote = None;
    for (state, told) in [
        (State::Open, vec!["trigger"]),
        (State::Open, vec!["trigger"]),
        (State::Acknowledged, vec!["acknowledge"]),
        (State::Quiet, vec!["resolve"]),
        (State::Open, vec!["trigger"]),
        (State::Closed, vec!["resolve"]),
    ] {
        let mut notice = notice(if remote.is_none() {
            NoticeKind::Open
        } else {
            NoticeKind::Update
        });
        notice.incident.state = state;
        notice.remote = remote;
        let before = fake.told().len();
        remote = send(&pagerduty, &notice).await.unwrap().remote;
        assert_eq!(fake.told().split_off(before), told);
    }
}

#[tokio::test]
async fn what_ended_before_it_was_told_is_told_all_the_same() {
    let (fake, pagerduty) = pagerduty().await;
    fake.peer
        .plan([Planned::status(202, "{}"), Planned::status(503, "")]);
    let mut notice = notice(NoticeKind::Open);
    notice.incident.state = State::Quiet;
    let error = send(&pagerduty, &notice).await.unwrap_err();
    assert_eq!(error.remote.as_deref(), Some("triggered"));
    // Goes on behind what was taken: one more call.
    notice.remote = error.remote;
    send(&pagerduty, &notice).await.unwrap();
    assert_eq!(fake.peer.taken().len(), 3);
    notice.remote = None;
    send(&pagerduty, &notice).await.unwrap();
    assert_eq!(fake.told(), ["trigger", "resolve"]);
}

#[tokio::test]
async fn a_retry_repeats_the_same_event_with_the_same_key() {
    let (fake, pagerduty) = pagerduty().await;
    fake.peer.plan([Planned::with(429, "retry-after", "7")]);
    let notice = notice(NoticeKind::Open);
    let error = send(&pagerduty, &notice).await.unwrap_err();
    let after = Some(Duration::from_secs(7));
    assert_eq!(error.verdict, Verdict::Retry { after });
    send(&pagerduty, &notice).await.unwrap();
    let taken = fake.peer.taken();
    assert_eq!(taken[0].body, taken[1].body);
    assert_eq!(fake.told(), ["trigger"]);
}

#[tokio::test]
async fn hostile_text_is_inert_and_within_the_limits() {
    let (fake, pagerduty) = pagerduty().await;
    for title in HOSTILE {
        let mut notice = titled(NoticeKind::Open, title);
        notice.incident.labels = vec![("proc.name".to_owned(), title.into())];
        notice.incident.handled = Some(Handled {
            by: title.into(),
            at: now(),
        });
        send(&pagerduty, &notice).await.unwrap();
        let body = fake.peer.taken().pop().unwrap().json();
        let payload = &body["payload"];
        let line = inert::line(title, 1_000);
        assert_eq!(payload["summary"], line);
        assert_eq!(payload["component"], inert::line(title, 200));
        assert_eq!(payload["custom_details"]["labels"]["proc.name"], line);
        assert_eq!(payload["custom_details"]["handled_by"], line);
    }
}

#[tokio::test]
async fn every_hostile_report_is_an_event_within_the_limits() {
    let (fake, pagerduty) = pagerduty().await;
    for kind in [NoticeKind::Open, NoticeKind::Close] {
        for notice in hostile_notices(kind).chain([long(kind)]) {
            send(&pagerduty, &notice).await.unwrap();
        }
    }
    // One open alert, told of each report.
    assert!(fake.told().len() > 900);
}

#[tokio::test]
async fn the_official_client_understands_the_fake() {
    let fake = FakePagerduty::start().await;
    peers::client("pagerduty", &fake.peer.url).await;
}

#[tokio::test]
async fn the_longest_texts_stay_below_half_a_megabyte() {
    let (fake, pagerduty) = pagerduty().await;
    let long = "\u{1f600}\"".repeat(40_000);
    let mut notice = titled(NoticeKind::Open, &long);
    notice.report.markdown = format!("# x\n\n```text\n{long}\n{long}\n```\n");
    let label = |number: usize| (format!("{long}{number}"), long.as_str().into());
    notice.incident.labels = (0..100).map(label).collect();
    send(&pagerduty, &notice).await.unwrap();
    assert!(fake.peer.taken()[0].body.len() > 100_000);
}

#[tokio::test]
async fn answers_are_judged_as_the_documentation_says() {
    let key =
        json!({ "errors": [format!("Length of 'routing_key' is incorrect {CANARY}")] }).to_string();
    for (status, body, expected) in [
        (202, "", "sent"),
        (200, CANARY, "retry"),
        (400, CANARY, "unacceptable"),
        (400, key.as_str(), "fail"),
        (413, "", "unacceptable"),
        (401, "", "fail"),
        (403, "", "fail"),
        (404, "", "fail"),
        (410, "", "fail"),
        (408, "", "retry"),
        (425, "", "retry"),
        (429, "", "retry"),
        (500, CANARY, "retry"),
        (503, "", "retry"),
    ] {
        let (fake, pagerduty) = pagerduty().await;
        fake.peer.plan([Planned::status(status, body)]);
        let outcome = match send(&pagerduty, &notice(NoticeKind::Open)).await {
            Ok(_) => "sent",
            Err(error) if retried(&error) => "retry",
            Err(error) if error.verdict == Verdict::Unacceptable => "unacceptable",
            Err(_) => "fail",
        };
        assert_eq!(outcome, expected, "{status}");
    }
}

#[tokio::test]
async fn no_answer_in_time_is_retried() {
    let peer = Peer::start().await;
    peer.plan([Planned::Hang]);
    let pagerduty = build(&peer, IMPATIENT);
    let error = send(&pagerduty, &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert!(retried(&error));
}

#[test]
fn every_severity_has_its_word() {
    let words = Priority::ALL.map(severity);
    let expected = [
        "info", "info", "info", "warning", "error", "critical", "critical", "critical",
    ];
    assert_eq!(words, expected);
}

#[test]
fn a_wrong_section_is_refused_without_its_secrets() {
    let refused = |config: &PagerdutyConfig| {
        let result = Pagerduty::from_config(config, TIMEOUT, Clock::manual(now()));
        let error = result.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(CANARY));
        error.to_string()
    };
    let none = PagerdutyConfig::default();
    insta::assert_snapshot!(refused(&none), @"set one of `routing_key`, `routing_key_env` or `routing_key_file`");
    let url = PagerdutyConfig {
        routing_key: Some(Secret::new(CANARY)),
        api_url: Some(format!("file:///{CANARY}")),
        ..PagerdutyConfig::default()
    };
    insta::assert_snapshot!(refused(&url), @"pagerduty: `api_url` must be an http or https address");
}

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    let (fake, pagerduty) = pagerduty().await;
    let standing = || fake.alerts.lock().unwrap().len();
    let limit = || contract::limit(&fake.peer);
    contract::lives(&pagerduty, Keeps::One, limit, standing).await;
}
