//! A destination that takes everything and says when it came.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::any;
use tokio::sync::{mpsc, watch};

/// A webhook receiver.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) url: String,
    latest: watch::Receiver<Instant>,
    arrivals: mpsc::Receiver<Instant>,
}

impl Sink {
    /// Takes everything, and notes the arrival of bodies that contain `mark`.
    pub(crate) async fn start(mark: Option<&'static str>) -> Self {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (tell, arrivals) = mpsc::channel(1_024);
        let (seen, latest) = watch::channel(Instant::now());
        let router = Router::new().fallback(any(move |body: Bytes| {
            let arrived = Instant::now();
            seen.send_replace(arrived);
            let found = |mark: &str| body.windows(mark.len()).any(|part| part == mark.as_bytes());
            if mark.is_some_and(found) {
                tell.try_send(arrived).unwrap_or(());
            }
            async {}
        }));
        tokio::spawn(async move { axum::serve(socket, router).await });
        Self {
            url: format!("http://{address}/"),
            latest,
            arrivals,
        }
    }

    /// Waits until nothing has come for a while.
    pub(crate) async fn quiet(&self) {
        while self.latest.borrow().elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The next arrival of what is waited for.
    pub(crate) async fn arrival(&mut self) -> Option<Instant> {
        let limit = Duration::from_secs(30);
        tokio::time::timeout(limit, self.arrivals.recv())
            .await
            .ok()?
    }
}
