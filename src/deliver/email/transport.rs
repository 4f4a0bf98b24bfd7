//! Connections to the mail server, with a limit on how long one mail may take.
//!
//! lettre's own time-out covers connecting only, and its pool takes back a connection whose send was
//! cut off. The late reply to one mail would then be read as the reply to the next, so the pool is
//! thrown away whenever a send does not run to its end.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::secret::Secret;

type Pool = AsyncSmtpTransport<Tokio1Executor>;

pub(super) struct Transport {
    builder: AsyncSmtpTransportBuilder,
    login: Option<Login>,
    timeout: Duration,
    /// Made by the first send: lettre panics when it makes a pool outside the runtime, and a check of
    /// the configuration needs none.
    pool: Mutex<Option<Connected>>,
}

struct Connected {
    pool: Pool,
    /// The access token that it logs in with, where it is renewed.
    token: Option<String>,
}

/// Who sends.
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: Secret,
    /// The file in which the password, an access token, is renewed.
    pub(super) renewed: Option<PathBuf>,
}

/// Why a mail was not taken.
pub(super) enum Trouble {
    /// The server or the connection to it said no.
    Smtp(Error),
    /// The mail took too long. It may have arrived.
    Late,
}

impl Transport {
    pub(super) fn new(
        builder: AsyncSmtpTransportBuilder,
        login: Option<Login>,
        timeout: Duration,
    ) -> Self {
        Self {
            pool: Mutex::default(),
            builder,
            login,
            timeout,
        }
    }

    /// Whether it logs in with an access token that is renewed from outside.
    pub(super) fn is_renewed(&self) -> bool {
        self.login
            .as_ref()
            .is_some_and(|login| login.renewed.is_some())
    }

    /// The pool, or a new one when the access token has been renewed.
    fn pool(&self) -> Pool {
        let renewed = self.login.as_ref().and_then(|login| login.renewed.as_ref());
        let token = renewed.and_then(|file| std::fs::read_to_string(file).ok());
        let token = token.map(|token| token.trim().to_owned());
        let mut connected = self.locked();
        match &*connected {
            Some(known) if known.token == token => known.pool.clone(),
            _ => {
                let pool = self.connect(token.as_deref());
                let known = pool.clone();
                *connected = Some(Connected { pool: known, token });
                pool
            }
        }
    }

    fn connect(&self, token: Option<&str>) -> Pool {
        let builder = self.builder.clone();
        let Some(login) = &self.login else {
            return builder.build();
        };
        let password = token.unwrap_or_else(|| login.password.expose());
        let credentials = Credentials::new(login.username.clone(), password.to_owned());
        builder.credentials(credentials).build()
    }

    pub(super) async fn send(&self, envelope: &Envelope, mail: &[u8]) -> Result<(), Trouble> {
        let pool = self.pool();
        let unfinished = Unfinished(self);
        match tokio::time::timeout(self.timeout, pool.send_raw(envelope, mail)).await {
            Ok(result) => {
                std::mem::forget(unfinished);
                result.map(drop).map_err(Trouble::Smtp)
            }
            Err(_) => Err(Trouble::Late),
        }
    }

    /// Connects, greets and logs in, without sending.
    pub(super) async fn probe(&self) -> Result<(), Trouble> {
        let pool = self.pool();
        match tokio::time::timeout(self.timeout, pool.test_connection()).await {
            Ok(result) => result.map(drop).map_err(Trouble::Smtp),
            Err(_) => Err(Trouble::Late),
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Connected>> {
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
