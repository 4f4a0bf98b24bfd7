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
use http::{HeaderValue, header};
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
use super::slots::Slot;
use super::stall::Stall;
use crate::metrics::Dropped;

/// The most that a request's line and headers may take; also how much is read ahead.
const MAX_HEAD: usize = 64 * 1024;

/// How long a closed connection is still read, so that the peer gets to read our answer: closing
/// with unread bytes resets the connection and may destroy the answer on its way.
const LINGER: Duration = Duration::from_secs(1);

/// How much is read and thrown away meanwhile.
const LINGER_BYTES: usize = 16 << 20;

/// How long a connection that has to go may still end what it says, and one of a service that stops may
/// still begin a request: that is answered, and told to be the last.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Serves a connection until it closes.
pub(super) async fn run(stream: TcpStream, slot: Slot, shared: &Shared) {
    // Answers are short and complete; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    match &shared.tls {
        None => talk(stream, slot, shared).await,
        Some(tls) => {
            let acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow()));
            let handshake = timeout(shared.limits.header_timeout, acceptor.accept(stream));
            let shaken = tokio::select! {
                shaken = handshake => shaken,
                () = slot.evicted() => return,
            };
            match shaken {
                Ok(Ok(stream)) => return talk(stream, slot, shared).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
            shared.metrics.dropped(Dropped::Handshake);
        }
    }
}

async fn talk<S>(stream: S, slot: Slot, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = Stall::new(stream, shared.limits.idle_timeout);
    let slot = Arc::new(slot);
    let asked = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let (asked, router) = (asked.clone(), shared.router.clone());
        let (slot, stop) = (Arc::clone(&slot), shared.stop.clone());
        move |request: Request<Incoming>| -> BoxFuture<'static, Result<Response, Infallible>> {
            asked.store(true, Ordering::Relaxed);
            let under_way = UnderWay::new(&slot);
            let answer = router.clone().oneshot(request.map(Body::new));
            let stop = stop.clone();
            let answer = async move {
                let mut answer = answer.await?;
                drop(under_way);
                if stop.is_cancelled() {
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(header::CONNECTION, close);
                }
                Ok(answer)
            };
            answer.boxed()
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
    let (mut leaving, mut last) = (false, false);
    let mut last_words = pin!(sleep(Duration::ZERO));
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
                    shared.metrics.dropped(Dropped::Silent);
                    return;
                }
                waits_for_first = false;
            }
            () = slot.evicted(), if !leaving => {
                if !asked.load(Ordering::Relaxed) {
                    return;
                }
                leaving = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                last_words.as_mut().reset(Instant::now() + LAST_WORDS);
            }
            () = shared.stop.cancelled(), if !leaving => {
                leaving = true;
                last_words.as_mut().reset(Instant::now() + LAST_WORDS);
            }
            () = &mut last_words, if leaving => {
                if !slot.is_busy() {
                    let never_asked = !asked.load(Ordering::Relaxed);
                    if never_asked || last && slot.is_evicted() {
                        return;
                    }
                    // An answer on its way is still written.
                    last = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
                last_words.as_mut().reset(Instant::now() + LAST_WORDS);
            }
        }
    }
    if slot.is_evicted() {
        return;
    }
    linger(connection.into_parts().io.into_inner()).await;
}

/// Marks the place as safe while a request is under way, also one whose handler panics.
struct UnderWay(Arc<Slot>);

impl UnderWay {
    fn new(slot: &Arc<Slot>) -> Self {
        slot.begin();
        Self(Arc::clone(slot))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.end();
    }
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
