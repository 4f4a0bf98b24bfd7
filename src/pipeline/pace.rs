//! How the second step keeps out of the way of those who wait for their answer.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// How long it waits for what comes right behind: a commit costs as much for one event as for many,
/// and keeps the disk from those who wait for their answer.
const GATHER: Duration = Duration::from_millis(3);

/// While this many answers wait for the disk, the second step waits too.
const BUSY: usize = 8;

/// How long it waits at a time.
const STEP_BACK: Duration = Duration::from_millis(2);

/// How long after it fell behind it stops waiting for others: it must not starve either.
const PATIENCE: Duration = Duration::from_millis(700);

/// Since when the second step is behind.
#[derive(Debug, Default)]
pub(super) struct Pace {
    behind: Option<Instant>,
}

/// Lets a few more events come.
pub(super) async fn gather() {
    sleep(GATHER).await;
}

impl Pace {
    /// Notes whether more than a batch is waiting.
    pub(super) fn look(&mut self, is_behind: bool) {
        let since = self.behind.filter(|_| is_behind);
        self.behind = since.or_else(|| Some(Instant::now()));
    }

    /// Lets a burst be acknowledged first.
    pub(super) async fn step_back(&self, store: &Store, stop: &CancellationToken) {
        let may_wait = || self.behind.is_some_and(|since| since.elapsed() < PATIENCE);
        while store.waiting() >= BUSY && may_wait() && !stop.is_cancelled() {
            sleep(STEP_BACK).await;
        }
    }
}
