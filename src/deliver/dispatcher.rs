//! Starts a worker per destination, and starts them anew when the configuration changes.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Setup, Shared, worker};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};

/// Owner of the workers.
#[derive(Debug)]
pub struct Dispatcher {
    store: Store,
    clock: Clock,
    metrics: Metrics,
    setup: watch::Receiver<Arc<Setup>>,
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
        }
    }

    /// Delivers until `stop`; then lets what is under way finish.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), StoreError> {
        loop {
            let setup = Arc::clone(&self.setup.borrow_and_update());
            let round = stop.child_token();
            self.warn_of_orphans(&setup).await?;
            let mut workers = self.start(&setup, &round);
            let reloaded = loop {
                tokio::select! {
                    () = stop.cancelled() => break false,
                    changed = self.setup.changed() => break changed.is_ok(),
                    Some(ended) = workers.join_next() => crashed(ended)?,
                }
            };
            round.cancel();
            while let Some(ended) = workers.join_next().await {
                crashed(ended)?;
            }
            if !reloaded {
                return Ok(());
            }
        }
    }

    /// Deliveries to a destination that is not configured any more wait for it to come back.
    async fn warn_of_orphans(&self, setup: &Setup) -> Result<(), StoreError> {
        for (destination, deliveries) in self.store.pending().await? {
            let known = setup
                .destinations
                .iter()
                .any(|known| known.name == destination);
            if !known {
                tracing::warn!(
                    destination.name = destination,
                    deliveries,
                    "deliveries wait for a destination that is not configured; \
                     configure it again or discard them"
                );
            }
        }
        Ok(())
    }

    fn start(
        &self,
        setup: &Arc<Setup>,
        stop: &CancellationToken,
    ) -> JoinSet<Result<(), StoreError>> {
        let mut workers = JoinSet::new();
        for configured in &setup.destinations {
            let shared = Shared {
                store: self.store.clone(),
                clock: self.clock.clone(),
                metrics: self.metrics.clone(),
                setup: Arc::clone(setup),
            };
            workers.spawn(worker::run(configured.clone(), shared, stop.clone()));
        }
        workers
    }
}

/// A worker that ends by itself has lost its store; one that panics is a bug. Either way the process
/// must not go on as if it delivered.
fn crashed(
    ended: Result<Result<(), StoreError>, tokio::task::JoinError>,
) -> Result<(), StoreError> {
    ended.unwrap_or(Err(StoreError::Closed))
}
