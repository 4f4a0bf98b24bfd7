//! What a digest tells: the figures of all that happened since the one before.

use jiff::Timestamp;

use super::{Audit, SilenceName, Store, StoreError, StoredEvent};
use crate::event::{EventId, Priority, Untrusted};
use crate::incident::Incident;

/// How far a destination has been told in digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Up to when.
    pub until: Timestamp,
    /// Up to which event, so that each is in exactly one digest.
    pub event: EventId,
}

/// What happened since the digest before.
#[derive(Clone, Debug)]
pub struct Shift {
    /// Begins where the digest before ended.
    pub since: Timestamp,
    /// Every event and its fate. What waits for this digest counts as sent.
    pub audit: Audit,
    /// Incidents that were opened or reopened, by severity, the most severe first.
    pub opened: Vec<(Priority, u64)>,
    /// Incidents that are open or acknowledged now.
    pub live: u64,
    /// Incidents of severity critical and above that nobody has acknowledged, the most severe first
    /// and then the oldest; those that went quiet only when they are of this period.
    pub unhandled: Vec<Incident>,
    /// How many there are of those.
    pub unhandled_count: u64,
    /// The rules with the most alerts, the noisiest first.
    pub noisiest: Vec<Noise>,
    /// How many events each silence hid.
    pub silenced: Vec<(SilenceName, u64)>,
    /// What was given up and is still neither retried nor discarded, by destination.
    pub dead: Vec<Failing>,
    /// What has failed and will be tried again, by destination.
    pub retrying: Vec<Failing>,
}

/// A rule that fired often.
#[derive(Clone, Debug)]
pub struct Noise {
    /// The rule.
    pub rule: Untrusted,
    /// How many alerts its incidents took.
    pub alerts: u64,
    /// How many incidents that were.
    pub incidents: u64,
    /// The one that took most, with its latest event; none when that is not stored any more.
    pub example: Option<(Incident, StoredEvent)>,
}

/// Deliveries to one destination that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The destination.
    pub destination: String,
    /// How many.
    pub deliveries: u64,
    /// How many events they tell of.
    pub events: u64,
    /// Why the latest of them failed.
    pub reason: String,
}

impl Store {
    /// How far a destination has been told. A destination that is seen for the first time is told of
    /// what comes from `now` on.
    pub async fn told(&self, destination: &str, now: Timestamp) -> Result<Told, StoreError> {
        self.0.told(destination.to_owned(), now).await
    }

    /// What happened since `told`, as this destination is going to be told.
    pub async fn shift(&self, destination: &str, told: Told) -> Result<Shift, StoreError> {
        self.0.shift(destination.to_owned(), told).await
    }

    /// Records that a destination has been told up to `told`, and settles what waited for it.
    pub async fn tell(
        &self,
        destination: &str,
        told: Told,
        report: String,
    ) -> Result<(), StoreError> {
        self.0.tell(destination.to_owned(), told, report).await
    }
}
