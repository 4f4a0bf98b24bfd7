//! The composition root: store, pipeline, dispatcher and listeners, started and stopped together.

mod ledger;
mod losses;
mod retention;
mod sockets;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::{Loaded, Resolved, ensure_keys, resolve};
use crate::deliver::{Dispatcher, Setup};
use crate::http::{
    Admin, Auth, ConnectionLimits, Guard, Ingest, Listener, Readiness, admin_router, ingest_router,
    raise_descriptor_limit, serve,
};
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, Rules};
use crate::store::{LossReason, Store};
use sockets::Sockets;

/// A service that is ready to run.
#[derive(Debug)]
pub struct App {
    clock: Clock,
    store: Store,
    metrics: Metrics,
    shutdown: Shutdown,
    retention: Duration,
    rules: watch::Sender<Arc<Rules>>,
    setup: watch::Sender<Arc<Setup>>,
    tls: Option<watch::Sender<Arc<rustls::ServerConfig>>>,
    ingest: Listener,
    admin: Listener,
    passed_sockets: usize,
}

/// Puts a new configuration in place of the running one.
#[derive(Clone, Debug)]
pub struct Reload {
    rules: watch::Sender<Arc<Rules>>,
    setup: watch::Sender<Arc<Setup>>,
    tls: Option<watch::Sender<Arc<rustls::ServerConfig>>>,
    metrics: Metrics,
}

impl Reload {
    /// Applies a configuration that was resolved, or says why it was not and keeps the old one.
    pub fn apply(&self, resolved: Result<Resolved>) {
        match resolved {
            Ok(resolved) => {
                self.rules.send_replace(resolved.rules);
                self.setup.send_replace(resolved.setup);
                if let (Some(running), Some(tls)) = (&self.tls, resolved.tls) {
                    running.send_replace(tls);
                }
                self.metrics.reload("applied");
                tracing::info!(
                    "configuration reloaded; addresses, limits, credentials and store need a restart"
                );
            }
            Err(error) => {
                self.metrics.reload("refused");
                tracing::error!(
                    error = format!("{error:#}"),
                    "configuration refused, the old one stays"
                );
            }
        }
    }
}

impl App {
    /// Opens the store and binds the listeners. Nothing is received or sent yet.
    pub async fn build(loaded: &Loaded, clock: Clock, shutdown: Shutdown) -> Result<Self> {
        let config = &loaded.config;
        let store = Store::open_configured(&config.store, &clock)?;
        ensure_keys(&config.store.path).context("cannot keep the keys")?;
        let resolved = resolve(loaded, &clock)?;
        for doubt in &resolved.doubts {
            tracing::warn!(doubt, "configuration");
        }
        let auth = Auth::load(&config.ingest.auth, "ingest.auth")?;
        let metrics = Metrics::default();
        // A rate over a series that does not exist yet misses its first increase.
        for reason in LossReason::ALL {
            metrics.lost(reason.name(), 0);
        }
        for reason in ["age", "size"] {
            metrics.expired(reason, 0);
        }
        let damages = i64::try_from(store.damages().len());
        metrics.damages.set(damages.unwrap_or(i64::MAX));
        let readiness = Readiness::new(shutdown.soft().clone());
        let ingest = Ingest {
            inbox: store.clone(),
            clock: clock.clone(),
            auth,
            limits: config.ingest.limits(),
            metrics: metrics.clone(),
            readiness: readiness.clone(),
        };
        let setup = watch::Sender::new(resolved.setup);
        let rules = watch::Sender::new(resolved.rules);
        let admin = Admin {
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            readiness,
            guard: Guard {
                auth: Auth::load(&config.admin_auth, "admin_auth")?,
                is_loopback: config.admin.ip().is_loopback(),
                public_host: config.public_host(),
            },
            setup: setup.subscribe(),
            rules: rules.subscribe(),
        };
        let descriptors = raise_descriptor_limit();
        let mut sockets = Sockets::from_env();
        let events = sockets.listen(0, config.listen).await?;
        let people = sockets.listen(1, config.admin).await?;
        let tls = resolved.tls.map(watch::Sender::new);
        Ok(Self {
            retention: config.store.retention.0,
            rules,
            setup,
            ingest: Listener {
                socket: events,
                tls: tls.as_ref().map(watch::Sender::subscribe),
                router: ingest_router(ingest),
                limits: config.ingest.connection_limits().within(descriptors, 6),
                metrics: metrics.clone(),
            },
            admin: Listener {
                socket: people,
                tls: None,
                router: admin_router(admin),
                limits: ConnectionLimits::default().within(descriptors, 2),
                // Counted apart from the events' connections.
                metrics: Metrics::default(),
            },
            passed_sockets: sockets.taken(),
            tls,
            clock,
            store,
            metrics,
            shutdown,
        })
    }

