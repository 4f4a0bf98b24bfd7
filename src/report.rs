//! The Markdown report about an incident, rendered from a template.
//!
//! Templates are code, values are not: every value of an event is Markdown-escaped by default, and
//! no event text is ever parsed as a template.

mod context;
mod digest;
mod engine;
mod evidence;
mod humanize;
mod phrase;
#[cfg(test)]
pub(crate) mod testing;
mod tuning;

use crate::classify::Alert;
use crate::event::{Priority, Untrusted};
use crate::incident::Incident;
use crate::store::{Despite, Hidden};
use jiff::Timestamp;

pub use digest::Handover;
pub use engine::{Engine, FrontMatter, RenderError, slug};

/// What else is known around an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nearby {
    /// When the sensor reported lost system calls near the latest alert, if it did.
    pub lost: Option<Timestamp>,
    /// Other rules that fired at the same workload in the 15 minutes before, the most severe first.
    pub before: Vec<Before>,
    /// How often the rule fired for the image before this incident, and since when that is known: 30
    /// days at most. None without an image.
    pub history: Option<(u64, Timestamp)>,
    /// How many of its alerts were not said when they came.
    pub hidden: Vec<Hidden>,
    /// What broke through silences.
    pub despite: Vec<Despite>,
}

/// Another rule that fired at the same workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// Its name.
    pub rule: Untrusted,
    /// The highest severity.
    pub severity: Priority,
    /// How often it fired.
    pub count: u64,
}

/// What a report is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The incident, with its exact count.
    pub incident: &'a Incident,
    /// The latest alert of the incident.
    pub latest: &'a Alert,
    /// The first alert of the incident; the same as `latest` when there is only one.
    pub first: &'a Alert,
    /// The page of the incident, signed; `None` when the site has no `public_url`.
    pub incident_url: Option<&'a str>,
    /// What else is known around it.
    pub nearby: &'a Nearby,
    /// When the report is made.
    pub now: Timestamp,
}

/// A rendered report, and the few facts that destinations need beside its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// One line of plain text (never markup) for subjects, headers and titles. Holds no control,
    /// bidirectional or invisible character. Free of counts and state, so that it stays the same
    /// for the whole life of the incident.
    pub title: String,
    /// One or two sentences of plain text: what happened, where, how often.
    pub lead: String,
    /// The severity of the incident.
    pub severity: Priority,
    /// The whole document, in `CommonMark` with GFM tables. It begins with a level-1 heading.
    pub markdown: String,
}
