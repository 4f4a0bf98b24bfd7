//! The wire model: one Falco alert as posted, decoded leniently and kept exact.
//!
//! Field names and types are Falco's (`userspace/engine/formats.cpp`) and Falcosidekick's
//! (`types/types.go`). All text in an event is written by whoever runs the monitored process.

mod decode;
mod envelope;
mod herald;
mod repair;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use decode::{DecodeError, MAX_DEPTH, Sender, decode, split};
pub use herald::{herald_event, is_of_herald};
pub use scan::ScanError;

/// Position of an event in the inbox; events are numbered in the order they were acknowledged.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct EventId(pub i64);

/// The name of the rule that Falcosidekick's self-test and ours send.
pub const TEST_RULE: &str = "Test rule";

/// How the names of Falco's own, non-security events begin.
pub const INTERNAL_PREFIX: &str = "Falco internal:";

/// One Falco alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The rule that fired; never empty.
    pub rule: Untrusted,
    /// Falco's priority of the rule.
    pub priority: Priority,
    /// When the sensor saw it. Attacker-shiftable: windows use the time of receipt instead.
    pub time: Timestamp,
    /// The rendered output line; empty when the sender left it out.
    pub output: Untrusted,
    /// The fields named by the rule's output; may be empty.
    pub output_fields: Fields,
    /// `syscall`, `internal` or a plugin's source; `syscalls` when the sender left it out.
    pub source: Untrusted,
    /// The rule's tags.
    pub tags: Vec<Untrusted>,
    /// The sensor's host or pod name; empty when the sender left it out.
    pub hostname: Untrusted,
}

/// Text that came with an event. It has no `Display`: it reaches a person only through an encoder
/// that knows the target format.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Untrusted(String);

impl Untrusted {
    /// Marks text as coming from outside.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The bytes as they came: to compare, match and encode, never to print.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty or Falco's mark for "no value".
    pub fn is_missing(&self) -> bool {
        self.0.is_empty() || self.0 == "<NA>"
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `{:?}` escapes control characters, so a log line stays one line.
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for Untrusted {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// The output fields of an event, by name. Names hold dots and brackets and are not paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(Untrusted, Value)>); // sorted by name

impl Fields {
    /// The value of `name`, unless it is missing, null, empty or `<NA>`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let (_, value) = self.0.get(self.place(name).ok()?)?;
        Some(value).filter(|value| !value.is_missing())
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.raw().cmp(name))
    }

    /// The value of `name` as text, unless it is missing.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(Value::to_text)
    }

    /// Every field as posted, missing values included, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&Untrusted, &Value)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Sets a field; a later value wins, as in Falcosidekick.
    pub fn insert(&mut self, name: Untrusted, value: Value) {
        // Senders write the names in order, so most belong at the end.
        if self.0.last().is_none_or(|(last, _)| *last < name) {
            self.0.push((name, value));
            return;
        }
        match self.place(name.raw()) {
            Ok(place) => self.0[place].1 = value,
            Err(place) => self.0.insert(place, (name, value)),
        }
    }

    /// How many fields there are, missing values included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no fields at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<Untrusted>> FromIterator<(K, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(fields: I) -> Self {
        let mut all = Self::default();
        for (name, value) in fields {
            all.insert(name.into(), value);
        }
        all
    }
}

/// A field's value. Numbers keep their digits: `evt.time` is above 2^53.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Falco could not extract the field.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as its source text.
    Number(Box<str>),
    /// Text.
    Text(Untrusted),
    /// A list field of a plugin.
    List(Vec<Value>),
    /// A nested object, or a list nested in a list, as its source text.
    Json(Untrusted),
}

impl Value {
    /// Whether this stands for "no value": null, `<NA>` or empty text, an empty list.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) | Self::Json(text) => text.is_missing(),
            Self::List(items) => items.is_empty(),
            Self::Bool(_) | Self::Number(_) => false,
        }
    }

    /// The value as Falco would print it; list items are joined by `,`.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Null => Cow::Borrowed("<NA>"),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Number(digits) => Cow::Borrowed(digits),
            Self::Text(text) | Self::Json(text) => Cow::Borrowed(text.raw()),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::to_text).collect();
                Cow::Owned(items.join(","))
            }
        }
    }

    /// The value as a 64-bit integer, when it is a number (or text that holds one) in range.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(digits) => digits.parse().ok(),
            Self::Text(text) => text.raw().parse().ok(),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.to_string().into())
    }
}

/// Falco's priorities, ordered by how severe they are: `Debug < ... < Emergency`.
///
/// Numbers are never shown: Falco counts Emergency as 0 and Falcosidekick counts it as 8.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Noise for developers; also Falco's own drop events.
    Debug,
    /// Bad practice.
    #[serde(alias = "info")]
    Informational,
    /// Unexpected behaviour.
    Notice,
    /// Unauthorised read.
    Warning,
    /// State was written.
    Error,
    /// An attack in progress, most likely.
    Critical,
    /// Act at once.
    Alert,
    /// The system is unusable.
    Emergency,
}

impl Priority {
    /// All priorities, least severe first.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Informational,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The name as Falco prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "Debug",
            Self::Informational => "Informational",
            Self::Notice => "Notice",
            Self::Warning => "Warning",
            Self::Error => "Error",
            Self::Critical => "Critical",
            Self::Alert => "Alert",
            Self::Emergency => "Emergency",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no priority.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "not a priority; use debug, informational (info), notice, warning, error, critical, alert or emergency"
)]
pub struct UnknownPriority;

impl FromStr for Priority {
    type Err = UnknownPriority;

    /// Case-insensitive, with `info` as an alias, like Falco and Falcosidekick. Never trimmed.
    fn from_str(text: &str) -> Result<Self, UnknownPriority> {
        Self::ALL
            .into_iter()
            .find(|priority| priority.name().eq_ignore_ascii_case(text))
            .or_else(|| {
                text.eq_ignore_ascii_case("info")
                    .then_some(Self::Informational)
            })
            .ok_or(UnknownPriority)
    }
}
