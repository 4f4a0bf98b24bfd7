//! What became of one event, step by step.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Account, StoredEvent};
use crate::route::SilenceId;

/// An event with every way that it took.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// The event; none when it is not taken over yet, or not kept any more.
    pub event: Option<StoredEvent>,
    /// One a route that took it.
    pub ways: Vec<Way>,
}

/// The way of an event along one route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// The incident that counts it; none when no route took it.
    pub incident: Option<Uuid>,
    /// The route.
    pub route: Option<String>,
    /// Where the incident stands now.
    pub state: Option<String>,
    /// How many events the incident counts now.
    pub count: Option<u64>,
    /// The silence that hid it.
    pub silence: Option<SilenceId>,
    /// What became of it at each destination.
    pub stops: Vec<Stop>,
}

/// What became, at one destination, of the events that came with this one. One of them may have caused
/// the message that counts the others: then there are two entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// The destination; empty when no route took the event.
    pub destination: String,
    /// What became of them.
    pub fate: Option<Account>,
    /// How many they are.
    pub events: u64,
    /// The delivery that speaks for them.
    pub delivery: Option<i64>,
    /// When it is due, or was last due.
    pub due: Option<Timestamp>,
    /// How it was tried.
    pub attempts: Vec<Tried>,
}

/// One try of a delivery, as told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// When it ended.
    pub at: Timestamp,
    /// `sent`, `retry` or `dead`.
    pub outcome: String,
    /// What the destination answered.
    pub detail: String,
}