    /// Where events are received.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.ingest.socket.local_addr()?)
    }

    /// Where people look in.
    pub fn admin_address(&self) -> Result<SocketAddr> {
        Ok(self.admin.socket.local_addr()?)
    }

    /// How many of its sockets were passed to the process, so that they stay open when it ends.
    pub fn passed_sockets(&self) -> usize {
        self.passed_sockets
    }

    /// The store.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// A handle to change the configuration while the service runs.
    pub fn reload(&self) -> Reload {
        Reload {
            rules: self.rules.clone(),
            setup: self.setup.clone(),
            tls: self.tls.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// Runs until the shutdown ends. An error means that something failed that a restart may mend:
    /// the process should exit non-zero.
    pub async fn run(self) -> Result<()> {
        let stop = self.shutdown.soft().clone();
        let pipeline = Pipeline::new(
            self.store.clone(),
            self.clock.clone(),
            self.rules.subscribe(),
            self.metrics.clone(),
        );
        let dispatcher = Dispatcher::new(
            self.store.clone(),
            self.clock.clone(),
            self.metrics.clone(),
            self.setup.subscribe(),
        );
        let listeners = TaskTracker::new();
        for listener in [self.ingest, self.admin] {
            listeners.spawn(serve(listener, self.shutdown.clone()));
        }
        listeners.close();
        let retention = tokio::spawn(retention::watch(
            self.store.clone(),
            self.clock.clone(),
            self.metrics.clone(),
            self.retention,
        ));
        let audit = tokio::spawn(ledger::watch(
            self.store.clone(),
            self.clock.clone(),
            self.metrics.clone(),
        ));
        let losses = tokio::spawn(losses::watch(self.store.clone(), self.clock.clone()));
        // On a thread of its own: the work of a batch must not make answers wait.
        let (runtime, over) = (Handle::current(), stop.clone());
        let mut pipeline = spawn_blocking(move || runtime.block_on(pipeline.run(over)));
        let mut dispatcher = tokio::spawn(dispatcher.run(stop.clone()));
        let mut failure = self.store.failure();
        let result = tokio::select! {
            failed = failure.wait_for(Option::is_some) => Err(match failed {
                Ok(reason) => anyhow!("the store failed: {}", reason.clone().unwrap_or_default()),
                Err(_) => anyhow!("the store is gone"),
            }),
            ended = &mut pipeline => ended.map_err(Into::into).and_then(|ended| ended.context("the pipeline ended")),
            ended = &mut dispatcher => ended.map_err(Into::into).and_then(|ended| ended.context("the dispatcher ended")),
        };
        let early = !stop.is_cancelled();
        self.shutdown.begin();
        // What is still under way has the rest of the drain time.
        let drained = async {
            listeners.wait().await;
            for task in [pipeline, dispatcher] {
                if !task.is_finished() {
                    drop(task.await);
                }
            }
        };
        tokio::select! {
            () = drained => {}
            () = self.shutdown.hard().cancelled() => tracing::warn!("not everything could finish in time"),
        }
        for task in [retention, audit, losses] {
            task.abort();
        }
        self.store.close().await;
        match result {
            Ok(()) if early => Err(anyhow!("a part of the service ended by itself")),
            result => result,
        }
    }
}
