//! The second step's transaction: events, incidents, fates, deliveries and the cursor together.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use rusqlite::{Connection, OptionalExtension, params};

use super::Sqlite;
use super::row::{labels_json, nanos, nature_name, rank, spread_json, sum};
use super::{activity, hush, sensors};
use crate::event::EventId;
use crate::store::{DestinationStep, IncidentStep, Step, StoreError, StoredEvent};

impl Sqlite {
    pub(in crate::store) async fn commit_step(&self, step: Step) -> Result<(), StoreError> {
        let cursor = step.cursor;
        self.state
            .write("take over events", move |connection| {
                write(connection, &step)
            })
            .await?;
        if let Some(cursor) = cursor {
            self.inbox.trim(cursor);
        }
        self.outbox_changed.send_modify(|changes| *changes += 1);
        Ok(())
    }
}

fn write(connection: &Connection, step: &Step) -> rusqlite::Result<()> {
    let Some(cursor) = step.cursor else {
        return Ok(());
    };
    {
        let mut stands_for: HashMap<EventId, i64> = HashMap::new();
        for by in step.spared.values() {
            *stands_for.entry(*by).or_default() += 1;
        }
        let mut insert = connection.prepare_cached(
            "INSERT INTO events (id, received, body, stands_for, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let kept = |event: &&StoredEvent| !step.spared.contains_key(&event.id);
        for event in step.events.iter().filter(kept) {
            let others = stands_for.get(&event.id).copied().unwrap_or(0);
            let (id, received) = (event.id.0, nanos(event.received));
            // What was damaged before stays known as such.
            let sum = if event.is_intact {
                sum(id, received, &event.body)
            } else {
                -1
            };
            insert.execute(params![id, received, event.body, 1 + others, sum])?;
        }
    }
    for incident in &step.incidents {
        write_incident(connection, incident, cursor)?;
    }
    if !step.unrouted.is_empty() {
        let fold = insert_fold(connection, cursor, None, None, &step.unrouted)?;
        insert_fate(connection, fold, "", None, "unrouted", step.unrouted.len())?;
    }
    for (event, reason) in &step.undecodable {
        connection
            .prepare_cached("INSERT INTO undecodable (event, reason) VALUES (?1, ?2)")?
            .execute(params![event.0, reason])?;
    }
    activity::write(connection, &step.activity, &step.fired)?;
    hush::learn(connection, &step.inhibiting, &step.known)?;
    sensors::write(connection, &step.sensors)?;
    if let Some(last) = step.events.last() {
        connection
            .prepare_cached(
                "INSERT INTO batches (last, first, received) SELECT ?1, event + 1, ?2 FROM cursor",
            )?
            .execute(params![cursor.0, nanos(last.received)])?;
    }
    connection
        .prepare_cached("UPDATE cursor SET event = ?1, received = received + ?2")?
        .execute(params![cursor.0, count(step.events.len())])?;
    Ok(())
}

fn write_incident(
    connection: &Connection,
    step: &IncidentStep,
    batch: EventId,
) -> rusqlite::Result<()> {
    if let Some(older) = step.follows {
        connection
            .prepare_cached("UPDATE incidents SET state = 'quiet' WHERE id = ?1")?
            .execute([older.0])?;
    }
    let id = match step.incident.id {
        Some(id) => {
            update_incident(connection, step)?;
            id.0
        }
        None => insert_incident(connection, step)?,
    };
    if !step.events.is_empty() {
        let fold = insert_fold(connection, batch, Some(id), None, &step.events)?;
        for destination in &step.destinations {
            write_delivery(connection, step, id, fold, destination)?;
        }
    }
    hush::break_through(connection, id, &step.despite)?;
    for (by, events) in &step.hidden {
        let silence = hush::silence(*by);
        let fold = insert_fold(connection, batch, Some(id), silence, events)?;
        hush::hide(connection, id, *by, events.len())?;
        for to in &step.destinations {
            insert_fate(
                connection,
                fold,
                &to.destination,
                None,
                by.fate(),
                events.len(),
            )?;
        }
        connection
            .prepare_cached("UPDATE silences SET hidden = hidden + ?2 WHERE id = ?1")?
            .execute(params![silence, count(events.len())])?;
    }
    Ok(())
}

fn insert_incident(connection: &Connection, step: &IncidentStep) -> rusqlite::Result<i64> {
    let incident = &step.incident;
    connection
        .prepare_cached(
            "INSERT INTO incidents (uid, key, route, state, rule, category, nature, severity,
                 labels, count, first_received, last_received, first_time, last_time,
                 first_event, last_event, spread, opened, hushed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19)",
        )?
        .execute(params![
            incident.uid.as_bytes(),
            incident.key.as_bytes(),
            incident.route.0,
            incident.state.name(),
            incident.rule.raw(),
            incident.category.id(),
            nature_name(incident.nature),
            rank(incident.severity),
            labels_json(incident),
            i64::try_from(incident.count).unwrap_or(i64::MAX),
            nanos(incident.first_received),
            nanos(incident.last_received),
            incident.first_time.to_string(),
            incident.last_time.to_string(),
            incident.first_event.0,
            incident.last_event.0,
            spread_json(incident),
            nanos(incident.opened),
            incident.hushed,
        ])?;
    Ok(connection.last_insert_rowid())
}

