//! Peers and notices for the tests of the kinds. Peers listen on a free loopback port.

pub(super) mod contract;
pub(super) mod discord;
pub(super) mod github;
pub(super) mod gitlab;
pub(super) mod google_chat;
pub(super) mod http;
pub(super) mod jira;
pub(super) mod matrix;
pub(super) mod mattermost;
pub(super) mod peers;
pub(super) mod redmine;
pub(super) mod rt;
pub(super) mod slack;
pub(super) mod smtp;
pub(super) mod teams;
pub(super) mod telegram;
pub(super) mod tracker;

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Configured, Destination, Notice, NoticeKind, Receipt, SendError, Setup, Verdict};
use crate::classify::{Category, Classifier, ClassifyConfig, Nature};
use crate::event::{EventId, Priority};
use crate::incident::{GroupKey, Incident, State};
use crate::link::Links;
use crate::markup::escape::{code_block, code_span, inline, table_cell};
use crate::markup::testing::corpus;
use crate::markup::visible::one_line;
use crate::mask::{Key, MaskConfig, Masker};
use crate::report::{Engine, Report};
use crate::route::RouteId;

/// Must never be seen in an error, a receipt or a debug text.
pub(super) const CANARY: &str = "canary-5f2c9e";

/// Long enough for a loaded machine.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

/// Short enough for the tests of what never answers.
pub(super) const IMPATIENT: Duration = Duration::from_millis(150);

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_772_359_200).unwrap()
}

/// What deliveries are made with at a site that configures nothing but destinations.
pub(super) fn setup(destinations: Vec<Configured>) -> Setup {
    Setup {
        destinations,
        engine: Engine::default(),
        classifier: Classifier::try_new(&ClassifyConfig::default()).unwrap(),
        links: Links::new(None, [0; 32]),
        masker: Masker::try_new(&MaskConfig::default(), Key::random()).unwrap(),
    }
}

/// A notice about an incident of two events.
pub(super) fn notice(kind: NoticeKind) -> Notice {
    titled(kind, "Terminal shell in container on node-1")
}

pub(super) fn titled(kind: NoticeKind, title: &str) -> Notice {
    let uid = Uuid::from_u128(0x0193_5a6b_7c8d_7e9f_8a0b_1c2d_3e4f_5061);
    let route = RouteId("0".to_owned());
    let incident = Incident {
        id: None,
        uid,
        key: GroupKey::new(&route, []),
        route,
        state: match kind {
            NoticeKind::Close => State::Quiet,
            _ => State::Open,
        },
        rule: title.into(),
        category: Category::ShellExecution,
        nature: Nature::Security,
        severity: Priority::Critical,
        labels: vec![("hostname".to_owned(), "node-1".into())],
        count: 2,
        first_received: now(),
        last_received: now(),
        first_time: now(),
        last_time: now(),
        first_event: EventId(1),
        last_event: EventId(2),
        spread: crate::incident::Spread::default(),
        handled: None,
        opened: now(),
        hushed: false,
        escalated: 0,
    };
    let number = match kind {
        NoticeKind::Open => 1,
        NoticeKind::Update => 2,
        NoticeKind::Close => 3,
    };
    Notice {
        key: format!("{uid}-{number}"),
        kind,
        incident,
        report: Report {
            title: title.to_owned(),
            lead: "A shell was started in a container.".to_owned(),
            severity: Priority::Critical,
            markdown: markdown(),
        },
        event: br#"{"rule":"x","output_fields":{"evt.time":1772359200000000123,"r":1.10}}"#
            .to_vec(),
        link: Some("https://herald.example.com/incidents/1".to_owned()),
        remote: None,
        previous: None,
    }
}

fn markdown() -> String {
    "# Terminal shell in container on node-1\n\n**Critical** on node-1, twice.\n\n\
     ## What happened\n\n- `bash -c id`\n- by `root`\n\n## What to do\n\n1. Look.\n"
        .to_owned()
}

/// A notice whose report is longer than one Slack message.
pub(super) fn long(kind: NoticeKind) -> Notice {
    let mut notice = notice(kind);
    let value = "x".repeat(2_000);
    for part in 0..12 {
        let text = format!("\n## Part {part}\n\n```text\n{value}\n```\n");
        notice.report.markdown.push_str(&text);
    }
    notice
}

