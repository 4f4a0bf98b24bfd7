//! What is posted: the whole body, or what a body template sees.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::super::Notice;

/// The whole body, with the event as posted: its numbers keep their digits.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    timestamp: &'a str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    incident: Value,
    report: Value,
    event: &'a RawValue,
}

pub(super) fn body(notice: &Notice, now: &str) -> serde_json::Result<Vec<u8>> {
    let posted = String::from_utf8_lossy(&notice.event);
    let text;
    let event = if let Ok(event) = serde_json::from_str(&posted) {
        event
    } else {
        text = to_raw_value(&posted)?;
        &*text
    };
    let data = Data {
        incident: incident(notice),
        report: report(notice),
        event,
    };
    let r#type = format!("incident.{}", notice.kind.name());
    serde_json::to_vec(&Body {
        r#type,
        timestamp: now,
        data,
    })
}

/// What a body template sees.
pub(super) fn context(notice: &Notice) -> Value {
    let event = String::from_utf8_lossy(&notice.event);
    let event = serde_json::from_str(&event).unwrap_or_else(|_| json!(event));
    json!({
        "kind": notice.kind.name(),
        "incident": incident(notice),
        "report": report(notice),
        "event": event,
    })
}

fn incident(notice: &Notice) -> Value {
    let incident = &notice.incident;
    let labels: serde_json::Map<_, _> = incident
        .labels
        .iter()
        .map(|(name, value)| (name.clone(), json!(value.raw())))
        .collect();
    json!({
        "uid": incident.uid,
        "state": incident.state,
        "handled_by": incident.handled.as_ref().map(|handled| handled.by.raw()),
        "rule": incident.rule.raw(),
        "category": incident.category,
        "severity": incident.severity,
        "count": incident.count,
        "labels": labels,
        "first_received": incident.first_received.to_string(),
        "last_received": incident.last_received.to_string(),
    })
}

fn report(notice: &Notice) -> Value {
    let report = &notice.report;
    json!({
        "title": report.title,
        "lead": report.lead,
        "markdown": report.markdown,
    })
}
