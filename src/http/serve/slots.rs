//! Who may stay when all places are taken.
//!
//! A place is given up by the connection that has waited longest without a request under way: first
//! those that never sent a whole request head, then kept ones. So peers that hold connections open and
//! say nothing cannot lock out those that have something to say.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// How many that have lost their place may still be closing while the next connection is accepted.
const LEAVING: usize = 2;

/// The places of a listener.
#[derive(Debug)]
pub(super) struct Slots {
    limit: usize,
    metrics: Metrics,
    state: Mutex<State>,
    ended: Notify,
}

/// In the order in which they have to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wait {
    /// For the first request head.
    First,
    /// For the next one.
    Next,
}

#[derive(Debug, Default)]
struct State {
    /// Counts everything that happens, so that what is older has the lower number.
    steps: u64,
    places: HashMap<u64, Place>,
    waiting: BTreeMap<(Wait, u64), u64>,
    /// Connections that are open, with or without a place.
    open: usize,
}

#[derive(Debug)]
struct Place {
    waits: Option<(Wait, u64)>,
    evicted: CancellationToken,
}

impl State {
    fn step(&mut self) -> u64 {
        self.steps += 1;
        self.steps
    }

    fn wait(&mut self, id: u64, wait: Wait) {
        let key = (wait, self.step());
        if let Some(place) = self.places.get_mut(&id) {
            place.waits = Some(key);
            self.waiting.insert(key, id);
        }
    }
}

impl Slots {
    pub(super) fn new(limit: usize, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            limit,
            metrics,
            state: Mutex::default(),
            ended: Notify::new(),
        })
    }

    /// A place, if need be that of another; none while all have requests under way.
    pub(super) fn take(self: &Arc<Self>) -> Option<Slot> {
        let mut state = self.state();
        if state.places.len() >= self.limit {
            let (_, id) = state.waiting.pop_first()?;
            if let Some(place) = state.places.remove(&id) {
                place.evicted.cancel();
            }
            self.metrics.connections_evicted.inc();
        }
        let id = state.step();
        let evicted = CancellationToken::new();
        let place = Place {
            waits: None,
            evicted: evicted.clone(),
        };
        state.places.insert(id, place);
        state.wait(id, Wait::First);
        state.open += 1;
        drop(state);
        self.metrics.connections.inc();
        Some(Slot {
            slots: Arc::clone(self),
            id,
            evicted,
            busy: AtomicBool::new(false),
        })
    }

    /// Waits while too many that have lost their place are still open: they take descriptors too.
    pub(super) async fn settled(&self) {
        while self.state().open > self.limit.saturating_add(LEAVING) {
            self.ended.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    id: u64,
    evicted: CancellationToken,
    busy: AtomicBool,
}

impl Slot {
    /// A request begins: the place is safe.
    pub(super) fn begin(&self) {
        self.busy.store(true, Ordering::Relaxed);
        let mut state = self.slots.state();
        let place = state.places.get_mut(&self.id);
        if let Some(key) = place.and_then(|place| place.waits.take()) {
            state.waiting.remove(&key);
        }
    }

    /// It is answered.
    pub(super) fn end(&self) {
        self.busy.store(false, Ordering::Relaxed);
        self.slots.state().wait(self.id, Wait::Next);
    }

    /// Whether a request is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Whether another connection has got the place.
    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.is_cancelled()
    }

    /// Ends when another connection has got the place.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        let place = state.places.remove(&self.id);
        if let Some(key) = place.and_then(|place| place.waits) {
            state.waiting.remove(&key);
        }
        state.open -= 1;
        drop(state);
        self.slots.metrics.connections.dec();
        self.slots.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(slot: &Slot) -> bool {
        slot.is_evicted()
    }

    #[test]
    fn who_never_asked_goes_first_and_who_is_being_served_stays() {
        let slots = Slots::new(3, Metrics::default());
        let (kept, silent, busy) = (slots.take(), slots.take(), slots.take());
        let (kept, silent, busy) = (kept.unwrap(), silent.unwrap(), busy.unwrap());
        kept.begin();
        kept.end();
        busy.begin();
        let fourth = slots.take().unwrap();
        assert!(gone(&silent) && !gone(&kept));
        fourth.begin();
        let fifth = slots.take().unwrap();
        assert!(gone(&kept));
        fifth.begin();
        assert!(slots.take().is_none());
        // The places of those who had to go are not free a second time.
        drop((silent, kept));
        assert!(slots.take().is_none());
        drop(busy);
        let sixth = slots.take().unwrap();
        assert!(!gone(&fourth) && !gone(&fifth) && !gone(&sixth));
        assert_eq!(slots.metrics.connections_evicted.get(), 2);
        assert_eq!(slots.metrics.connections.get(), 3);
    }
}
