//! The values that go into and come out of the store.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Activity, Fired, SensorSeen};
use crate::event::{EventId, Priority};
use crate::incident::{Incident, IncidentId, State};
use crate::route::{HiddenBy, InhibitKey, Novelty, SilenceId};
use uuid::Uuid;

/// A body that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When it came.
    pub received: Timestamp,
    /// Why it was refused.
    pub reason: String,
    /// The body, cut to [`QUARANTINE_BODY_CAP`](super::QUARANTINE_BODY_CAP).
    pub body: Vec<u8>,
    /// The length of the whole body in bytes, as far as it was read.
    pub size: u64,
}

/// A refused body as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its row.
    pub id: i64,
    /// What was refused and why.
    pub refused: Refused,
}

/// A file of the store that was damaged, and what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its name.
    pub file: &'static str,
    /// Where it is kept.
    pub kept_as: std::path::PathBuf,
    /// How many rows could be read.
    pub rows: u64,
}

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The last event that the second step had taken over.
    pub cursor: EventId,
    /// How many events it had not taken over yet.
    pub queued: u64,
    /// How many incidents there are.
    pub incidents: u64,
}

/// What a piece of housekeeping did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Events that were kept as posted and are gone.
    pub events: u64,
    /// Whether there may be more to do.
    pub more: bool,
}

/// An event in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEvent {
    /// Its position.
    pub id: EventId,
    /// When Herald received it.
    pub received: Timestamp,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// False when the disk gave back something else than was stored.
    pub is_intact: bool,
}

/// An event that the second step has taken over.
pub type StoredEvent = InboxEvent;

/// An event that was kept as posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The event.
    pub event: StoredEvent,
    /// How many events it stands for: itself, and others of its incidents that came with it.
    pub stands_for: u64,
}

/// One batch of the second step.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The last event of the batch; `None` when the batch holds no event.
    pub cursor: Option<EventId>,
    /// The events, in order.
    pub events: Vec<StoredEvent>,
    /// Events that are not kept as posted, each with the one of the batch that stands for it.
    pub spared: BTreeMap<EventId, EventId>,
    /// The incidents that changed.
    pub incidents: Vec<IncidentStep>,
    /// Events that reach no destination.
    pub unrouted: Vec<EventId>,
    /// What happened where.
    pub activity: Vec<Activity>,
    /// What fired for which image.
    pub fired: Vec<Fired>,
    /// The sensors that sent them.
    pub sensors: Vec<SensorSeen>,
    /// Sources of inhibition that fired, and when.
    pub inhibiting: Vec<(InhibitKey, Timestamp)>,
    /// What is no news any more under silences.
    pub known: Vec<(SilenceId, Novelty)>,
    /// Events that could not be decoded although they were accepted, with the reason.
    pub undecodable: Vec<(EventId, String)>,
}

/// What a batch does to one incident.
#[derive(Clone, Debug)]
pub struct IncidentStep {
    /// The incident as it stands after the batch.
    pub incident: Incident,
    /// An older incident of the same key that this one follows, to be marked quiet.
    pub follows: Option<IncidentId>,
    /// Whether it was quiet and is open again. Otherwise its stored state stays: somebody may have
    /// acknowledged it meanwhile.
    pub reopened: bool,
    /// The events that it gained and that are said, in order.
    pub events: Vec<EventId>,
    /// The events that it gained and that are not said for now, in order.
    pub hidden: Vec<(HiddenBy, Vec<EventId>)>,
    /// What broke through silences.
    pub despite: Vec<(SilenceId, Novelty)>,
    /// Where it is said.
    pub destinations: Vec<DestinationStep>,
}

/// An incident that is open, with what its timers depend on.
#[derive(Clone, Debug)]
pub struct Live {
    /// The incident.
    pub incident: Incident,
    /// When it was last said anywhere.
    pub said: Option<Timestamp>,
    /// Whether a delivery waits or is under way.
    pub waiting: bool,
}

/// What a timer does to an incident.
#[derive(Clone, Debug)]
pub struct TimerStep {
    /// The incident.
    pub incident: IncidentId,
    /// Its latest event when the timer was looked at; a newer one cancels the step.
    pub last_event: EventId,
    /// The state it was seen in; another one cancels the step.
    pub seen: State,
    /// The state it has from now on.
    pub state: State,
    /// Where it is said once more, if it was said there before.
    pub destinations: Vec<String>,
    /// Whether a time interval keeps it from being said until it ends.
    pub muted: bool,
    /// Where it is said from now on, and how many escalations that makes.
    pub escalate: Option<(u32, Vec<String>)>,
}

/// Where and when an incident is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationStep {
    /// The destination's name.
    pub destination: String,
    /// When a delivery is due if the incident was never said there.
    pub first_due: Timestamp,
    /// The least time after the last message until the next one; `None` says it at once.
    pub interval: Option<std::time::Duration>,
}

/// Row of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub i64);

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waits until it is due.
    Pending,
    /// Is being sent.
    Sending,
    /// Arrived.
    Sent,
    /// Given up by Herald: the dead letter.
    Dead,
    /// Given up by a person.
    Discarded,
}

impl DeliveryState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Sending,
        Self::Sent,
        Self::Dead,
        Self::Discarded,
    ];

    /// The word stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no delivery state.
#[derive(Debug, thiserror::Error)]
#[error("not a delivery state; use pending, sending, sent, dead or discarded")]
pub struct UnknownDeliveryState;

impl FromStr for DeliveryState {
    type Err = UnknownDeliveryState;

    fn from_str(text: &str) -> Result<Self, UnknownDeliveryState> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or(UnknownDeliveryState)
    }
}

/// A delivery as listed.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// Its row.
    pub id: DeliveryId,
    /// The incident's public name.
    pub incident: Uuid,
    /// The destination's name.
    pub destination: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many events it speaks for beyond what was said before.
    pub events: u64,
    /// The incident's severity when it was last folded into.
    pub severity: Priority,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was made.
    pub created: Timestamp,
    /// When it is due, or was last due.
    pub due: Timestamp,
    /// What the last attempt said.
    pub detail: Option<String>,
}

/// A delivery that a worker has taken.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The delivery.
    pub id: DeliveryId,
    /// When it was made; a delivery has a maximum age.
    pub created: Timestamp,
    /// Failed attempts so far.
    pub attempts: u32,
    /// The incident as it stands now.
    pub incident: Incident,
    /// The incident's first event.
    pub first: StoredEvent,
    /// The incident's latest event.
    pub latest: StoredEvent,
    /// What the destination returned when the incident was last said there.
    pub remote: Option<String>,
    /// What it returned for the latest earlier incident with the same group key.
    pub previous: Option<String>,
    /// Whether the incident was said there before.
    pub known: bool,
}

/// One try of a delivery.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The delivery.
    pub delivery: DeliveryId,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// What followed.
    pub outcome: Outcome,
    /// What the destination answered, for people; without secrets.
    pub detail: String,
    /// What was said: the Markdown of the report; empty when rendering failed.
    pub report: String,
    /// How to find the message again. Kept even when the attempt failed half-way.
    pub remote: Option<String>,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived.
    Sent,
    /// It is tried again at this time.
    Retry(Timestamp),
    /// It is given up.
    Dead,
}
