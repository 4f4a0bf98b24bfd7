//! Between rows and values.

use jiff::Timestamp;
use rusqlite::{Row, types::Type};
use uuid::Uuid;

use crate::classify::{Category, Nature};
use crate::event::{EventId, Priority, Untrusted};
use crate::incident::{GroupKey, Handled, Incident, IncidentId, State};
use crate::route::RouteId;
use crate::store::StoredEvent;

/// Nanoseconds since 1970, clamped to the years 1677 to 2262.
pub(super) fn nanos(at: Timestamp) -> i64 {
    let nanos = at.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// The time of a stored number of nanoseconds.
pub(super) fn time(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// How severe, as a number that sorts: 0 debug to 7 emergency. Stored only.
pub(super) fn rank(severity: Priority) -> i64 {
    Priority::ALL
        .iter()
        .position(|priority| *priority == severity)
        .and_then(|rank| i64::try_from(rank).ok())
        .unwrap_or(0)
}

pub(super) fn severity(rank: i64) -> Priority {
    usize::try_from(rank)
        .ok()
        .and_then(|rank| Priority::ALL.get(rank).copied())
        .unwrap_or(Priority::Emergency)
}

pub(super) fn nature_name(nature: Nature) -> &'static str {
    match nature {
        Nature::Security => "security",
        Nature::SensorHealth => "health",
        Nature::Test => "test",
    }
}

/// The columns that [`incident`] reads, in its order.
pub(super) const INCIDENT: &str = "i.id, i.uid, i.key, i.route, i.state, i.rule, i.category, \
    i.nature, i.severity, i.labels, i.count, i.first_received, i.last_received, i.first_time, \
    i.last_time, i.first_event, i.last_event, i.spread, i.handled_by, i.handled, i.opened, \
    i.hushed, i.escalated";

pub(super) fn incident(row: &Row<'_>) -> rusqlite::Result<Incident> {
    let labels: Vec<(String, String)> =
        serde_json::from_str(&row.get::<_, String>(9)?).map_err(|error| unreadable(9, error))?;
    let state: String = row.get(4)?;
    let category: String = row.get(6)?;
    let nature: String = row.get(7)?;
    Ok(Incident {
        id: Some(IncidentId(row.get(0)?)),
        uid: Uuid::from_bytes(row.get(1)?),
        key: GroupKey::from_bytes(row.get(2)?),
        route: RouteId(row.get(3)?),
        state: match state.as_str() {
            "acknowledged" => State::Acknowledged,
            "quiet" => State::Quiet,
            "closed" => State::Closed,
            _ => State::Open,
        },
        rule: Untrusted::new(row.get::<_, String>(5)?),
        category: Category::from_id(&category).unwrap_or(Category::Other),
        nature: match nature.as_str() {
            "health" => Nature::SensorHealth,
            "test" => Nature::Test,
            _ => Nature::Security,
        },
        severity: severity(row.get(8)?),
        labels: labels
            .into_iter()
            .map(|(name, value)| (name, Untrusted::new(value)))
            .collect(),
        count: row.get::<_, i64>(10)?.unsigned_abs(),
        first_received: time(row.get(11)?),
        last_received: time(row.get(12)?),
        first_time: event_time(row, 13)?,
        last_time: event_time(row, 14)?,
        first_event: EventId(row.get(15)?),
        last_event: EventId(row.get(16)?),
        spread: serde_json::from_str(&row.get::<_, String>(17)?)
            .map_err(|error| unreadable(17, error))?,
        handled: handled(row)?,
        opened: time(row.get(20)?),
        hushed: row.get(21)?,
        escalated: row.get(22)?,
    })
}

fn handled(row: &Row<'_>) -> rusqlite::Result<Option<Handled>> {
    let by: Option<String> = row.get(18)?;
    let at: Option<i64> = row.get(19)?;
    Ok(by.zip(at).map(|(by, at)| Handled {
        by: by.into(),
        at: time(at),
    }))
}

/// What [`stored_event`] reads, in its order.
pub(super) const STORED_EVENT: &str = "id, received, body, sum";

pub(super) fn stored_event(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    let (id, received, body) = (row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?);
    let stored: Option<i64> = row.get(3)?;
    let is_intact = stored.is_none_or(|stored| stored == sum(id, received, &body));
    Ok(StoredEvent {
        id: EventId(id),
        received: time(received),
        body,
        is_intact,
    })
}

/// What an event's bytes add up to. SQLite checks its log, but not what it has copied from there.
pub(super) fn sum(id: i64, received: i64, body: &[u8]) -> i64 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&id.to_le_bytes());
    sum.update(&received.to_le_bytes());
    sum.update(body);
    i64::from(sum.finalize())
}

pub(super) fn spread_json(incident: &Incident) -> String {
    serde_json::to_string(&incident.spread).expect("texts and counts are always JSON")
}

pub(super) fn labels_json(incident: &Incident) -> String {
    let labels: Vec<(&str, &str)> = incident
        .labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.raw()))
        .collect();
    serde_json::to_string(&labels).expect("pairs of strings are always JSON")
}

fn event_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get::<_, String>(column)?
        .parse()
        .map_err(|error: jiff::Error| unreadable(column, error))
}

pub(super) fn unreadable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
