//! Peers and notices for the tests of the kinds. Peers listen on a free loopback port.

pub(super) mod http;
pub(super) mod slack;
pub(super) mod smtp;

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Destination, Notice, NoticeKind, Receipt, SendError, Verdict};
use crate::classify::{Category, Nature};
use crate::event::{EventId, Priority};
use crate::incident::{GroupKey, Incident, State};
use crate::report::Report;
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
        assert!(!text.contains(CANARY), "{text}");
        assert!(
            !text.contains("127.0.0.1") && !text.contains("://"),
            "{text}"
        );
    }
    result
}

/// Whether the error is to be tried again.
pub(super) fn retried(error: &SendError) -> bool {
    matches!(error.verdict, Verdict::Retry { .. })
}
