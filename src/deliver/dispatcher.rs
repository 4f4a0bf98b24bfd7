//! Starts a worker per destination, and starts them anew when the configuration changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::circuit::Circuit;
use super::{Setup, Shared, digest, worker};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};

/// How long messages under way may take once the service stops.
const LAST_SENDS: Duration = Duration::from_secs(10);

/// What outlives a reload of the configuration.
#[derive(Clone, Debug, Default)]
struct Kept {
    circuit: Arc<Mutex<Circuit>>,
    /// Held by the task that sends digests: that of a new round waits for the end of the one before,
    /// or what is under way would be told twice.
    digests: Arc<tokio::sync::Mutex<()>>,
}

/// Owner of the workers.
#[derive(Debug)]
pub struct Dispatcher {
    store: Store,
    clock: Clock,
    metrics: Metrics,
    setup: watch::Receiver<Arc<Setup>>,
    circuits: BTreeMap<String, Kept>,
}

impl Dispatcher {
    /// A dispatcher over a store.
    pub fn new(
        store: Store,
        clock: Clock,
        metrics: Metrics,
        setup: watch::Receiver<Arc<Setup>>,
    ) -> Self {
        Self {
            store,
            clock,
            metrics,
            setup,
            circuits: BTreeMap::new(),
        }
    }

    /// Delivers until `stop`; then lets what is under way finish within ten seconds. What is cut
    /// is sent again after the next start, with the same key.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut workers = JoinSet::new();
        loop {
            let setup = Arc::clone(&self.setup.borrow_and_update());
            let round = stop.child_token();
            self.warn_of_orphans(&setup).await?;
            self.keep_circuits(&setup);
            // Workers of the round before finish what they began: the store never hands out two
            // deliveries of one incident and destination at once.
            self.start(&setup, &round, &mut workers);
            let reloaded = loop {
                tokio::select! {
                    () = stop.cancelled() => break false,
                    changed = self.setup.changed() => break changed.is_ok(),
                    Some(ended) = workers.join_next() => crashed(ended)?,
                }
            };
            round.cancel();
            if !reloaded {
                break;
            }
        }
        let finish = async {
            while let Some(ended) = workers.join_next().await {
                crashed(ended)?;
            }
            Ok(())
        };
        let finished = tokio::time::timeout(LAST_SENDS, finish).await;
        finished.unwrap_or_else(|_| {
            tracing::warn!("cut messages under way; they are sent again after the next start");
            Ok(())
        })
    }

    /// Deliveries to a destination that is not configured any more wait for it to come back.
    async fn warn_of_orphans(&self, setup: &Setup) -> Result<(), StoreError> {
        for (destination, deliveries) in orphans(self.store.pending().await?, setup) {
            tracing::warn!(
                destination.name = destination,
                deliveries,
                "deliveries wait for a destination that is not configured; \
                 configure it again or discard them"
            );
        }
        Ok(())
    }

    /// What is known of a destination outlives a reload, but somebody may have mended it.
    fn keep_circuits(&mut self, setup: &Setup) {
        let now = self.clock.now();
        let mut before = std::mem::take(&mut self.circuits);
        for configured in &setup.destinations {
            let kept = before.remove(&configured.name).unwrap_or_default();
            let mut known = kept.circuit.lock().unwrap_or_else(PoisonError::into_inner);
            known.probe_at_once(now);
            if known.stop().is_none() {
                self.metrics.resumed(&configured.name);
            }
            drop(known);
            self.circuits.insert(configured.name.clone(), kept);
        }
        for gone in before.keys() {
            self.metrics.forget_stop(gone);
        }
    }

    fn start(
        &self,
        setup: &Arc<Setup>,
        stop: &CancellationToken,
        workers: &mut JoinSet<Result<(), StoreError>>,
    ) {
        for configured in &setup.destinations {
            let kept = self.circuits.get(&configured.name).cloned();
            let Kept { circuit, digests } = kept.unwrap_or_default();
            let shared = Shared {
                store: self.store.clone(),
                clock: self.clock.clone(),
                metrics: self.metrics.clone(),
                setup: Arc::clone(setup),
                circuit,
            };
            let (configured, stop) = (configured.clone(), stop.clone());
            if configured.destination.digests().is_some() {
                workers.spawn(async move {
                    let turn = tokio::select! {
                        biased;
                        () = stop.cancelled() => return Ok(()),
                        turn = digests.lock_owned() => turn,
                    };
                    let ended = digest::run(configured, shared, stop).await;
                    drop(turn);
                    ended
                });
            } else {
                workers.spawn(worker::run(configured, shared, stop));
            }
        }
    }
}

/// The pending deliveries of destinations that are not configured.
fn orphans(pending: Vec<(String, u64)>, setup: &Setup) -> impl Iterator<Item = (String, u64)> {
    let known = |name: &str| setup.destinations.iter().any(|known| known.name == name);
    pending
        .into_iter()
        .filter(move |(destination, _)| !known(destination))
}

/// A worker that ends by itself has lost its store; one that panics is a bug. Either way the process
/// must not go on as if it delivered.
fn crashed(
    ended: Result<Result<(), StoreError>, tokio::task::JoinError>,
) -> Result<(), StoreError> {
    ended.unwrap_or(Err(StoreError::Closed))
}

#[cfg(test)]
mod tests;
