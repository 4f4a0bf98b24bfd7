//! Notices of an incident that never was, to try templates on before anything happens.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::{Notice, NoticeKind};
use crate::classify::{Category, Nature};
use crate::event::{EventId, Priority};
use crate::incident::{GroupKey, Handled, Incident, Spread, State};
use crate::report::Report;
use crate::route::RouteId;

/// One of every kind and state, with and without what may be missing.
pub(super) fn notices() -> Vec<Notice> {
    let ways = [
        (NoticeKind::Open, State::Open, true),
        (NoticeKind::Update, State::Acknowledged, true),
        (NoticeKind::Close, State::Quiet, false),
        (NoticeKind::Close, State::Closed, true),
    ];
    let of =
        |(kind, state, full)| Priority::ALL.map(|severity| notice(kind, state, severity, full));
    ways.into_iter().flat_map(of).collect()
}

fn notice(kind: NoticeKind, state: State, severity: Priority, full: bool) -> Notice {
    let route = RouteId("0".to_owned());
    let (event, at) = (EventId(1), Timestamp::UNIX_EPOCH);
    let title = "A \"sample\"\n<b>";
    Notice {
        key: "sample".to_owned(),
        kind,
        incident: Incident {
            id: None,
            uid: Uuid::nil(),
            key: GroupKey::new(&route, []),
            route,
            state,
            rule: title.into(),
            category: Category::Other,
            nature: Nature::Test,
            severity,
            labels: if full {
                vec![("hostname".to_owned(), title.into())]
            } else {
                Vec::new()
            },
            count: 1,
            first_received: at,
            last_received: at,
            first_time: at,
            last_time: at,
            first_event: event,
            last_event: event,
            spread: Spread::default(),
            handled: full.then(|| Handled {
                by: title.into(),
                at,
            }),
            opened: at,
            hushed: false,
            escalated: 0,
        },
        report: Report {
            title: title.to_owned(),
            lead: title.to_owned(),
            severity,
            markdown: "# A sample\n\nText.\n".to_owned(),
        },
        event: b"{}".to_vec(),
        link: full.then(|| "https://herald.example.com/incidents/1".to_owned()),
        remote: None,
        previous: None,
    }
}
