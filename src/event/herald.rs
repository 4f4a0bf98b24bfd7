//! What Herald says of itself and of the sensors: events like any other.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Event;

/// What the rules of Herald's own events begin with.
const PREFIX: &str = "Falco Herald: ";

/// An event of Herald's own, as it would be posted. `hostname` is that of the sensor it is about, or
/// empty.
pub fn herald_event(
    rule: &str,
    priority: &str,
    hostname: &str,
    output: &str,
    fields: &Value,
    now: Timestamp,
) -> Vec<u8> {
    let event = json!({
        "rule": format!("{PREFIX}{rule}"),
        "priority": priority,
        "source": "internal",
        "time": now.to_string(),
        "hostname": hostname,
        "output": output,
        "output_fields": fields,
    });
    event.to_string().into_bytes()
}

/// Whether Herald made the event.
pub fn is_of_herald(event: &Event) -> bool {
    event.rule.raw().starts_with(PREFIX)
}
