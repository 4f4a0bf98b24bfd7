//! The top level of an event, borrowed from its text.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::decode::text_of;
use super::{Priority, TEST_RULE};

/// The known members of an event. `None` is absent or null. Names match in any ASCII case and a
/// later one wins, as in Go's `encoding/json`; several `output_fields` objects are merged.
#[derive(Debug, Default)]
pub(super) struct Envelope<'a> {
    rule: Option<Cow<'a, str>>,
    priority: Option<Cow<'a, str>>,
    time: Option<Timestamp>,
    source: Option<Cow<'a, str>>,
    pub(super) output: Option<Cow<'a, str>>,
    pub(super) hostname: Option<Cow<'a, str>>,
    pub(super) tags: Vec<String>,
    pub(super) output_fields: Vec<&'a RawValue>,
    /// Whether a member has a name that wrappers of events use.
    pub(super) may_be_wrapper: bool,
}

/// The members that every event has.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    pub(super) rule: &'a str,
    pub(super) priority: Priority,
    pub(super) time: Timestamp,
    pub(super) source: &'a str,
}

impl<'a> Envelope<'a> {
    /// Reads an object, or says what is wrong with it.
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let envelope = reader
            .deserialize_any(EnvelopeVisitor)
            .map_err(|error| reason(&error))?;
        reader.end().map_err(|error| reason(&error))?;
        Ok(envelope)
    }

    /// Checks what Falcosidekick checks, `output_fields` apart.
    pub(super) fn check(&self) -> Result<Checked<'_>, String> {
        let rule = match self.rule.as_deref() {
            Some(rule) if !rule.is_empty() => rule,
            _ => return Err("`rule` is missing or empty".to_owned()),
        };
        let priority = self.priority.as_deref().ok_or("`priority` is missing")?;
        let priority = priority
            .parse()
            .map_err(|error| format!("`priority` is {error}"))?;
        let time = self.time.ok_or("`time` is missing")?;
        let source = match self.source.as_deref() {
            _ if rule == TEST_RULE => "internal",
            Some(source) if !source.is_empty() => source,
            _ => "syscalls",
        };
        Ok(Checked {
            rule,
            priority,
            time,
            source,
        })
    }
}

/// What serde says, without the position: offsets into one line of JSON help nobody.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).to_owned()
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the members of a Falco event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(name) = map.next_key::<Name>()? {
            match name {
                Name::Rule => keep(&mut envelope.rule, text(&mut map, "rule")?),
                Name::Priority => keep(&mut envelope.priority, text(&mut map, "priority")?),
                Name::Source => keep(&mut envelope.source, text(&mut map, "source")?),
                Name::Output => keep(&mut envelope.output, text(&mut map, "output")?),
                Name::Hostname => keep(&mut envelope.hostname, text(&mut map, "hostname")?),
                Name::Uuid => {
                    // Chosen by whoever posts: checked as Falcosidekick does, and not used.
                    text(&mut map, "uuid")?;
                }
                Name::Time => {
                    if let Some(time) = text(&mut map, "time")? {
                        envelope.time = Some(strict_time(&time).map_err(A::Error::custom)?);
                    }
                }
                Name::Tags => {
                    let tags: Option<Vec<Option<String>>> = map
                        .next_value()
                        .map_err(|_| A::Error::custom("`tags` must be a list of texts"))?;
                    if let Some(tags) = tags {
                        envelope.tags = tags.into_iter().map(Option::unwrap_or_default).collect();
                    }
                }
                Name::OutputFields => {
                    let fields: &RawValue = map.next_value()?;
                    if fields.get() != "null" {
                        envelope.output_fields.push(fields);
                    }
                }
                Name::Wrapper | Name::Other => {
                    envelope.may_be_wrapper |= matches!(name, Name::Wrapper);
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(envelope)
    }
}

/// In Go, null leaves what an earlier member of the name has set.
fn keep<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}

