//! Accepting and serving connections, with a limit on everything that a peer could drag out.

mod connection;
mod descriptors;
mod slots;
mod stall;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::throttle::Throttle;
use crate::lifecycle::Shutdown;
use crate::metrics::{Dropped, Metrics};
use slots::Slots;

pub use descriptors::raise_descriptor_limit;

static ACCEPT_ERRORS: Throttle = Throttle::new(Duration::from_secs(10));

/// How long accepting rests after an error of ours, such as too many open files; doubled each time
/// up to the second value.
const REST: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What a peer may cost.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections open at once. One more takes the place of one that has no request under way; when
    /// all have, it is refused.
    pub max_connections: usize,
    /// From the connection to the end of the TLS handshake, and from there to the end of the first
    /// request head.
    pub header_timeout: Duration,
    /// From an answer to the end of the next request head; also how long a peer may take to read a
    /// part of an answer.
    pub idle_timeout: Duration,
    /// From the stop to the moment when requests that are still in flight are cut.
    pub drain_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_connections: 64,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(2),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// One listener.
#[derive(Debug)]
pub struct Listener {
    /// Bound by the caller, so that it can report which address was taken.
    pub socket: TcpListener,
    /// What to speak, unless plain text. Replaced when the certificate is renewed.
    pub tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    /// What is served.
    pub router: Router,
    /// What a peer may cost.
    pub limits: ConnectionLimits,
    /// Where connections are counted.
    pub metrics: Metrics,
}

/// What all connections of a listener share.
struct Shared {
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    router: Router,
    limits: ConnectionLimits,
    metrics: Metrics,
    stop: CancellationToken,
}

/// Serves until `shutdown` begins, then closes the socket, lets requests in flight finish, and cuts
/// what is left after the drain time-out or when the shutdown ends. When it returns, no request is
/// running any more.
pub async fn serve(listener: Listener, shutdown: Shutdown) {
    let stop = shutdown.soft().clone();
    let Listener {
        socket,
        tls,
        router,
        limits,
        metrics,
    } = listener;
    let slots = Slots::new(limits.max_connections, metrics.clone());
    let shared = Arc::new(Shared {
        tls,
        router,
        limits,
        metrics,
        stop: stop.clone(),
    });
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let mut rest = REST.0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = async {
                slots.settled().await;
                socket.accept().await
            } => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                rest = REST.0;
                let Some(slot) = slots.take() else {
                    shared.metrics.connections_refused.inc();
                    refuse(&stream, shared.tls.is_some());
                    continue;
                };
                let (shared, cut) = (shared.clone(), cut.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = connection::run(stream, slot, &shared) => {}
                        () = cut.cancelled() => shared.metrics.dropped(Dropped::Drain),
                    }
                });
            }
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                if ACCEPT_ERRORS.allows() {
                    tracing::error!(%error, "cannot accept connections; trying again");
                }
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(rest) => rest = (rest * 2).min(REST.1),
                }
            }
        }
    }
    drop(socket);
    connections.close();
    let drained = tokio::select! {
        () = connections.wait() => true,
        () = tokio::time::sleep(limits.drain_timeout) => false,
        () = shutdown.hard().cancelled() => false,
    };
    if !drained {
        tracing::warn!(
            connections = connections.len(),
            "cut requests that did not finish in time"
        );
        cut.cancel();
        connections.wait().await;
    }
}

/// Whether only the one connection is affected, and the next can be accepted at once.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Says why, as far as that is possible without waiting.
fn refuse(stream: &TcpStream, tls: bool) {
    if !tls {
        // The connection is closed whether or not the peer hears the reason.
        let _ = stream.try_write(
            b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
              content-length: 0\r\n\r\n",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepting_rests_only_after_errors_of_our_own() {
        assert!(is_of_the_peer(&io::ErrorKind::ConnectionAborted.into()));
        let too_many_open_files = io::Error::from_raw_os_error(24);
        assert!(!is_of_the_peer(&too_many_open_files));
    }
}