fn update_incident(connection: &Connection, step: &IncidentStep) -> rusqlite::Result<()> {
    let incident = &step.incident;
    connection
        .prepare_cached(
            "UPDATE incidents SET severity = ?2, count = ?3, last_received = ?4, first_time = ?5,
                 last_time = ?6, last_event = ?7, spread = ?8,
                 state = CASE WHEN ?9 THEN 'open' ELSE state END,
                 handled_by = CASE WHEN ?9 THEN NULL ELSE handled_by END,
                 escalated = CASE WHEN ?9 THEN 0 ELSE escalated END, opened = ?10, hushed = ?11
             WHERE id = ?1",
        )?
        .execute(params![
            incident.id.map(|id| id.0),
            rank(incident.severity),
            i64::try_from(incident.count).unwrap_or(i64::MAX),
            nanos(incident.last_received),
            incident.first_time.to_string(),
            incident.last_time.to_string(),
            incident.last_event.0,
            spread_json(incident),
            step.reopened,
            nanos(incident.opened),
            incident.hushed,
        ])?;
    Ok(())
}

/// Folds the events into the open delivery, or opens one.
fn write_delivery(
    connection: &Connection,
    step: &IncidentStep,
    incident: i64,
    fold: i64,
    to: &DestinationStep,
) -> rusqlite::Result<()> {
    let said: Option<i64> = connection
        .prepare_cached("SELECT said FROM messages WHERE incident = ?1 AND destination = ?2")?
        .query_row(params![incident, to.destination], |row| row.get(0))
        .optional()?
        .flatten();
    let events = step.events.len();
    let spacing = to
        .interval
        .map(|interval| i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX));
    let due = match (said, spacing) {
        // Never said in the future, whatever the clock said then.
        (Some(said), Some(spacing)) => {
            let first = nanos(to.first_due);
            said.min(first).saturating_add(spacing).max(first)
        }
        _ => nanos(to.first_due),
    };
    // A break-through brings a waiting delivery forward, but not one that waits for a retry.
    let open: Option<i64> = connection
        .prepare_cached(
            "UPDATE deliveries SET events = events + ?3, severity = ?4,
                 due = CASE WHEN ?6 IS NULL AND attempts = 0 THEN min(due, ?5) ELSE due END,
                 spacing = CASE WHEN ?6 IS NULL THEN NULL ELSE spacing END
             WHERE incident = ?1 AND destination = ?2 AND state = 'pending' RETURNING id",
        )?
        .query_row(
            params![
                incident,
                to.destination,
                count(events),
                rank(step.incident.severity),
                due,
                spacing
            ],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(delivery) = open {
        return insert_fate(
            connection,
            fold,
            &to.destination,
            Some(delivery),
            "folded",
            events,
        );
    }
    connection
        .prepare_cached(
            "INSERT INTO deliveries
                 (incident, destination, state, events, severity, created, due, spacing)
             VALUES (?1, ?2, 'pending', ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            incident,
            to.destination,
            count(events),
            rank(step.incident.severity),
            nanos(step.incident.last_received),
            due,
            spacing
        ])?;
    let delivery = connection.last_insert_rowid();
    // One event causes the message, the others are counted in it.
    insert_fate(connection, fold, &to.destination, Some(delivery), "sent", 1)?;
    insert_fate(
        connection,
        fold,
        &to.destination,
        Some(delivery),
        "folded",
        events.saturating_sub(1),
    )
}

fn insert_fold(
    connection: &Connection,
    batch: EventId,
    incident: Option<i64>,
    silence: Option<i64>,
    events: &[EventId],
) -> rusqlite::Result<i64> {
    let ranges: Vec<[i64; 2]> = ranges(events)
        .into_iter()
        .map(|range| [*range.start(), *range.end()])
        .collect();
    let ranges = serde_json::to_string(&ranges).expect("pairs of integers are always JSON");
    connection
        .prepare_cached(
            "INSERT INTO folds (batch, incident, count, events, silence) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            batch.0,
            incident,
            count(events.len()),
            ranges,
            silence
        ])?;
    Ok(connection.last_insert_rowid())
}

fn insert_fate(
    connection: &Connection,
    fold: i64,
    destination: &str,
    delivery: Option<i64>,
    fate: &str,
    events: usize,
) -> rusqlite::Result<()> {
    if events == 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO fates (fold, destination, delivery, fate, events, settled)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            fold,
            destination,
            delivery,
            fate,
            count(events),
            delivery.is_none()
        ])?;
    Ok(())
}

/// Runs of consecutive ids: a storm of one incident is one run.
fn ranges(events: &[EventId]) -> Vec<RangeInclusive<i64>> {
    let mut ranges: Vec<RangeInclusive<i64>> = Vec::new();
    for EventId(id) in events {
        match ranges.last_mut() {
            Some(last) if last.end() + 1 == *id => *last = *last.start()..=*id,
            _ => ranges.push(*id..=*id),
        }
    }
    ranges
}

fn count(events: usize) -> i64 {
    i64::try_from(events).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_ids_make_one_range() {
        let ids = [3, 4, 5, 9, 11, 12].map(EventId);
        assert_eq!(ranges(&ids), [3..=5, 9..=9, 11..=12]);
    }
}
