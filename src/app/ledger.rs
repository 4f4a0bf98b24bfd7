//! The continuous audit: whatever is taken over is looked at once, soon after.

use std::time::Duration;

use crate::clock::Clock;
use crate::event::{EventId, herald_event};
use crate::metrics::Metrics;
use crate::store::{Account, Audit, Period, Store, StoreError};

/// How often what is new is audited.
const EVERY: Duration = Duration::from_mins(1);

/// Audits until it is aborted. Sleeps while nothing comes in.
pub(super) async fn watch(store: Store, clock: Clock, metrics: Metrics) {
    let mut latest = store.latest();
    let mut audited = EventId::default();
    loop {
        match audit(&store, audited).await {
            Ok(found) => {
                tell(&found, &metrics);
                if let Some(problem) = found.problems.first() {
                    alert(&store, &clock, &found, problem).await;
                }
                audited = audited.max(found.last);
            }
            Err(error) => tracing::warn!(%error, "cannot audit"),
        }
        clock.sleep(EVERY).await;
        // What was taken over since the last look is audited even when nothing follows.
        let behind = *latest.borrow_and_update() > audited;
        if !behind && latest.changed().await.is_err() {
            return;
        }
    }
}

/// Looks at all batches after `audited`; the incidents' counts too when that is everything.
async fn audit(store: &Store, audited: EventId) -> Result<Audit, StoreError> {
    let period = Period {
        after: audited,
        ..Period::default()
    };
    store.audit(period).await
}

/// A mismatch is an alert like any other, on the route for health.
async fn alert(store: &Store, clock: &Clock, found: &Audit, problem: &str) {
    let count = found.problem_count;
    let output =
        format!("The account of events does not balance: {problem} (problem 1 of {count})");
    let fields = serde_json::json!({ "herald.problem": problem, "herald.problems": count });
    let now = clock.now();
    let event = herald_event(
        "account does not balance",
        "Critical",
        "",
        &output,
        &fields,
        now,
    );
    if let Err(error) = store.append(now, vec![event]).await {
        tracing::error!(%error, "cannot alert that the account does not balance");
    }
}

fn tell(found: &Audit, metrics: &Metrics) {
    let queued = found.fates.get(&Account::Queued).copied();
    let audited = found.received.saturating_sub(queued.unwrap_or(0));
    metrics.audited.inc_by(audited);
    metrics.audit_problems.inc_by(found.problem_count);
    for problem in &found.problems {
        tracing::error!(problem, "the account of events does not balance");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Step;

    #[tokio::test]
    async fn an_event_without_a_fate_is_an_error_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let store = Store::open(folder.path(), &clock).unwrap();
        let bodies = vec![b"{}".to_vec(), b"{}".to_vec()];
        store.append(clock.now(), bodies).await.unwrap();
        let events = store.inbox_after(EventId(0), 10).await.unwrap();
        let step = Step {
            cursor: Some(EventId(2)),
            events,
            unrouted: vec![EventId(1)],
            ..Step::default()
        };
        store.commit_step(step).await.unwrap();
        let metrics = Metrics::default();
        let watch = tokio::spawn(watch(store.clone(), clock, metrics.clone()));
        let mut latest = store.latest();
        while metrics.audited.get() == 0 || *latest.borrow_and_update() < EventId(3) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        watch.abort();
        // The event, and the sum.
        assert_eq!(
            (metrics.audited.get(), metrics.audit_problems.get()),
            (2, 2)
        );
        let queued = store.inbox_after(EventId(2), 10).await.unwrap();
        let alert = String::from_utf8(queued[0].body.clone()).unwrap();
        assert!(alert.contains("event 2 has no fate"), "{alert}");
        let found = store.audit(Period::default()).await.unwrap();
        assert!(!found.balanced);
        assert_eq!(found.problems[0], "event 2 has no fate");
    }
}
