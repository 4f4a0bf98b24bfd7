//! The life of one connection.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::Shared;
use super::stall::Stall;

/// The most that a request's line and headers may take; also how much is read ahead.
const MAX_HEAD: usize = 64 * 1024;

/// How long a closed connection is still read, so that the peer gets to read our answer: closing
/// with unread bytes resets the connection and may destroy the answer on its way.
const LINGER: Duration = Duration::from_secs(1);

/// How much is read and thrown away meanwhile.
const LINGER_BYTES: usize = 16 << 20;

/// How long a connection without any request may stay once the service stops.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Serves a connection until it closes.
pub(super) async fn run(stream: TcpStream, shared: &Shared) {
    // Answers are short and complete; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    match &shared.tls {
        None => talk(stream, shared).await,
        Some(tls) => {
            let acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow()));
            let handshake = timeout(shared.limits.header_timeout, acceptor.accept(stream));
            match handshake.await {
                Ok(Ok(stream)) => talk(stream, shared).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
        }
    }
}

async fn talk<S>(stream: S, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = Stall::new(stream, shared.limits.idle_timeout);
    let asked = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let (asked, router) = (asked.clone(), shared.router.clone());
        move |request: Request<Incoming>| -> BoxFuture<'static, Result<Response, Infallible>> {
            asked.store(true, Ordering::Relaxed);
            router.clone().oneshot(request.map(Body::new)).boxed()
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // This timer also runs between requests, so it is the idle time; the first head has a
        // stricter one below.
        .header_read_timeout(shared.limits.idle_timeout)
        .max_buf_size(MAX_HEAD)
        // A sender may close its side after the request; it is answered all the same, and a
        // request whose sender has gone still runs to its end.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);

    let mut silence = pin!(sleep(shared.limits.header_timeout));
    let mut waits_for_first = true;
    let mut stopping = false;
    loop {
        tokio::select! {
            done = poll_fn(|context| connection.poll_without_shutdown(context)) => {
                if let Err(error) = done {
                    tracing::debug!(%error, "a connection failed");
                    return;
                }
                break;
            }
            () = &mut silence, if waits_for_first => {
                if !asked.load(Ordering::Relaxed) {
                    return;
                }
                waits_for_first = false;
            }
            () = shared.stop.cancelled(), if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                let last = Instant::now() + LAST_WORDS;
                if silence.deadline() > last {
                    silence.as_mut().reset(last);
                }
            }
        }
    }
    linger(connection.into_parts().io.into_inner()).await;
}

/// Closes our side and waits a little for the peer to close its own.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let farewell = async {
        stream.shutdown().await?;
        let mut scrap = vec![0; 8 * 1024];
        let mut left = LINGER_BYTES;
        loop {
            let read = stream.read(&mut scrap).await?;
            left = left.saturating_sub(read);
            if read == 0 || left == 0 {
                return std::io::Result::Ok(());
            }
        }
    };
    // Whatever happens, the connection is over.
    let _ = timeout(LINGER, farewell).await;
}