/// A notice whose report holds a value wherever a template can put one.
pub(super) fn saying(kind: NoticeKind, value: &str) -> Notice {
    let line = one_line(value);
    let mut notice = titled(kind, &line);
    notice.report.lead = line.into_owned();
    notice.report.markdown = format!(
        "# T {0}\n\n**Where** {0}, {1}\n\n## Part {0}\n\n- {0}\n- {1}\n\n| h | {0} |\n|---|---|\n| {1} | {2} |\n\n> {0}\n\n{3}\n",
        inline(value),
        code_span(value),
        table_cell(value),
        code_block(value, "text"),
    );
    notice
}

/// Every value of the corpus in a report.
pub(super) fn hostile_notices(kind: NoticeKind) -> impl Iterator<Item = Notice> {
    let values = corpus().into_iter().map(|row| row.value);
    let values = values.chain(HOSTILE.map(str::to_owned));
    values.map(move |value| saying(kind, &value))
}

/// Titles that try to be more than a title.
pub(super) const HOSTILE: [&str; 5] = [
    "x\r\nBcc: evil@example.com\r\n\r\nbody",
    "<!channel> <@U1> <https://evil.example|click>",
    "a\u{202e}gnp.exe\u{2066}\u{200b}",
    "*b* _i_ ~s~ `c` <b>x</b> &amp; \u{1b}[2J",
    "\"}], \"blocks\": [{\"type\":\"image\"",
];

/// Sends a notice; no word of what came back may hold a secret or an address.
pub(super) async fn send(
    destination: &dyn Destination,
    notice: &Notice,
) -> Result<Receipt, SendError> {
    let result = destination.send(notice).await;
    let shown = match &result {
        Ok(receipt) => receipt.detail.clone(),
        Err(error) => format!("{error} {error:?}"),
    };
    for text in [shown, format!("{destination:?}")] {
        no_secret(&text);
        assert!(
            !text.contains("127.0.0.1") && !text.contains("://"),
            "{text}"
        );
    }
    result
}

/// An opening, an update and the end, each sent again and again while each of its requests in turn
/// is met as planned. In the end stands what stands without a single refusal: `standing` counts it.
pub(super) async fn said_once(
    destination: &dyn Destination,
    peer: &http::Peer,
    refusal: &http::Planned,
    standing: impl Fn() -> usize,
) {
    let mut remote = send(destination, &long(NoticeKind::Open))
        .await
        .unwrap()
        .remote;
    let whole = standing();
    for kind in [NoticeKind::Open, NoticeKind::Update, NoticeKind::Close] {
        for refused in 0.. {
            let mut notice = long(kind);
            notice.key = format!("{}-{refused}", notice.key);
            notice.remote = remote.clone().filter(|_| kind != NoticeKind::Open);
            let before = standing();
            let usual = std::iter::repeat_n(http::Planned::Usual, refused);
            peer.plan(usual.chain([refusal.clone()]));
            let first = send(destination, &notice).await;
            let ended = peer.unplan();
            let last = match first {
                Ok(receipt) => receipt,
                Err(error) => {
                    assert!(retried(&error), "{error:?}");
                    notice.remote = error.remote.or(notice.remote);
                    send(destination, &notice).await.unwrap()
                }
            };
            remote = last.remote;
            let more = if kind == NoticeKind::Open { whole } else { 1 };
            assert_eq!(standing(), before + more, "{kind:?}, request {refused}");
            if ended {
                break;
            }
        }
    }
}

pub(super) fn no_secret(text: &str) {
    assert!(!text.contains(CANARY), "{text}");
}

/// Whether the error is to be tried again.
pub(super) fn retried(error: &SendError) -> bool {
    matches!(error.verdict, Verdict::Retry { .. })
}

/// A later notice of the incident, with what is remembered of it.
pub(super) fn later(kind: NoticeKind, remote: Option<String>) -> Notice {
    let mut notice = notice(kind);
    notice.incident.count = 7;
    notice.report.markdown = notice.report.markdown.replace("twice", "seven times");
    notice.remote = remote;
    notice
}

/// Sends the opening notice; what is to be remembered of it.
pub(super) async fn opened(destination: &dyn Destination) -> Option<String> {
    let sent = send(destination, &notice(NoticeKind::Open)).await;
    sent.unwrap().remote
}
