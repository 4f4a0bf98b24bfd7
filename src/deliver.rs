//! From open delivery to message: a worker per destination, and one file per kind of destination.
//!
//! A kind consists of the same five parts in the same order: config, request (pure), send, judge,
//! sample. Outside the store, delivery is at-least-once, made harmless by a key that stays the same
//! over retries.

mod alertmanager;
mod circuit;
mod client;
mod console;
mod digest;
mod discord;
mod dispatcher;
mod email;
mod github;
mod gitlab;
mod google_chat;
mod guard;
mod jira;
mod kinds;
mod matrix;
mod mattermost;
mod opsgenie;
mod pagerduty;
mod paging;
mod redmine;
mod rt;
mod servicenow;
mod slack;
mod teams;
mod telegram;
mod telling;
#[cfg(test)]
mod testing;
mod thread;
mod ticket;
mod webhook;
mod worker;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::backoff::Backoff;
use crate::classify::{Alert, Classifier};
use crate::clock::Clock;
use crate::event;
use crate::incident::Incident;
use crate::link::Links;
use crate::mask::Masker;
use crate::metrics::Metrics;
use crate::report::{Engine, Report};
use crate::store::{Store, StoredEvent};
use circuit::Circuit;

pub use digest::{Digests, InvalidSchedule, Schedule};
pub use dispatcher::Dispatcher;
pub use kinds::{BuildError, DeliveryConfig, DestinationConfig, KINDS, configure};

/// What a destination is asked to say.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Stays the same over every attempt of this delivery; differs between deliveries.
    pub key: String,
    /// First message of the incident, or a change of it.
    pub kind: NoticeKind,
    /// The incident as it stands now.
    pub incident: Incident,
    /// The report as it reads now.
    pub report: Report,
    /// The latest event, byte for byte as posted.
    pub event: Vec<u8>,
    /// The page of the incident, signed; none when the site has no `public_url`.
    pub link: Option<String>,
    /// What the destination returned for an earlier notice of this incident (see [`Receipt`]).
    pub remote: Option<String>,
    /// What it returned for the latest earlier incident with the same group key.
    pub previous: Option<String>,
}

impl Notice {
    /// What is new since the last message, in a line that holds no text of the event.
    fn news(&self) -> String {
        let incident = &self.incident;
        let time = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
        format!(
            "{} events from {} to {} UTC · {} · {}",
            incident.count,
            time(incident.first_received),
            time(incident.last_received),
            incident.severity,
            incident.state.name()
        )
    }
}

/// The part of an incident's life that a notice speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// The incident is new to this destination.
    Open,
    /// More alerts, a higher severity, or another state.
    Update,
    /// The incident ended.
    Close,
}

impl NoticeKind {
    /// The word stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Update => "update",
            Self::Close => "close",
        }
    }
}

/// What came of a successful send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// How to find the message again; handed back as [`Notice::remote`]. The format is the kind's.
    pub remote: Option<String>,
    /// A short note for the attempt's record, such as `posted to C024`. Without secrets.
    pub detail: String,
}

/// Why a send failed and what follows from it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{reason}")]
pub struct SendError {
    /// Retry or give up.
    pub verdict: Verdict,
    /// A short reason for people. Never a URL, never a secret.
    pub reason: String,
    /// What already stands at the destination when the send failed half-way; stored like
    /// [`Receipt::remote`], so that the next attempt goes on from there.
    pub remote: Option<String>,
}

/// What follows from a failed send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again, not before what the peer asked for.
    Retry {
        /// The peer's `Retry-After`.
        after: Option<Duration>,
    },
    /// The destination works, but does not take what this message says.
    Unacceptable,
    /// Trying again cannot help.
    Fail,
    /// The destination refuses us altogether: nothing gets through until somebody mends it.
    Pause {
        /// Whether the answer cannot have been meant for one message or ticket that stands there.
        sure: bool,
    },
    /// The same, unless a filter in between refuses what this message says: the destination then takes
    /// one that says nothing.
    Forbidden,
}

/// One configured target.
pub trait Destination: Send + Sync + std::fmt::Debug {
    /// Sends one notice and judges the answer. Called with at most [`Pace::concurrency`] at once,
    /// and never for two notices of one incident at once.
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>>;

    /// How fast and how much at once the peer can take, unless the site says otherwise.
    fn pace(&self) -> Pace;

    /// How and when it takes digests, when it takes them instead of each incident by itself.
    fn digests(&self) -> Option<(&dyn Digests, &Schedule)> {
        None
    }

    /// Asks the peer whether it would take a message, without sending one; what it found, in a line.
    /// None where a peer can only be asked by a message.
    fn probe(&self) -> Option<BoxFuture<'_, Result<String, SendError>>> {
        None
    }

    /// What it cannot do as it is configured, although its kind can.
    fn doubt(&self) -> Option<&'static str> {
        None
    }
}

/// Limits toward one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Sends under way at once.
    pub concurrency: usize,
    /// The least time between the starts of two sends.
    pub interval: Duration,
}

/// A destination with what the service needs to know about it.
#[derive(Clone, Debug)]
pub struct Configured {
    /// Its name in the configuration.
    pub name: String,
    /// How to reach it.
    pub destination: Arc<dyn Destination>,
    /// How fast and how much at once it is sent to.
    pub pace: Pace,
    /// After how long a delivery that keeps failing is given up.
    pub max_age: Duration,
    /// When a failed delivery is tried again.
    pub retry: Backoff,
}

/// What deliveries are made with. Replaced as a whole when the configuration changes.
#[derive(Debug)]
pub struct Setup {
    /// The destinations.
    pub destinations: Vec<Configured>,
    /// The report templates.
    pub engine: Engine,
    /// What events mean.
    pub classifier: Classifier,
    /// Links to incidents, for reports.
    pub links: Links,
    /// What hides secrets.
    pub masker: Masker,
}

/// Above every destination's own time-out: a send that never ends must not hold its place for ever.
const SEND_LIMIT: Duration = Duration::from_mins(5);

/// What a worker works with.
#[derive(Clone, Debug)]
struct Shared {
    store: Store,
    clock: Clock,
    metrics: Metrics,
    setup: Arc<Setup>,
    /// Of the one destination.
    circuit: Arc<Mutex<Circuit>>,
}

impl Shared {
    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a stored event means, with its secrets masked; none when it cannot be read, or is not what
    /// was stored. Secrets are
    /// masked after the conditions of the site have seen the event as it came.
    fn alert(&self, stored: &StoredEvent) -> Option<Alert> {
        if !stored.is_intact {
            return None;
        }
        let event = event::decode(&stored.body).ok()?;
        let classifier = &self.setup.classifier;
        let mut alert = classifier.classify(stored.id, stored.received, event);
        alert.event = self.setup.masker.event(alert.event);
        Some(alert)
    }
}

/// Sends within [`SEND_LIMIT`].
async fn in_time(send: BoxFuture<'_, Result<Receipt, SendError>>) -> Result<Receipt, SendError> {
    let sent = tokio::time::timeout(SEND_LIMIT, send).await;
    sent.unwrap_or_else(|_| {
        Err(SendError::retry(
            "the destination did not answer in time",
            None,
        ))
    })
}
