//! Signals and the orderly stop.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long a stop may take: Kubernetes kills after 30 s by default.
pub const DRAIN: Duration = Duration::from_secs(25);

/// Two stages of stopping: first no new work, then no work at all.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Shutdown {
    /// A running service.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when no new work should begin.
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when the time to finish is over.
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Begins the stop: no new work from now on, and an end after [`DRAIN`] at the latest.
    pub fn begin(&self) {
        if self.soft.is_cancelled() {
            return;
        }
        self.soft.cancel();
        let hard = self.hard.clone();
        tokio::spawn(async move {
            tokio::time::sleep(DRAIN).await;
            hard.cancel();
        });
    }

    /// Stops at the first SIGTERM or SIGINT, ends at once at the second. Signals are caught from the
    /// call on, not from the first poll.
    pub fn on_signals(self) -> std::io::Result<impl Future<Output = ()>> {
        let mut signals = Signals::new()?;
        Ok(async move {
            signals.stop().await;
            tracing::info!(drain_s = DRAIN.as_secs(), "stopping");
            self.begin();
            signals.stop().await;
            tracing::warn!("second signal, ending at once");
            self.hard.cancel();
        })
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn stop(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Calls `reload` at every SIGHUP, until `stop`. The signal is caught from the call on: before, it
/// would end the process.
pub fn on_hangup(
    stop: CancellationToken,
    mut reload: impl FnMut(),
) -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut hangup = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::hangup())?
    };
    Ok(async move {
        #[cfg(unix)]
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = hangup.recv() => reload(),
            }
        }
        #[cfg(not(unix))]
        {
            drop(reload);
            stop.cancelled().await;
        }
    })
}
