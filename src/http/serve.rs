//! The accept loop: time-outs that close, a cap on connections, an orderly end.
//!
//! `axum::serve` has none of these: hyper's time-outs need a timer that it does not install.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;

/// After an error such as "too many open files", so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The largest header that is read.
const MAX_HEADER: usize = 64 * 1024;

/// Limits of a listener's connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at once; more are closed.
    pub max_connections: u32,
    /// How long a header may take, and how long a connection may idle between requests.
    pub header_timeout: Duration,
}

/// Serves `router` on `listener` until `shutdown` begins; then lets the requests under way finish
/// until it ends.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: ConnectionLimits,
    metrics: Metrics,
    shutdown: Shutdown,
) {
    let places = Arc::new(Semaphore::new(
        usize::try_from(limits.max_connections).unwrap_or(usize::MAX),
    ));
    let server = Server {
        router,
        tls: tls.map(TlsAcceptor::from),
        header_timeout: limits.header_timeout,
        metrics,
        shutdown: shutdown.clone(),
    };
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.soft().cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    connections.spawn(server.clone().connection(stream, place));
                } else {
                    server.metrics.connections_refused.inc();
                    tracing::debug!("connection refused: too many");
                }
            }
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    tokio::select! {
        () = connections.wait() => {}
        () = shutdown.hard().cancelled() => {}
    }
}

/// Errors of one connection that accept reports say nothing about the listener.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[derive(Clone)]
struct Server {
    router: Router,
    tls: Option<TlsAcceptor>,
    header_timeout: Duration,
    metrics: Metrics,
    shutdown: Shutdown,
}

impl Server {
    async fn connection(self, stream: TcpStream, _place: OwnedSemaphorePermit) {
        self.metrics.connections.inc();
        // Answers are small and awaited one by one: Nagle's algorithm would only delay them.
        drop(stream.set_nodelay(true));
        match &self.tls {
            None => self.http(stream).await,
            Some(acceptor) => {
                match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => self.http(stream).await,
                    Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                    Err(_) => tracing::debug!("TLS handshake took too long"),
                }
            }
        }
        self.metrics.connections.dec();
    }

    async fn http(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(MAX_HEADER);
        let service = TowerToHyperService::new(self.router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop(&self.shutdown) => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = self.shutdown.hard().cancelled() => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }
}

async fn stop(shutdown: &Shutdown) {
    let soft: &CancellationToken = shutdown.soft();
    soft.cancelled().await;
}
