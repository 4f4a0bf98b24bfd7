//! What keeps alerts from being said: silences, inhibition and time intervals.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::sync::watch;

use super::{Store, StoreError};
use crate::event::Untrusted;
use crate::incident::IncidentId;
use crate::route::{InhibitKey, Novelty, RouteId, Silence, SilenceId};

/// How many alerts of an incident were kept from being said when they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// `silenced`, `inhibited` or `muted`.
    pub fate: String,
    /// The silence that did it.
    pub silence: Option<SilenceName>,
    /// How many. Exact.
    pub events: u64,
}

/// What broke through a silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Despite {
    /// The silence.
    pub silence: SilenceName,
    /// What was new under it: `rule`, `workload` or `severity`.
    pub what: String,
    /// The new value.
    pub value: Untrusted,
}

/// A silence as people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilenceName {
    /// Its row.
    pub id: SilenceId,
    /// Who made it.
    pub by: Untrusted,
    /// Why.
    pub comment: Untrusted,
    /// When it ends, or ended.
    pub ends: Timestamp,
}

impl Store {
    /// The silences that are not over, or all; the newest first.
    pub async fn silences(&self, with_ended: bool) -> Result<Vec<Silence>, StoreError> {
        self.0.silences(with_ended).await
    }

    /// Stores a silence; its id and what it has hidden are set by the store.
    pub async fn add_silence(&self, silence: Silence) -> Result<SilenceId, StoreError> {
        self.0.add_silence(silence).await
    }

    /// Lets a silence end now. False when there is none with this id, or it is over.
    pub async fn expire_silence(&self, id: SilenceId, now: Timestamp) -> Result<bool, StoreError> {
        self.0.expire_silence(id, now).await
    }

    /// Ends the silences that are over and has told what they hid; when the next one is over.
    pub async fn end_silences(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.0.end_silences(now).await
    }

    /// Changes when a silence was made or expired.
    pub fn silences_changed(&self) -> watch::Receiver<u64> {
        self.0.silences_changed.subscribe()
    }

    /// When the sources with these keys last fired.
    pub async fn inhibiting(
        &self,
        keys: Vec<InhibitKey>,
    ) -> Result<BTreeMap<InhibitKey, Timestamp>, StoreError> {
        self.0.inhibiting(keys).await
    }

    /// The incidents that time intervals hid and that have not been told since, with their routes and
    /// how often they were escalated.
    pub async fn muted(&self) -> Result<Vec<(IncidentId, RouteId, u32)>, StoreError> {
        self.0.muted().await
    }

    /// Tells incidents whose time interval is over.
    pub async fn tell_muted(
        &self,
        incidents: Vec<(IncidentId, Vec<String>)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.0.tell_muted(incidents, now).await
    }

    /// What was kept from being said of an incident, and what was said in spite of a silence.
    pub async fn hidden(
        &self,
        incident: IncidentId,
    ) -> Result<(Vec<Hidden>, Vec<Despite>), StoreError> {
        self.0.hidden(incident).await
    }
}

/// The stored words of a novelty: its kind and its value.
pub(super) fn words(novelty: &Novelty) -> (&'static str, &str) {
    match novelty {
        Novelty::Rule(rule) => ("rule", rule),
        Novelty::Workload(workload) => ("workload", workload),
        Novelty::Severity(severity) => ("severity", severity.name()),
    }
}

/// The novelty of its stored words.
pub(super) fn novelty(what: &str, value: String) -> Option<Novelty> {
    match what {
        "rule" => Some(Novelty::Rule(value)),
        "workload" => Some(Novelty::Workload(value)),
        "severity" => value.parse().ok().map(Novelty::Severity),
        _ => None,
    }
}
