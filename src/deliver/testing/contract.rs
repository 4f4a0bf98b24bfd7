//! The life of an incident as every kind must follow it: a limit that is waited for, the opening, an
//! end of the process right after it, three updates, one of them cut, the close, and the reopening.

use std::time::Duration;

use super::http::{Peer, Planned};
use super::{notice, send};
use crate::deliver::{Destination, Notice, NoticeKind, Receipt, Verdict};
use crate::incident::State;

/// What stands at the peer for one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::deliver) enum Keeps {
    /// One thing, which is found again when what is known of it was lost.
    One,
    /// One thing; another when the process ended before it was known that the first is out, because
    /// the peer has no way to ask.
    OneOrAnother,
    /// One thing until it is closed; the peer opens none again, so that another follows it.
    OneUntilClosed,
    /// A message for each notice, because the peer cannot change what was said.
    Each,
}

/// The peer asks to wait for seven seconds.
pub(in crate::deliver) fn limit(peer: &Peer) {
    peer.plan([Planned::with(429, "retry-after", "7")]);
}

fn told(kind: NoticeKind, count: u64, state: State, remote: Option<&String>) -> Notice {
    let mut notice = notice(kind);
    notice.key = format!("{}-{count}", notice.incident.uid);
    notice.incident.count = count;
    notice.incident.state = state;
    notice.remote = remote.cloned();
    notice
}

/// Runs the life. `standing` counts the things that stand for the incident.
pub(in crate::deliver) async fn lives(
    destination: &dyn Destination,
    keeps: Keeps,
    limit: impl FnOnce(),
    standing: impl Fn() -> usize,
) {
    let step = async |notice: &Notice, remote: &mut Option<String>| {
        let Receipt { remote: kept, .. } = send(destination, notice).await.unwrap();
        *remote = kept.or(remote.take());
    };
    let opening = told(NoticeKind::Open, 1, State::Open, None);
    limit();
    let error = send(destination, &opening).await.unwrap_err();
    let Verdict::Retry { after } = error.verdict else {
        panic!("a limit is no reason to give up: {error:?}");
    };
    assert!(after.is_none_or(|after| after >= Duration::from_secs(7)));
    assert_eq!(standing(), 0, "nothing stands where a limit was met");

    let mut remote = None;
    step(&opening, &mut remote).await;
    assert_eq!(standing(), 1, "opened");
    // The process ended before it could record that.
    step(&opening, &mut remote).await;
    let mut stands = match keeps {
        Keeps::One | Keeps::OneUntilClosed => 1,
        Keeps::OneOrAnother | Keeps::Each => 2,
    };
    assert_eq!(standing(), stands, "opened again after a crash");

    for (kind, count, state) in [
        (NoticeKind::Update, 3, State::Open),
        (NoticeKind::Update, 7, State::Open),
        (NoticeKind::Update, 8, State::Acknowledged),
        (NoticeKind::Close, 9, State::Closed),
        (NoticeKind::Update, 20, State::Open),
    ] {
        let notice = told(kind, count, state, remote.as_ref());
        step(&notice, &mut remote).await;
        let reopened = count == 20 && keeps == Keeps::OneUntilClosed;
        stands += usize::from(keeps == Keeps::Each || reopened);
        assert_eq!(standing(), stands, "{kind:?} of {count}");
        if count == 7 {
            // Cut after it was sent: what was known before is all that is known.
            step(&notice, &mut remote).await;
            stands += usize::from(keeps == Keeps::Each);
            assert_eq!(
                standing(),
                stands,
                "{kind:?} of {count}, again after a crash"
            );
        }
    }
}

/// How many of the texts hold the title of the report: of all messages, only those that open do.
pub(in crate::deliver) fn titled(texts: impl IntoIterator<Item = impl ToString>) -> usize {
    let title = notice(NoticeKind::Open).report.title;
    let texts = texts.into_iter().map(|text| text.to_string());
    texts.filter(|text| text.contains(&title)).count()
}
