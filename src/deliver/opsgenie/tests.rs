use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::deliver::testing::contract::{self, Keeps};
use crate::deliver::testing::http::{Peer, Planned, Taken};
use crate::deliver::testing::{
    CANARY, HOSTILE, IMPATIENT, TIMEOUT, notice, now, retried, send, titled,
};
use crate::deliver::{NoticeKind, Verdict};
use crate::incident::State;

/// An alert as it stands.
#[derive(Clone, Debug, Default, PartialEq)]
struct Alert {
    status: &'static str,
    count: u32,
    description: String,
    priority: String,
}

/// A strict, stateful alert API: one open alert an alias; the first question after a request finds
/// it still queued.
#[derive(Clone, Debug)]
struct FakeOpsgenie {
    peer: Peer,
    state: Arc<Mutex<Account>>,
}

#[derive(Debug, Default)]
struct Account {
    /// Oldest first, the closed ones too.
    alerts: Vec<Alert>,
    requests: BTreeMap<String, (u32, bool)>,
    refuse: bool,
}

impl FakeOpsgenie {
    async fn start() -> Self {
        let state: Arc<Mutex<Account>> = Arc::default();
        let shared = Arc::clone(&state);
        let peer = Peer::replying(move |taken| shared.lock().unwrap().reply(taken)).await;
        Self { peer, state }
    }

    fn alerts(&self) -> Vec<Alert> {
        self.state.lock().unwrap().alerts.clone()
    }
}

impl Account {
    fn reply(&mut self, taken: &Taken) -> (u16, String) {
        let key = format!("GenieKey {CANARY}");
        if taken.parts.headers["authorization"] != key.as_str() {
            return (401, String::new());
        }
        let path = taken.parts.uri.path().strip_prefix("/v2/alerts").unwrap();
        if let Some(id) = path.strip_prefix("/requests/") {
            let Some((asked, success)) = self.requests.get_mut(id) else {
                return (404, "{}".to_owned());
            };
            *asked += 1;
            return if *asked == 1 {
                (404, "{}".to_owned())
            } else {
                (
                    200,
                    json!({ "data": { "isSuccess": *success, "status": CANARY } }).to_string(),
                )
            };
        }
        let body = taken.json();
        let done = if path.is_empty() {
            match check(&body) {
                Ok(()) => !self.refuse && self.create(&body),
                Err(message) => return (422, json!({ "message": message }).to_string()),
            }
        } else {
            assert_eq!(taken.parts.uri.query(), Some("identifierType=alias"));
            let (alias, part) = path.trim_start_matches('/').split_once('/').unwrap();
            assert_eq!(alias, notice(NoticeKind::Open).incident.uid.to_string());
            self.change(&taken.parts.method, part, &body)
        };
        let id = format!("43a29c5c-{}", self.requests.len());
        self.requests.insert(id.clone(), (0, done));
        let answer = json!({ "result": "Request will be processed", "requestId": id });
        (202, answer.to_string())
    }

    fn open(&mut self) -> Option<&mut Alert> {
        let last = self.alerts.last_mut();
        last.filter(|alert| alert.status != "closed")
    }

    fn create(&mut self, body: &Value) -> bool {
        if let Some(alert) = self.open() {
            alert.count += 1;
        } else {
            self.alerts.push(Alert {
                status: "open",
                count: 1,
                description: body["description"].as_str().unwrap().to_owned(),
                priority: body["priority"].as_str().unwrap().to_owned(),
            });
        }
        true
    }

    fn change(&mut self, method: &Method, part: &str, body: &Value) -> bool {
        let Some(alert) = self.open() else {
            return false;
        };
        match (method.as_str(), part) {
            ("POST", "acknowledge") => alert.status = "acknowledged",
            ("POST", "close") => alert.status = "closed",
            ("PUT", "description") => alert.description = body[part].as_str().unwrap().to_owned(),
            ("PUT", "priority") => alert.priority = body[part].as_str().unwrap().to_owned(),
            other => panic!("{other:?}"),
        }
        true
    }
}

