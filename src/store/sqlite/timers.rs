//! Incidents whose time has come: quiet ones are closed with a summary, open ones are said again.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::Sqlite;
use super::hush;
use super::row::{self, nanos, time};
use crate::route::HiddenBy;
use crate::store::{Live, StoreError, TimerStep};

impl Sqlite {
    pub(in crate::store) async fn live_incidents(&self) -> Result<Vec<Live>, StoreError> {
        self.state_readers
            .read("read live incidents", |connection| {
                connection
                    .prepare_cached(&format!(
                        "SELECT {}, (SELECT max(said) FROM messages WHERE incident = i.id),
                             EXISTS (SELECT 1 FROM deliveries AS d WHERE d.incident = i.id
                                 AND d.state IN ('pending', 'sending'))
                         FROM incidents AS i WHERE i.state IN ('open', 'acknowledged')",
                        row::INCIDENT
                    ))?
                    .query_map([], |row| {
                        Ok(Live {
                            incident: row::incident(row)?,
                            said: row.get::<_, Option<i64>>(23)?.map(time),
                            waiting: row.get(24)?,
                        })
                    })?
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn commit_timers(
        &self,
        steps: Vec<TimerStep>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.state
            .write("follow timers", move |connection| {
                steps
                    .iter()
                    .try_for_each(|step| write(connection, step, now))
            })
            .await?;
        self.outbox_changed.send_modify(|changes| *changes += 1);
        Ok(())
    }
}

fn write(connection: &Connection, step: &TimerStep, now: Timestamp) -> rusqlite::Result<()> {
    // An alert that came meanwhile has moved the incident on: its time has not come.
    let changed = connection
        .prepare_cached(
            "UPDATE incidents SET state = ?4 WHERE id = ?1 AND last_event = ?2 AND state = ?3",
        )?
        .execute(params![
            step.incident.0,
            step.last_event.0,
            step.seen.name(),
            step.state.name()
        ])?;
    if changed == 0 {
        return Ok(());
    }
    if step.muted {
        hush::hide(connection, step.incident.0, HiddenBy::TimeInterval, 0)?;
    }
    if let Some((escalated, destinations)) = &step.escalate {
        connection
            .prepare_cached("UPDATE incidents SET escalated = ?2 WHERE id = ?1")?
            .execute(params![step.incident.0, escalated])?;
        for destination in destinations {
            say(connection, step.incident.0, destination, now)?;
        }
    }
    for destination in &step.destinations {
        say_again(connection, step.incident.0, destination, now)?;
    }
    Ok(())
}

/// Says an incident once more where it was said before.
pub(super) fn say_again(
    connection: &Connection,
    incident: i64,
    destination: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let said = connection
        .prepare_cached(
            "SELECT 1 FROM messages
             WHERE incident = ?1 AND destination = ?2 AND said IS NOT NULL",
        )?
        .exists(params![incident, destination])?;
    if said {
        say(connection, incident, destination, now)?;
    }
    Ok(())
}

/// Says an incident as it stands; an open delivery says it anyway.
pub(super) fn say(
    connection: &Connection,
    incident: i64,
    destination: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO deliveries
                 (incident, destination, state, events, severity, created, due, spacing)
             SELECT id, ?2, 'pending', 0, severity, ?3, ?3, NULL FROM incidents WHERE id = ?1
             ON CONFLICT (incident, destination) WHERE state = 'pending' DO NOTHING",
        )?
        .execute(params![incident, destination, nanos(now)])?;
    Ok(())
}
