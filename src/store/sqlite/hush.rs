//! Inhibition, muted incidents, and the sums of what is hidden.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Sqlite;
use super::row::{nanos, time};
use super::timers::say;
use crate::incident::IncidentId;
use crate::route::{HiddenBy, InhibitKey, Novelty, RouteId, SilenceId};
use crate::store::hush::words;
use crate::store::{Despite, Hidden, SilenceName, StoreError};

impl Sqlite {
    pub(in crate::store) async fn inhibiting(
        &self,
        keys: Vec<InhibitKey>,
    ) -> Result<BTreeMap<InhibitKey, Timestamp>, StoreError> {
        self.state_readers
            .read("read inhibitions", move |connection| {
                let mut select =
                    connection.prepare_cached("SELECT last FROM inhibiting WHERE key = ?1")?;
                let mut found = BTreeMap::new();
                for key in keys {
                    let last: Option<i64> =
                        select.query_row([&key.0], |row| row.get(0)).optional()?;
                    found.extend(last.map(|last| (key, time(last))));
                }
                Ok(found)
            })
            .await
    }

    pub(in crate::store) async fn muted(
        &self,
    ) -> Result<Vec<(IncidentId, RouteId, u32)>, StoreError> {
        self.state_readers
            .read("read muted incidents", |connection| {
                connection
                    .prepare_cached(
                        "SELECT i.id, i.route, i.escalated FROM hidden AS h
                         JOIN incidents AS i ON i.id = h.incident
                         WHERE h.fate = 'muted' AND h.told = 0",
                    )?
                    .query_map([], |row| {
                        Ok((IncidentId(row.get(0)?), RouteId(row.get(1)?), row.get(2)?))
                    })?
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn tell_muted(
        &self,
        incidents: Vec<(IncidentId, Vec<String>)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.state
            .write("tell muted incidents", move |connection| {
                incidents.iter().try_for_each(|(incident, destinations)| {
                    tell(connection, *incident, destinations, now)
                })
            })
            .await?;
        self.outbox_changed.send_modify(|changes| *changes += 1);
        Ok(())
    }

    pub(in crate::store) async fn hidden(
        &self,
        incident: IncidentId,
    ) -> Result<(Vec<Hidden>, Vec<Despite>), StoreError> {
        self.state_readers
            .read("read what is hidden", move |connection| {
                let hidden = connection
                    .prepare_cached(
                        "SELECT s.id, s.by, s.comment, s.ends, h.fate, h.events
                         FROM hidden AS h LEFT JOIN silences AS s ON s.id = h.silence
                         WHERE h.incident = ?1 AND h.events > 0 ORDER BY h.fate, h.silence",
                    )?
                    .query_map([incident.0], |row| {
                        Ok(Hidden {
                            silence: silence_name(row)?,
                            fate: row.get(4)?,
                            events: row.get::<_, i64>(5)?.unsigned_abs(),
                        })
                    })?
                    .collect::<Result<_, _>>()?;
                let despite = connection
                    .prepare_cached(
                        "SELECT s.id, s.by, s.comment, s.ends, d.what, d.value
                         FROM despite AS d JOIN silences AS s ON s.id = d.silence
                         WHERE d.incident = ?1 ORDER BY d.silence, d.what, d.value",
                    )?
                    .query_map([incident.0], |row| {
                        Ok(silence_name(row)?.zip(Some((row.get(4)?, row.get(5)?))))
                    })?
                    .filter_map(Result::transpose)
                    .map(|row: rusqlite::Result<(SilenceName, (String, String))>| {
                        row.map(|(silence, (what, value))| Despite {
                            silence,
                            what,
                            value: value.into(),
                        })
                    })
                    .collect::<Result<_, _>>()?;
                Ok((hidden, despite))
            })
            .await
    }
}

pub(super) fn silence_name(row: &Row<'_>) -> rusqlite::Result<Option<SilenceName>> {
    let Some(id) = row.get::<_, Option<i64>>(0)? else {
        return Ok(None);
    };
    Ok(Some(SilenceName {
        id: SilenceId(id),
        by: row.get::<_, String>(1)?.into(),
        comment: row.get::<_, String>(2)?.into(),
        ends: time(row.get(3)?),
    }))
}

fn tell(
    connection: &Connection,
    incident: IncidentId,
    destinations: &[String],
    now: Timestamp,
) -> rusqlite::Result<()> {
    for destination in destinations {
        say(connection, incident.0, destination, now)?;
    }
    unhush(connection, incident.0, now)?;
    connection
        .prepare_cached("UPDATE hidden SET told = 1 WHERE incident = ?1 AND fate = 'muted'")?
        .execute([incident.0])?;
    Ok(())
}

/// From now on people know of an incident, so that it is reminded of, escalated and closed as usual.
pub(super) fn unhush(
    connection: &Connection,
    incident: i64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE incidents SET hushed = 0, opened = ?2 WHERE id = ?1 AND hushed = 1",
        )?
        .execute(params![incident, nanos(now)])?;
    Ok(())
}

/// Counts what was hidden of an incident. With no events, it is only to be told later.
pub(super) fn hide(
    connection: &Connection,
    incident: i64,
    by: HiddenBy,
    events: usize,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO hidden (incident, fate, silence, events) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET events = events + excluded.events, told = 0",
        )?
        .execute(params![
            incident,
            by.fate(),
            silence(by).unwrap_or(0),
            i64::try_from(events).unwrap_or(i64::MAX)
        ])?;
    Ok(())
}

/// The row of the silence that hides.
pub(super) fn silence(by: HiddenBy) -> Option<i64> {
    match by {
        HiddenBy::Silence(SilenceId(id)) => Some(id),
        HiddenBy::Inhibition | HiddenBy::TimeInterval => None,
    }
}

/// What a batch taught: sources that fired, and what is no news any more.
pub(super) fn learn(
    connection: &Connection,
    inhibiting: &[(InhibitKey, Timestamp)],
    known: &[(SilenceId, Novelty)],
) -> rusqlite::Result<()> {
    for (key, last) in inhibiting {
        connection
            .prepare_cached(
                "INSERT INTO inhibiting (key, last) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET last = max(last, excluded.last)",
            )?
            .execute(params![key.0, nanos(*last)])?;
    }
    for (silence, novelty) in known {
        let (what, value) = words(novelty);
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO silence_known (silence, what, value) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![silence.0, what, value])?;
    }
    Ok(())
}

/// What broke through silences for an incident.
pub(super) fn break_through(
    connection: &Connection,
    incident: i64,
    despite: &[(SilenceId, Novelty)],
) -> rusqlite::Result<()> {
    for (silence, novelty) in despite {
        let (what, value) = words(novelty);
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO despite (incident, silence, what, value)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![incident, silence.0, what, value])?;
    }
    Ok(())
}
