//! From bytes to events, as leniently as Falcosidekick and not a bit more.
//!
//! `split` cuts a body into events and checks each without building it; `decode` builds one. Both
//! read an event through [`Envelope`], so what one accepts the other can read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::envelope::Envelope;
use super::repair::repair;
use super::scan::{self, ScanError};
use super::{Event, Fields, INTERNAL_PREFIX, TEST_RULE, Untrusted, Value};

/// Nesting deeper than this is refused. Falco's own events are flat and plugin events shallow.
pub const MAX_DEPTH: usize = 128;

/// Who posted a body; Falco itself may leave out what Falcosidekick always sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Falco's `http_output`, known by its User-Agent. It leaves `output_fields` out when
    /// `json_include_output_fields_property` is false.
    Falco,
    /// Falcosidekick or anything else: `output_fields` is required, as in Falcosidekick.
    Other,
}

impl Sender {
    /// Falco's default User-Agent is `falcosecurity/falco`.
    pub fn from_user_agent(agent: Option<&str>) -> Self {
        match agent {
            Some(agent) if agent.starts_with("falcosecurity/falco") => Self::Falco,
            _ => Self::Other,
        }
    }
}

/// Why a body was refused.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Nothing but white space.
    #[error("the body is empty")]
    Empty,
    /// Falco's text output.
    #[error("this is a line of text, not JSON; set `json_output: true` in falco.yaml")]
    TextOutput,
    /// The body does not consist of JSON values.
    #[error("not JSON: {0}")]
    Scan(#[from] ScanError),
    /// A `CloudEvent` whose payload is not inline JSON.
    #[error("a CloudEvent must carry the event as JSON in `data`")]
    CloudEvent,
    /// One of the events is not one.
    #[error("event {number}: {reason}")]
    Event {
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Splits a body into its events and checks each of them. The slices are the events byte for byte.
///
/// A body is one event, an array of events, or several values one after the other (NDJSON). A value
/// may be a `CloudEvent` (the event is its `data`) or what Falcosidekick sends to its UI (the event is
/// its `event`). One bad event refuses the whole body, so that none is lost silently.
pub fn split(body: &[u8], sender: Sender) -> Result<Vec<&[u8]>, DecodeError> {
    let whole = scan::trim(body);
    if whole.is_empty() {
        return Err(DecodeError::Empty);
    }
    if is_one_event(whole, sender) {
        return Ok(vec![whole]);
    }
    cut(body, sender)
}

/// Cuts a body of any shape.
pub(super) fn cut(body: &[u8], sender: Sender) -> Result<Vec<&[u8]>, DecodeError> {
    let values = match scan::values(body, MAX_DEPTH) {
        Ok(values) => values,
        Err(_) if is_text_output(body) => return Err(DecodeError::TextOutput),
        Err(error) => return Err(error.into()),
    };
    let mut events = Vec::with_capacity(values.len());
    for value in values {
        if value.first() == Some(&b'[') {
            events.extend(scan::elements(value));
        } else {
            events.push(unwrapped(value)?);
        }
    }
    if events.is_empty() {
        return Err(DecodeError::Empty);
    }
    for (index, event) in events.iter().enumerate() {
        check_raw(event, sender).map_err(|reason| DecodeError::Event {
            number: index + 1,
            reason,
        })?;
    }
    Ok(events)
}

/// Whether a body is what nearly every body is, one plain event. That costs one parse; what is false
/// here is cut, unwrapped and mended first.
fn is_one_event(body: &[u8], sender: Sender) -> bool {
    // With so few brackets nothing can be nested too deeply.
    let is_bracket = |byte: &&u8| matches!(byte, b'{' | b'[');
    if body.iter().filter(is_bracket).count() > MAX_DEPTH {
        return false;
    }
    let envelope = std::str::from_utf8(body).map_err(|error| error.to_string());
    let envelope = envelope.and_then(Envelope::read);
    envelope.is_ok_and(|envelope| !envelope.may_be_wrapper && check(&envelope, sender).is_ok())
}

/// Decodes one event that [`split`] accepted.
pub fn decode(raw: &[u8]) -> Result<Event, DecodeError> {
    let refuse = |reason: String| DecodeError::Event { number: 1, reason };
    let text = repair(raw);
    let envelope = Envelope::read(&text).map_err(refuse)?;
    let checked = envelope.check().map_err(refuse)?;
    let mut output_fields = Fields::default();
    for object in &envelope.output_fields {
        let mut reader = serde_json::Deserializer::from_str(object.get());
        Members(&mut output_fields)
            .deserialize(&mut reader)
            .map_err(|_| refuse("`output_fields` must be an object".to_owned()))?;
    }
    Ok(Event {
        rule: Untrusted::new(checked.rule),
        priority: checked.priority,
        time: checked.time,
        source: Untrusted::new(checked.source),
        output: text_or_empty(envelope.output.as_deref()),
        hostname: text_or_empty(envelope.hostname.as_deref()),
        tags: envelope
            .tags
            .iter()
            .map(|tag| Untrusted::new(tag.as_str()))
            .collect(),
        output_fields,
    })
}

fn text_or_empty(text: Option<&str>) -> Untrusted {
    Untrusted::new(text.unwrap_or_default())
}

fn check_raw(raw: &[u8], sender: Sender) -> Result<(), String> {
    check(&Envelope::read(&repair(raw))?, sender)
}

fn check(envelope: &Envelope<'_>, sender: Sender) -> Result<(), String> {
    let checked = envelope.check()?;
    let mut any = false;
    for fields in &envelope.output_fields {
        // serde_json has read the value to its end, so its first bracket and the byte behind tell
        // all: no need to build it here.
        let inner = fields
            .get()
            .strip_prefix('{')
            .ok_or("`output_fields` must be an object")?;
        any |= !inner.trim_start().starts_with('}');
    }
    let may_be_empty = sender == Sender::Falco
        || checked.source == "internal" && checked.rule != TEST_RULE
        || checked.rule.starts_with(INTERNAL_PREFIX);
    if any || may_be_empty {
        Ok(())
    } else {
        Err("`output_fields` must be an object with at least one field".to_owned())
    }
}

/// The event inside a `CloudEvent` or inside the wrapper of Falcosidekick's UI; else the value itself.
fn unwrapped(value: &[u8]) -> Result<&[u8], DecodeError> {
    if scan::member(value, b"specversion").is_some() && scan::member(value, b"rule").is_none() {
        return match scan::member(value, b"data") {
            Some(data) if data.first() == Some(&b'{') => Ok(data),
            _ => Err(DecodeError::CloudEvent),
        };
    }
    match scan::member(value, b"event") {
        Some(event)
            if event.first() == Some(&b'{') && scan::member(value, b"outputs").is_some() =>
        {
            Ok(event)
        }
        _ => Ok(value),
    }
}

/// One level only: what is nested deeper stays text, so that nothing recurses on input.
fn value_of(raw: &RawValue, lists: bool) -> Result<Value, String> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'"') => {
            let text: Cow<'_, str> = text_of(text)?;
            Value::Text(Untrusted::new(text))
        }
        Some(b'[') if lists => {
            let items: Vec<&RawValue> =
                serde_json::from_str(text).map_err(|error| error.to_string())?;
            let items = items.into_iter().map(|item| value_of(item, false));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        Some(b'[' | b'{') => Value::Json(Untrusted::new(text)),
        _ => Value::Number(text.into()),
    })
}

/// The text of a JSON string.
pub(super) fn text_of(json: &str) -> Result<Cow<'_, str>, String> {
    // `Cow` alone always copies in serde; a string without escapes is its text.
    let inner = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
        _ => serde_json::from_str::<String>(json)
            .map(Cow::Owned)
            .map_err(|error| error.to_string()),
    }
}

/// Adds the members of an object.
struct Members<'f>(&'f mut Fields);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let value = value_of(map.next_value()?, true).map_err(A::Error::custom)?;
            self.0.insert(Untrusted::new(name), value);
        }
        Ok(())
    }
}

/// `10:15:00.000000000: Warning ...`, or the same with an ISO 8601 time.
fn is_text_output(body: &[u8]) -> bool {
    let line = String::from_utf8_lossy(body.get(..256).unwrap_or(body));
    let Some((time, rest)) = line.trim_start().split_once(": ") else {
        return false;
    };
    let priority = rest.split_whitespace().next().unwrap_or_default();
    time.contains(':')
        && time.starts_with(|c: char| c.is_ascii_digit())
        && priority.parse::<super::Priority>().is_ok()
}
