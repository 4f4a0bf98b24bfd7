//! Events given on the command line, as alerts and as incidents of one event.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use uuid::Uuid;

use crate::classify::Alert;
use crate::config::Resolved;
use crate::event::{self, EventId, Sender};
use crate::incident::{Group, GroupKey, Incident, Saying, fold};
use crate::link::Links;
use crate::report::{Engine, Nearby, Report, Subject};
use crate::route::Route;

/// Reads events from a file, or from standard input for `-`.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body)?;
        return Ok(body);
    }
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Classifies the events of a body, as if they were received now.
pub(super) fn alerts(body: &[u8], resolved: &Resolved, now: Timestamp) -> Result<Vec<Alert>> {
    let classifier = &resolved.rules.classifier;
    let events = event::split(body, Sender::Falco)?;
    (1..)
        .zip(events)
        .map(|(id, raw)| Ok(classifier.classify(EventId(id), now, event::decode(raw)?)))
        .collect()
}

/// The alert as it may be shown: with its secrets masked.
pub(super) fn masked(mut alert: Alert, resolved: &Resolved) -> Alert {
    alert.event = resolved.setup.masker.event(alert.event);
    alert
}

/// The incident that an alert would open on a route.
pub(super) fn incident(alert: &Alert, route: &Route) -> Option<Incident> {
    let labels = route.group_values(alert);
    let named = labels.iter().map(|(name, value)| (*name, value.as_deref()));
    let group = Group {
        key: GroupKey::new(&route.id, named),
        route,
        alerts: vec![alert],
        sayings: vec![Saying::Plain],
        labels,
    };
    Some(fold(None, &group, Uuid::nil())?.incident)
}

/// The report about an incident of one alert.
pub(super) fn report(
    engine: &Engine,
    alert: &Alert,
    incident: &Incident,
    links: &Links,
    now: Timestamp,
) -> Result<Report> {
    let link = links.to(incident.uid, now);
    let subject = Subject {
        incident,
        latest: alert,
        first: alert,
        incident_url: link.as_deref(),
        nearby: &Nearby::default(),
        now,
    };
    Ok(engine.try_render(&subject)?)
}
