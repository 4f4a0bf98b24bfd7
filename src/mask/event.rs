//! Whole events: each of their texts is masked by itself.

use std::borrow::Cow;
use std::ops::Range;

use super::Masker;
use crate::event::{Event, Fields, Untrusted, Value};
use crate::incident::Incident;

impl Masker {
    /// The event with every secret in its texts masked.
    #[must_use]
    pub fn event(&self, mut event: Event) -> Event {
        event.rule = self.untrusted(event.rule);
        // Falco's message repeats values of the fields, in the middle of other words.
        let repeated = self.replaced(event.output_fields.iter().map(|(_, value)| value.to_text()));
        let output = replace(event.output.raw(), &repeated);
        event.output = self.untrusted(output.into_owned().into());
        event.hostname = self.untrusted(event.hostname);
        event.tags = event
            .tags
            .into_iter()
            .map(|tag| self.untrusted(tag))
            .collect();
        event.output_fields = self.fields(&event.output_fields);
        event
    }

    /// The incident with every secret in its texts masked.
    #[must_use]
    pub fn incident(&self, mut incident: Incident) -> Incident {
        incident.rule = self.untrusted(incident.rule);
        incident.spread = incident.spread.map(|value| self.mask(value).into_owned());
        let labels = incident.labels.into_iter();
        incident.labels = labels
            .map(|(name, value)| (name, self.untrusted(value)))
            .collect();
        incident
    }

    /// A text with its secrets masked.
    #[must_use]
    pub fn untrusted(&self, text: Untrusted) -> Untrusted {
        match self.mask(text.raw()) {
            Cow::Borrowed(_) => text,
            Cow::Owned(masked) => masked.into(),
        }
    }

    /// The texts that masking changes, with what they become.
    fn replaced<'t>(
        &self,
        texts: impl Iterator<Item = Cow<'t, str>>,
    ) -> Vec<(Cow<'t, str>, String)> {
        let changed = |text: Cow<'t, str>| match self.mask(&text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some((text, masked)),
        };
        texts.filter_map(changed).collect()
    }

    fn fields(&self, fields: &Fields) -> Fields {
        let masked = |(name, value): (&Untrusted, &Value)| {
            let text = value.to_text();
            // `proc.env` and the like are one text of assignments; a field whose own name says
            // secret is one as a whole.
            (self.untrusted(name.clone()), self.value(value, &text))
        };
        fields.iter().map(masked).collect()
    }

    fn value(&self, value: &Value, text: &str) -> Value {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::List(items) => Value::List(
                items
                    .iter()
                    .map(|item| self.value(item, &item.to_text()))
                    .collect(),
            ),
            _ => match self.mask(text) {
                Cow::Borrowed(_) => value.clone(),
                Cow::Owned(masked) => masked.as_str().into(),
            },
        }
    }

    /// JSON text with the secrets in its strings masked; everything else stays byte for byte.
    pub fn json<'j>(&self, json: &'j [u8]) -> Cow<'j, [u8]> {
        let strings = strings(json);
        let repeated = self.replaced(strings.iter().map(|(_, text)| Cow::Borrowed(text.as_str())));
        if repeated.is_empty() {
            return Cow::Borrowed(json);
        }
        let mut out = Vec::with_capacity(json.len());
        let mut done = 0;
        for (range, text) in &strings {
            let masked = replace(text, &repeated);
            let masked = self.mask(&masked);
            if masked != *text {
                out.extend_from_slice(json.get(done..range.start).unwrap_or_default());
                let masked =
                    serde_json::to_string(&masked).unwrap_or_else(|_| "\"[masked]\"".to_owned());
                out.extend_from_slice(masked.as_bytes());
                done = range.end;
            }
        }
        out.extend_from_slice(json.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// A body that may be JSON or not, as text.
    pub fn body(&self, body: &[u8]) -> String {
        let masked = self.json(body);
        let text = String::from_utf8_lossy(&masked);
        self.mask(&text).into_owned()
    }
}

/// The text with each of these texts replaced; short ones would hit other words.
fn replace<'t>(text: &'t str, repeated: &[(Cow<'_, str>, String)]) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for (from, to) in repeated {
        if from.len() >= 8 && text.contains(from.as_ref()) {
            text = Cow::Owned(text.replace(from.as_ref(), to));
        }
    }
    text
}

/// The strings of a JSON text: where each stands with its quotes, and what it says.
fn strings(json: &[u8]) -> Vec<(Range<usize>, String)> {
    let mut strings = Vec::new();
    let mut at = 0;
    while let Some(open) = json
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'"'))
    {
        let open = at + open;
        let Some(close) = end_of_string(json, open) else {
            break;
        };
        let written = String::from_utf8_lossy(json.get(open..close).unwrap_or_default());
        let text = serde_json::from_str::<String>(&written)
            .unwrap_or_else(|_| written.trim_matches('"').to_owned());
        strings.push((open..close, text));
        at = close;
    }
    strings
}

/// Where a string ends that begins at `open`: after its closing quote.
fn end_of_string(json: &[u8], open: usize) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in json.iter().enumerate().skip(open + 1) {
        match byte {
            b'\\' if !escaped => escaped = true,
            b'"' if !escaped => return Some(at + 1),
            _ => escaped = false,
        }
    }
    None
}
