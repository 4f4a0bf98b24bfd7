//! A delivery whose event cannot be read any more: it went before its time, or the disk damaged it.

use serde_json::json;

use crate::store::{Leased, StoredEvent};

/// The same delivery with what the incident knows in place of the event. People are told that
/// something happened, where, how often, and that the event itself is gone.
pub(super) fn without_event(leased: &Leased, is_readable: impl Fn(&StoredEvent) -> bool) -> Leased {
    let mut leased = leased.clone();
    if is_readable(&leased.first) {
        leased.latest = leased.first.clone();
        return leased;
    }
    let incident = &leased.incident;
    let mut labels = incident.labels.iter();
    let hostname = labels.find(|(name, _)| name == "hostname");
    let body = json!({
        "rule": incident.rule.raw(),
        "priority": incident.severity.name(),
        "time": incident.last_time.to_string(),
        "hostname": hostname.map_or("", |(_, host)| host.raw()),
        "source": "internal",
        "output": "The event as posted cannot be read any more; this is what its incident knows.",
        "output_fields": {},
    });
    leased.latest.body = body.to_string().into_bytes();
    leased.latest.is_intact = true;
    leased
}