fn check(body: &Value) -> Result<(), &'static str> {
    let chars = |key: &str| body[key].as_str().unwrap_or_default().chars().count();
    let known = [
        "message",
        "alias",
        "description",
        "responders",
        "visibleTo",
        "actions",
        "tags",
        "details",
        "entity",
        "source",
        "priority",
        "user",
        "note",
    ];
    let object = body.as_object().ok_or("not an object")?;
    let details = body["details"].as_object().ok_or("details")?;
    let size = |(name, value): (&String, &Value)| {
        value
            .as_str()
            .map(|value| name.chars().count() + value.chars().count())
    };
    let details: Option<usize> = details.iter().map(size).sum();
    for (holds, wrong) in [
        (
            object.keys().all(|key| known.contains(&key.as_str())),
            "an unknown key",
        ),
        ((1..=130).contains(&chars("message")), "message"),
        ((1..=512).contains(&chars("alias")), "alias"),
        (chars("description") <= 15_000, "description"),
        (
            chars("entity") <= 512 && chars("source") <= 100,
            "entity or source",
        ),
        (details.is_some_and(|size| size <= 8_000), "details"),
        (
            ["P1", "P2", "P3", "P4", "P5"]
                .map(Value::from)
                .contains(&body["priority"]),
            "priority",
        ),
    ] {
        holds.then_some(()).ok_or(wrong)?;
    }
    Ok(())
}

fn build(peer: &Peer, timeout: Duration) -> Opsgenie {
    let config = OpsgenieConfig {
        api_key: Some(Secret::new(CANARY)),
        api_url: Some(peer.url.clone()),
        team: Some("soc".to_owned()),
        tags: vec!["falco".to_owned()],
        ..OpsgenieConfig::default()
    };
    let mut opsgenie = Opsgenie::from_config(&config, timeout, Clock::system()).unwrap();
    opsgenie.poll = Duration::from_millis(1);
    opsgenie
}

async fn opsgenie() -> (FakeOpsgenie, Opsgenie) {
    let fake = FakeOpsgenie::start().await;
    let opsgenie = build(&fake.peer, TIMEOUT);
    (fake, opsgenie)
}

#[tokio::test]
async fn an_alert_says_who_what_where_and_how_often() {
    let (fake, opsgenie) = opsgenie().await;
    send(&opsgenie, &notice(NoticeKind::Open)).await.unwrap();
    insta::assert_json_snapshot!(fake.peer.taken()[0].json());
}

#[tokio::test]
async fn an_incident_is_one_alert_until_it_ends_and_another_after_that() {
    let (fake, opsgenie) = opsgenie().await;
    let mut remote = None;
    for (state, severity, expected) in [
        (State::Open, Priority::Error, ("open", 1, "P2", 1, "open")),
        (
            State::Open,
            Priority::Critical,
            ("open", 2, "P1", 1, "open"),
        ),
        (
            State::Acknowledged,
            Priority::Alert,
            ("acknowledged", 2, "P1", 1, "acknowledged"),
        ),
        (
            State::Quiet,
            Priority::Alert,
            ("closed", 2, "P1", 1, "acknowledged"),
        ),
        (State::Open, Priority::Alert, ("open", 1, "P1", 2, "open")),
        (
            State::Closed,
            Priority::Alert,
            ("closed", 1, "P1", 2, "open"),
        ),
    ] {
        let mut notice = notice(NoticeKind::Update);
        notice.incident.state = state;
        notice.incident.severity = severity;
        notice.report.markdown = format!("# x\n\n{}\n", state.name());
        notice.remote = remote;
        remote = send(&opsgenie, &notice).await.unwrap().remote;
        let alerts = fake.alerts();
        let alert = alerts.last().unwrap();
        let (priority, text) = (alert.priority.as_str(), alert.description.as_str());
        let text = text.lines().last().unwrap();
        assert_eq!(
            (alert.status, alert.count, priority, alerts.len(), text),
            expected
        );
    }
}

#[tokio::test]
async fn what_was_closed_there_needs_no_closing() {
    let (fake, opsgenie) = opsgenie().await;
    let mut notice = notice(NoticeKind::Close);
    notice.remote = Some("triggered".to_owned());
    send(&opsgenie, &notice).await.unwrap();
    assert!(fake.alerts().is_empty());
}

