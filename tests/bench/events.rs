//! The events that are sent. They look like Falco's, 1.4 to 2.1 kB, and are written once: before each
//! request only its serial number and its group are patched in, so that the generator stays cheap.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::sample::{GROUP_MARK, RULES, SERIAL_MARK, body};

/// Digits of a serial number and of a group.
const SERIAL: usize = 12;
const GROUP: usize = 6;

/// The rule of probes, which nothing else fires.
pub(crate) const PROBE: &str = "Detect release_agent File Container Escapes";

/// A family of requests that share a count of what was sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    kinds: Vec<Kind>,
    /// How many incidents the events make.
    groups: u64,
    sent: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
struct Kind {
    text: Vec<u8>,
    serials: Vec<usize>,
    groups: Vec<usize>,
}

impl Request {
    /// Events of `groups` incidents in turn.
    pub(crate) fn of_groups(groups: u64) -> Self {
        let kinds = RULES.iter().map(|rule| Kind::of(&body(rule))).collect();
        Self::of(kinds, groups)
    }

    /// Events of one storm: one incident, one rule.
    pub(crate) fn storm() -> Self {
        Self::of(vec![Kind::of(&body(&RULES[0]))], 1)
    }

    /// Critical events, each an incident of its own; their bodies contain [`PROBE`].
    pub(crate) fn probe() -> Self {
        Self::of(vec![Kind::of(&body(&(PROBE, "Critical", 20)))], u64::MAX)
    }

    /// What Falcosidekick's Alertmanager output makes of events that each have labels of their own.
    pub(crate) fn to_alertmanager() -> Self {
        let kinds = RULES.iter().map(|rule| {
            let event = body(rule);
            let labels = event["output_fields"].as_object().unwrap().iter();
            let mut labels: serde_json::Map<_, _> = labels
                .map(|(name, value)| {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    (name.replace(['.', '[', ']'], "_"), json!(text))
                })
                .collect();
            labels.insert("rule".to_owned(), event["rule"].clone());
            labels.insert("priority".to_owned(), event["priority"].clone());
            labels.insert("serial".to_owned(), json!(SERIAL_MARK));
            let alert = json!([{
                "labels": labels,
                "annotations": { "info": event["output"], "summary": event["rule"] },
            }]);
            Kind::to("/api/v2/alerts", &alert.to_string())
        });
        Self::of(kinds.collect(), 10_000)
    }

    fn of(kinds: Vec<Kind>, groups: u64) -> Self {
        Self {
            kinds,
            groups,
            sent: Arc::default(),
        }
    }

    /// The bytes of the next request.
    pub(crate) fn next(&mut self) -> &[u8] {
        let serial = self.sent.fetch_add(1, Ordering::Relaxed);
        let group = serial % self.groups;
        let count = self.kinds.len() as u64;
        let kind = &mut self.kinds[(group % count) as usize];
        let (text, serials, groups) = (&mut kind.text, &kind.serials, &kind.groups);
        for at in serials {
            digits(text, *at, SERIAL, serial);
        }
        for at in groups {
            digits(text, *at, GROUP, group);
        }
        text
    }

    /// The bytes of a request with the next `count` events, one a line.
    pub(crate) fn batch(&mut self, count: usize) -> Vec<u8> {
        let mut lines = Vec::new();
        for _ in 0..count {
            let text = self.next();
            let head = text.windows(4).position(|four| four == b"\r\n\r\n");
            lines.extend_from_slice(&text[head.unwrap() + 4..]);
            lines.push(b'\n');
        }
        let length = lines.len();
        let head = format!("POST / HTTP/1.1\r\nhost: bench\r\ncontent-length: {length}\r\n\r\n");
        [head.into_bytes(), lines].concat()
    }

    /// How many were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The mean length of a body.
    pub(crate) fn body_len(&self) -> f64 {
        let all = self.kinds.iter().map(|kind| {
            let head = kind.text.windows(4).position(|four| four == b"\r\n\r\n");
            kind.text.len() - head.unwrap_or(0) - 4
        });
        all.sum::<usize>() as f64 / self.kinds.len() as f64
    }
}

impl Kind {
    fn of(event: &serde_json::Value) -> Self {
        Self::to("/", &event.to_string())
    }

    fn to(path: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\nuser-agent: Falcosidekick\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let at = |mark| text.match_indices(mark).map(|(at, _)| at).collect();
        Self {
            serials: at(SERIAL_MARK),
            groups: at(GROUP_MARK),
            text: text.into_bytes(),
        }
    }
}

fn digits(text: &mut [u8], at: usize, width: usize, mut number: u64) {
    for place in text[at..at + width].iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
