//! The sockets that are listened on: passed by whoever started us, or bound here.
//!
//! A socket that systemd holds stays open while the service restarts: what comes in meanwhile waits in
//! the kernel, and no sender is refused.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use listenfd::ListenFd;
use tokio::net::TcpListener;

/// The sockets passed by `LISTEN_FDS`: the first is for events, a second for people.
pub(super) struct Sockets {
    passed: ListenFd,
    taken: usize,
}

impl Sockets {
    pub(super) fn from_env() -> Self {
        let passed = ListenFd::from_env();
        if passed.len() > 2 {
            let ignored = passed.len() - 2;
            tracing::warn!(ignored, "more sockets were passed than can be used");
        }
        Self { passed, taken: 0 }
    }

    /// The socket at a place among those that were passed; where there is none, one on `address`.
    pub(super) async fn listen(
        &mut self,
        place: usize,
        address: SocketAddr,
    ) -> Result<TcpListener> {
        let passed = if place < self.passed.len() {
            let passed = self.passed.take_tcp_listener(place);
            passed.context("a socket that was passed is no TCP listener")?
        } else {
            None
        };
        let Some(socket) = passed else {
            return TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}"));
        };
        let listens = rustix::net::sockopt::socket_acceptconn(&socket);
        ensure!(
            listens.context("a socket that was passed cannot be asked what it is")?,
            "a socket that was passed does not listen; it needs `Accept=no`"
        );
        socket.set_nonblocking(true)?;
        self.taken += 1;
        Ok(TcpListener::from_std(socket)?)
    }

    /// How many of those that were passed are used.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }
}