fn text<'de, A: MapAccess<'de>>(
    map: &mut A,
    name: &str,
) -> Result<Option<Cow<'de, str>>, A::Error> {
    let raw: &RawValue = map.next_value()?;
    let json = raw.get();
    if json == "null" {
        return Ok(None);
    }
    if !json.starts_with('"') {
        return Err(A::Error::custom(format!("`{name}` must be text")));
    }
    text_of(json).map(Some).map_err(A::Error::custom)
}

#[derive(Clone, Copy)]
enum Name {
    Rule,
    Priority,
    Time,
    Source,
    Output,
    Hostname,
    Tags,
    OutputFields,
    Uuid,
    Wrapper,
    Other,
}

const NAMES: [(&str, Name); 11] = [
    ("uuid", Name::Uuid),
    ("output", Name::Output),
    ("priority", Name::Priority),
    ("rule", Name::Rule),
    ("time", Name::Time),
    ("output_fields", Name::OutputFields),
    ("source", Name::Source),
    ("tags", Name::Tags),
    ("hostname", Name::Hostname),
    ("specversion", Name::Wrapper),
    ("event", Name::Wrapper),
];

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                let known = NAMES
                    .iter()
                    .find(|(known, _)| known.eq_ignore_ascii_case(name));
                Ok(known.map_or(Name::Other, |(_, known)| *known))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// RFC 3339 as Go reads it: capital `T` and `Z`, a zone, no leap second, and not the zero instant,
/// which stands for "not set". More than nine fraction digits are cut.
fn strict_time(text: &str) -> Result<Timestamp, &'static str> {
    const WRONG: &str = "`time` must be RFC 3339, like 2026-03-01T10:15:00.123456789Z";
    let bytes = text.as_bytes();
    let shape = bytes.get(..19).ok_or(WRONG)?;
    let shaped = shape.iter().enumerate().all(|(index, byte)| match index {
        4 | 7 => *byte == b'-',
        10 => *byte == b'T',
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let rest = text.get(19..).ok_or(WRONG)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction
                .find(|c: char| !c.is_ascii_digit())
                .filter(|digits| *digits > 0)
                .ok_or(WRONG)?;
            fraction.split_at(digits)
        }
        None => ("", rest),
    };
    let zone = zone_of(zone).ok_or(WRONG)?;
    if !shaped || text.get(17..19) == Some("60") {
        return Err(WRONG);
    }
    let base = text.get(..19).ok_or(WRONG)?;
    let kept = fraction.get(..9).unwrap_or(fraction);
    let time = if kept.is_empty() {
        format!("{base}{zone}")
    } else {
        format!("{base}.{kept}{zone}")
    };
    // Years beyond what a timestamp holds (an offset may shift 9999-12-31 past its end) are clamped:
    // the alert matters more than the sender's clock.
    let time: Timestamp = match time.parse() {
        Ok(time) => time,
        Err(_) if base.starts_with("9999-12-31") => Timestamp::MAX,
        Err(_) => return Err(WRONG),
    };
    if time.as_second() == GO_ZERO_TIME && time.subsec_nanosecond() == 0 {
        return Err("`time` is the zero time");
    }
    Ok(time)
}

/// The zone of a time. One real forwarder writes `Z+2`, a UTC time with a note: it is read as UTC.
fn zone_of(zone: &str) -> Option<&str> {
    let is_offset = |offset: &str| {
        let offset = offset.strip_prefix(['+', '-']);
        offset.is_some_and(|offset| offset.chars().all(|c| c.is_ascii_digit() || c == ':'))
    };
    match zone.strip_prefix('Z') {
        Some(note) => (note.is_empty() || is_offset(note)).then_some("Z"),
        None => (zone.len() == 6 && is_offset(zone)).then_some(zone),
    }
}

/// 0001-01-01T00:00:00Z.
const GO_ZERO_TIME: i64 = -62_135_596_800;
