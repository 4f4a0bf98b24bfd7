//! What else is known around an incident. A report without it is still one.

use std::time::Duration;

use jiff::Timestamp;

use crate::classify::{Alert, Nature};
use crate::clock::later;
use crate::deliver::Shared;
use crate::event::Untrusted;
use crate::incident::{Incident, workload};
use crate::report::{Before, Nearby};
use crate::store::StoreError;

/// How far from an alert lost events cast doubt on what else was seen, and how far back the surroundings
/// reach.
const NEAR: Duration = Duration::from_mins(15);

/// How far back a rule counts as known for an image.
const MONTH: Duration = Duration::from_hours(30 * 24);

/// Asks the store what is known around an incident.
pub(super) async fn nearby(
    shared: &Shared,
    incident: &Incident,
    latest: &Alert,
    first: &Alert,
) -> Nearby {
    if latest.nature != Nature::Security {
        return Nearby::default();
    }
    let known = |what: &'static str, error: StoreError| {
        tracing::warn!(%error, "cannot tell {what}");
    };
    let mut nearby = Nearby::default();
    match lost(shared, latest).await {
        Ok(lost) => nearby.lost = lost,
        Err(error) => known("whether the sensor lost events", error),
    }
    if let Some(id) = incident.id {
        match shared.store.hidden(id).await {
            Ok((hidden, despite)) => (nearby.hidden, nearby.despite) = (hidden, despite),
            Err(error) => known("what was not said", error),
        }
    }
    match before(shared, incident, first).await {
        Ok(before) => nearby.before = before,
        Err(error) => known("what happened before", error),
    }
    match history(shared, incident, latest).await {
        Ok(history) => nearby.history = history,
        Err(error) => known("how often the rule fired", error),
    }
    nearby
}

async fn lost(shared: &Shared, alert: &Alert) -> Result<Option<Timestamp>, StoreError> {
    let host = alert.event.hostname.raw();
    if host.is_empty() {
        return Ok(None);
    }
    let (from, to) = (earlier(alert.received, NEAR), later(alert.received, NEAR));
    shared.store.loss_near(host, from, to).await
}

/// Other rules that fired at the same workload before the incident began.
async fn before(
    shared: &Shared,
    incident: &Incident,
    first: &Alert,
) -> Result<Vec<Before>, StoreError> {
    let Some(workload) = workload(&first.event) else {
        return Ok(Vec::new());
    };
    let begin = incident.first_received;
    let rows = shared
        .store
        .activity(&workload, earlier(begin, NEAR), begin)
        .await?;
    let masker = &shared.setup.masker;
    let others = rows.into_iter().filter(|row| row.rule != incident.rule);
    Ok(others
        .map(|row| Before {
            rule: Untrusted::new(masker.mask(row.rule.raw())),
            severity: row.severity,
            count: row.count,
        })
        .collect())
}

/// How often the rule fired for the image outside this incident, and since when that is known.
async fn history(
    shared: &Shared,
    incident: &Incident,
    alert: &Alert,
) -> Result<Option<(u64, Timestamp)>, StoreError> {
    let Some(image) = alert.event.output_fields.text("container.image.repository") else {
        return Ok(None);
    };
    let from = earlier(incident.first_received, MONTH);
    let history = shared
        .store
        .history(&image, alert.event.rule.raw(), from)
        .await?;
    Ok(Some((
        history.count.saturating_sub(incident.count),
        history.since,
    )))
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(at)
}