#[tokio::test]
async fn an_alert_that_is_taken_and_not_processed_is_said_more_plainly() {
    let (fake, opsgenie) = opsgenie().await;
    fake.state.lock().unwrap().refuse = true;
    let error = send(&opsgenie, &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert_eq!(error.verdict, Verdict::Unacceptable);
}

#[tokio::test]
async fn an_alert_that_stays_queued_counts_as_taken() {
    let (fake, opsgenie) = opsgenie().await;
    let odd = json!({ "requestId": "../../v2/users" }).to_string();
    let queued = json!({ "requestId": "unknown" }).to_string();
    for (answer, asked) in [("", 0), (odd.as_str(), 0), (queued.as_str(), POLLS)] {
        let before = fake.peer.taken().len();
        fake.peer.plan([Planned::status(202, answer)]);
        send(&opsgenie, &notice(NoticeKind::Open)).await.unwrap();
        let after = u32::try_from(fake.peer.taken().len() - before).unwrap();
        assert_eq!(after, 1 + asked, "{answer}");
    }
}

#[tokio::test]
async fn a_retry_repeats_the_same_alert_with_the_same_alias() {
    let (fake, opsgenie) = opsgenie().await;
    fake.peer.plan([Planned::with(429, "retry-after", "7")]);
    let notice = notice(NoticeKind::Open);
    let error = send(&opsgenie, &notice).await.unwrap_err();
    let after = Some(Duration::from_secs(7));
    assert_eq!(error.verdict, Verdict::Retry { after });
    send(&opsgenie, &notice).await.unwrap();
    let taken = fake.peer.taken();
    assert_eq!(taken[0].body, taken[1].body);
    assert_eq!((fake.alerts().len(), fake.alerts()[0].count), (1, 1));
}

#[tokio::test]
async fn hostile_text_is_inert_and_within_the_limits() {
    let (fake, opsgenie) = opsgenie().await;
    let long = "\u{1f600}<".repeat(40_000);
    for title in HOSTILE.into_iter().chain([long.as_str()]) {
        let mut notice = titled(NoticeKind::Open, title);
        notice.report.markdown = format!("# x\n\n```text\n{title}\n```\n");
        notice.incident.labels = (0..40)
            .map(|number| (format!("f{number}"), title.into()))
            .chain([("rule".to_owned(), "a label".into())])
            .collect();
        let before = fake.peer.taken().len();
        send(&opsgenie, &notice).await.unwrap();
        let body = fake.peer.taken()[before].json();
        assert_eq!(body["message"], inert::line(title, 130));
        assert!(!body.to_string().contains(['<', '>']));
        assert_ne!(body["details"]["rule"], "a label");
    }
}

#[tokio::test]
async fn answers_are_judged_as_the_documentation_says() {
    for (status, expected) in [
        (200, "retry"),
        (202, "sent"),
        (400, "unacceptable"),
        (422, "unacceptable"),
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
        let (fake, opsgenie) = opsgenie().await;
        fake.peer.plan([Planned::status(status, CANARY)]);
        let outcome = match send(&opsgenie, &notice(NoticeKind::Open)).await {
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
    let error = send(&build(&peer, IMPATIENT), &notice(NoticeKind::Open))
        .await
        .unwrap_err();
    assert!(retried(&error));
}

#[test]
fn a_wrong_section_is_refused_without_its_secrets() {
    let refused = |config: &OpsgenieConfig| {
        let result = Opsgenie::from_config(config, TIMEOUT, Clock::manual(now()));
        let error = result.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(CANARY));
        error.to_string()
    };
    let none = OpsgenieConfig::default();
    insta::assert_snapshot!(refused(&none), @"set one of `api_key`, `api_key_env` or `api_key_file`");
    let url = OpsgenieConfig {
        api_key: Some(Secret::new(CANARY)),
        api_url: Some(format!("file:///{CANARY}")),
        ..OpsgenieConfig::default()
    };
    insta::assert_snapshot!(refused(&url), @"opsgenie: `api_url` must be an http or https address");
}

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    let (fake, opsgenie) = opsgenie().await;
    let standing = || fake.alerts().len();
    let limit = || contract::limit(&fake.peer);
    contract::lives(&opsgenie, Keeps::OneUntilClosed, limit, standing).await;
}
