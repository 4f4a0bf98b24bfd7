//! The sensors: the hosts from which Falco sends.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Store, StoreError};

/// What a batch says of a sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorSeen {
    /// The host.
    pub hostname: String,
    /// When its latest event was received.
    pub last: Timestamp,
    /// Its latest metrics snapshot.
    pub beat: Option<Beat>,
}

/// A metrics snapshot, which a sensor sends at even intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When it was received.
    pub at: Timestamp,
    /// How many system calls and alerts Falco has lost since it started.
    pub lost: u64,
}

/// A sensor as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensor {
    /// The host.
    pub hostname: String,
    /// When its latest event was received.
    pub last: Timestamp,
    /// How long after one another its latest two metrics snapshots came.
    pub every: Option<Duration>,
    /// Whether it was told that it is silent.
    pub silent: bool,
}

impl Store {
    /// All sensors that are known, by name.
    pub async fn sensors(&self) -> Result<Vec<Sensor>, StoreError> {
        self.0.sensors().await
    }

    /// How much each of these hosts had lost at its latest metrics snapshot.
    pub async fn lost(&self, hosts: Vec<String>) -> Result<BTreeMap<String, u64>, StoreError> {
        self.0.lost(hosts).await
    }

    /// Notes that sensors were told to be silent, or to send again.
    pub async fn mark_sensors(&self, marks: Vec<(String, bool)>) -> Result<(), StoreError> {
        self.0.mark_sensors(marks).await
    }
}
