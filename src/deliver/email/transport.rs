//! Connections to the mail server, with a limit on how long one mail may take.
//!
//! lettre's own time-out covers connecting only, and its pool takes back a connection whose send was
//! cut off. The late reply to one mail would then be read as the reply to the next, so the pool is
//! thrown away whenever a send does not run to its end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

type Pool = AsyncSmtpTransport<Tokio1Executor>;

pub(super) struct Transport {
    builder: AsyncSmtpTransportBuilder,
    timeout: Duration,
    /// Made by the first send: lettre panics when it makes a pool outside the runtime, and a check of
    /// the configuration needs none.
    pool: Mutex<Option<Pool>>,
}

/// Why a mail was not taken.
pub(super) enum Trouble {
    /// The server or the connection to it said no.
    Smtp(Error),
    /// The mail took too long. It may have arrived.
    Late,
}

impl Transport {
    pub(super) fn new(builder: AsyncSmtpTransportBuilder, timeout: Duration) -> Self {
        Self {
            pool: Mutex::default(),
            builder,
            timeout,
        }
    }

    pub(super) async fn send(&self, envelope: &Envelope, mail: &[u8]) -> Result<(), Trouble> {
        let pool = self
            .locked()
            .get_or_insert_with(|| self.builder.clone().build())
            .clone();
        let unfinished = Unfinished(self);
        match tokio::time::timeout(self.timeout, pool.send_raw(envelope, mail)).await {
            Ok(result) => {
                std::mem::forget(unfinished);
                result.map(drop).map_err(Trouble::Smtp)
            }
            Err(_) => Err(Trouble::Late),
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Pool>> {
        // The pool is replaced as a whole, so it is sound even after a panic.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Throws the pool away when dropped: also when the future is, half-way.
struct Unfinished<'a>(&'a Transport);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        *self.0.locked() = None;
    }
}
