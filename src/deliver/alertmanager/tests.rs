use std::sync::Mutex;

use super::*;
use crate::deliver::testing::contract::{self, Keeps};
use crate::deliver::testing::http::{Peer, Planned, Taken};
use crate::deliver::testing::{
    CANARY, HOSTILE, IMPATIENT, TIMEOUT, notice, now, retried, send, titled,
};
use crate::deliver::{NoticeKind, Verdict};
use crate::event::Priority;
use crate::incident::State;

/// What an Alertmanager holds: the end of each alert by its labels. Refuses and merges as version
/// 0.25 was measured to.
#[derive(Clone, Debug)]
struct FakeAlertmanager {
    peer: Peer,
    alerts: Arc<Mutex<BTreeMap<Labels, Timestamp>>>,
}

impl FakeAlertmanager {
    async fn start() -> Self {
        let alerts: Arc<Mutex<BTreeMap<Labels, Timestamp>>> = Arc::default();
        let shared = Arc::clone(&alerts);
        let peer = Peer::replying(move |taken| take(&mut shared.lock().unwrap(), taken)).await;
        Self { peer, alerts }
    }

    /// The severities of the alerts that are active an hour from now.
    fn active(&self) -> Vec<String> {
        let alerts = self.alerts.lock().unwrap();
        let soon = later(now(), Duration::from_hours(1));
        let active = alerts.iter().filter(|(_, end)| **end > soon);
        active
            .map(|(labels, _)| labels["severity"].clone())
            .collect()
    }
}

fn take(alerts: &mut BTreeMap<Labels, Timestamp>, taken: &Taken) -> (u16, String) {
    assert_eq!(taken.parts.uri.path(), "/am/api/v2/alerts");
    if taken.parts.headers["authorization"] != format!("Bearer {CANARY}").as_str() {
        return (401, String::new());
    }
    for alert in taken.json().as_array().unwrap() {
        let Ok(labels) = serde_json::from_value::<Labels>(alert["labels"].clone()) else {
            return (400, "a label is no string".to_owned());
        };
        let time = |key: &str| alert[key].as_str().unwrap().parse::<Timestamp>().unwrap();
        let (start, end) = (time("startsAt"), time("endsAt"));
        let names = labels.keys().all(|name| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit())
        });
        if !names || labels.is_empty() || start >= end {
            return (400, "invalid label set".to_owned());
        }
        assert!(serde_json::from_value::<Labels>(alert["annotations"].clone()).is_ok());
        let known = alerts.entry(labels).or_insert(end);
        // Only an end that has come cuts an alert short.
        *known = if end <= now() { end } else { end.max(*known) };
    }
    (200, String::new())
}

fn config(peer: &Peer) -> AlertmanagerConfig {
    AlertmanagerConfig {
        url: Some(Secret::new(format!("{}/am/", peer.url))),
        token: Some(Secret::new(CANARY)),
        labels: BTreeMap::from([("team".to_owned(), "soc".to_owned())]),
        ..AlertmanagerConfig::default()
    }
}

fn build(config: &AlertmanagerConfig, timeout: Duration) -> Alertmanager {
    Alertmanager::from_config(config, timeout, Clock::manual(now())).unwrap()
}

async fn alertmanager() -> (FakeAlertmanager, Alertmanager) {
    let fake = FakeAlertmanager::start().await;
    let alertmanager = build(&config(&fake.peer), TIMEOUT);
    (fake, alertmanager)
}

#[tokio::test]
async fn an_alert_says_who_what_where_and_how_often() {
    let (fake, alertmanager) = alertmanager().await;
    send(&alertmanager, &notice(NoticeKind::Open))
        .await
        .unwrap();
    insta::assert_json_snapshot!(fake.peer.taken()[0].json());
}

#[tokio::test]
async fn an_incident_is_one_alert_through_its_whole_life() {
    let (fake, alertmanager) = alertmanager().await;
    let mut remote = None;
    for (state, severity, active) in [
        (State::Open, Priority::Error, vec!["error"]),
        (State::Open, Priority::Error, vec!["error"]),
        (State::Open, Priority::Critical, vec!["critical"]),
        (State::Acknowledged, Priority::Critical, vec!["critical"]),
        (State::Quiet, Priority::Alert, vec![]),
        (State::Open, Priority::Alert, vec!["alert"]),
        (State::Closed, Priority::Alert, vec![]),
    ] {
        let mut notice = notice(NoticeKind::Update);
        notice.incident.state = state;
        notice.incident.severity = severity;
        notice.remote = remote;
        remote = send(&alertmanager, &notice).await.unwrap().remote;
        assert_eq!(fake.active(), active, "{state:?} {severity}");
    }
}

#[tokio::test]
async fn what_ended_before_it_was_told_stands_for_a_short_time() {
    let (fake, alertmanager) = alertmanager().await;
    let mut notice = notice(NoticeKind::Open);
    notice.incident.state = State::Quiet;
    send(&alertmanager, &notice).await.unwrap();
    let ends: Vec<_> = fake.alerts.lock().unwrap().values().copied().collect();
    assert_eq!(ends, [later(now(), SOON)]);
}

