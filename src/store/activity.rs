//! Sums of what happened where, for the surroundings of a report.

use jiff::Timestamp;

use crate::event::{Priority, Untrusted};

/// How often a rule fired at a workload within a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The pod, container or host.
    pub workload: String,
    /// The minute, counted from 1970.
    pub minute: i64,
    /// The rule.
    pub rule: Untrusted,
    /// When the first of them was received.
    pub received: Timestamp,
    /// The highest severity among them.
    pub severity: Priority,
    /// How often.
    pub count: u64,
}

/// How often a rule fired for an image within a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// The image, without tag.
    pub image: String,
    /// The rule.
    pub rule: String,
    /// The day, counted from 1970.
    pub day: i64,
    /// How often.
    pub count: u64,
}

/// What is known of a rule and an image over a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// How often the rule fired for the image.
    pub count: u64,
    /// Since when it would be known: the later of the period's begin and the first stored event.
    pub since: Timestamp,
}
