//! Alerts of one route with the same group key, handled together.
//!
//! Pure: values and times in, values out.

mod fold;
mod key;
mod spread;
mod workload;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::classify::{Category, Nature};
use crate::event::{EventId, Priority, Untrusted};
use crate::route::RouteId;

pub use fold::{Folded, Group, Notify, Saying, fold, group};
pub use key::GroupKey;
pub use spread::{FieldSpread, Spread};
pub use workload::{kind_of_workload, workload};

/// Row of an incident in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub i64);

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Alerts arrive, nobody has taken it.
    Open,
    /// Somebody has taken it.
    Acknowledged,
    /// No alert for `quiet_after`; a new one reopens it.
    Quiet,
    /// Ended by a person.
    Closed,
}

impl State {
    /// The word stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Quiet => "quiet",
            Self::Closed => "closed",
        }
    }
}

/// Who acknowledged or closed an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handled {
    /// The name that was given.
    pub by: Untrusted,
    /// When.
    pub at: Timestamp,
}

/// One incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its row in the store; `None` until it is stored.
    pub id: Option<IncidentId>,
    /// Its public name, stable for ever: the marker in tickets, mails and messages.
    pub uid: Uuid,
    /// What its alerts have in common.
    pub key: GroupKey,
    /// The route it belongs to.
    pub route: RouteId,
    /// Where it stands.
    pub state: State,
    /// The rule of its first alert.
    pub rule: Untrusted,
    /// The category of its first alert.
    pub category: Category,
    /// Attack, sensor health or test.
    pub nature: Nature,
    /// The highest severity among its alerts.
    pub severity: Priority,
    /// The fields of `group_by` that its alerts share, with their values; missing ones left out.
    pub labels: Vec<(String, Untrusted)>,
    /// How many alerts it holds. Exact.
    pub count: u64,
    /// When Herald received the first alert.
    pub first_received: Timestamp,
    /// When Herald received the latest alert.
    pub last_received: Timestamp,
    /// The earliest event time.
    pub first_time: Timestamp,
    /// The latest event time.
    pub last_time: Timestamp,
    /// The first event.
    pub first_event: EventId,
    /// The latest event.
    pub last_event: EventId,
    /// What varies among its alerts.
    pub spread: Spread,
    /// Who acknowledged or closed it.
    pub handled: Option<Handled>,
    /// Since when people could act on it: it was opened, reopened, or told after it had been hidden.
    pub opened: Timestamp,
    /// Whether a silence or a time interval hid its latest alert.
    pub hushed: bool,
    /// How many of the route's escalations have happened since it opened.
    pub escalated: u32,
}