#[tokio::test]
async fn a_retry_repeats_the_same_alert() {
    let (fake, alertmanager) = alertmanager().await;
    fake.peer.plan([Planned::with(429, "retry-after", "7")]);
    let notice = notice(NoticeKind::Open);
    let error = send(&alertmanager, &notice).await.unwrap_err();
    let after = Some(Duration::from_secs(7));
    assert_eq!(error.verdict, Verdict::Retry { after });
    send(&alertmanager, &notice).await.unwrap();
    let taken = fake.peer.taken();
    assert_eq!(taken[0].body, taken[1].body);
    assert_eq!(fake.active(), ["critical"]);
}

#[tokio::test]
async fn hostile_text_is_inert_and_changes_no_label_but_its_own() {
    let (fake, alertmanager) = alertmanager().await;
    for title in HOSTILE {
        let mut notice = titled(NoticeKind::Open, title);
        notice.report.lead = title.to_owned();
        notice.incident.labels = [title, "proc.name", "9p", "severity", "team", "incident", ""]
            .map(|name| (name.to_owned(), title.into()))
            .to_vec();
        send(&alertmanager, &notice).await.unwrap();
        let sent = fake.peer.taken().pop().unwrap().json();
        let (labels, annotations) = (&sent[0]["labels"], &sent[0]["annotations"]);
        let line = inert::line(title, LABEL);
        for name in ["alertname", "proc_name", "_9p", "_"] {
            assert_eq!(labels[name], line, "{name}");
        }
        assert_eq!(
            (&labels["severity"], &labels["team"]),
            (&json!("critical"), &json!("soc"))
        );
        assert_eq!(labels["incident"], json!(notice.incident.uid));
        assert_eq!(
            (&annotations["summary"], &annotations["description"]),
            (&json!(line), &json!(line))
        );
    }
}

#[tokio::test]
async fn answers_are_judged_by_their_status() {
    for (status, expected) in [
        (200, "sent"),
        (400, "unacceptable"),
        (413, "unacceptable"),
        (302, "fail"),
        (401, "fail"),
        (403, "fail"),
        (404, "fail"),
        (410, "fail"),
        (408, "retry"),
        (425, "retry"),
        (429, "retry"),
        (500, "retry"),
        (503, "retry"),
    ] {
        let (fake, alertmanager) = alertmanager().await;
        fake.peer.plan([Planned::status(status, CANARY)]);
        let outcome = match send(&alertmanager, &notice(NoticeKind::Open)).await {
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
    let alertmanager = build(&config(&peer), IMPATIENT);
    let error = send(&alertmanager, &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert!(retried(&error));
}

#[tokio::test]
async fn a_user_and_a_password_may_stand_for_the_token() {
    let peer = Peer::start().await;
    let alertmanager = build(
        &AlertmanagerConfig {
            token: None,
            username: Some("falco".to_owned()),
            password: Some(Secret::new(CANARY)),
            ..config(&peer)
        },
        TIMEOUT,
    );
    send(&alertmanager, &notice(NoticeKind::Open))
        .await
        .unwrap();
    let taken = peer.taken().pop().unwrap();
    // falco:canary-5f2c9e
    assert_eq!(
        taken.parts.headers["authorization"],
        "Basic ZmFsY286Y2FuYXJ5LTVmMmM5ZQ=="
    );
}

#[tokio::test]
async fn a_wrong_section_is_refused_without_its_secrets() {
    let peer = Peer::start().await;
    let refused = |change: &dyn Fn(&mut AlertmanagerConfig)| {
        let mut section = config(&peer);
        change(&mut section);
        let result = Alertmanager::from_config(&section, TIMEOUT, Clock::manual(now()));
        let error = result.unwrap_err();
        assert!(!format!("{error} {error:?} {section:?}").contains(CANARY));
        error.to_string()
    };
    let secret = |text: &str| Some(Secret::new(format!("{text}{CANARY}")));
    insta::assert_snapshot!(refused(&|c| c.url = None), @"set one of `url`, `url_env` or `url_file`");
    insta::assert_snapshot!(refused(&|c| c.url = secret("file:///")), @"alertmanager: `url` must be an http or https address");
    insta::assert_snapshot!(refused(&|c| c.password = secret("")), @"alertmanager: set `username` and a password, or a token, or neither");
    insta::assert_snapshot!(refused(&|c| c.resolve_after = Span(Duration::ZERO)), @"alertmanager: `resolve_after`: at least 5m");
    insta::assert_snapshot!(refused(&|c| {
        c.labels.insert("the team".to_owned(), String::new());
    }), @"alertmanager: `labels`: `the team` is no label name");
}

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    let (fake, alertmanager) = alertmanager().await;
    let standing = || {
        let alerts = fake.alerts.lock().unwrap();
        let incidents = alerts.keys().map(|labels| labels["incident"].clone());
        incidents.collect::<std::collections::BTreeSet<_>>().len()
    };
    let limit = || contract::limit(&fake.peer);
    contract::lives(&alertmanager, Keeps::One, limit, standing).await;
}
