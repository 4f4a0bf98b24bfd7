//! Digests: reading what happened, and settling what was told.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Sqlite;
use super::hush::silence_name;
use super::ledger;
use super::outbox::stored;
use super::row::{self, nanos, rank, severity, time};
use crate::event::{EventId, Priority};
use crate::incident::Incident;
use crate::store::digest::{Failing, Noise, Shift, Told};
use crate::store::{Period, SilenceName, StoreError};

/// Incidents that are listed; all are counted.
const UNHANDLED: u32 = 20;

/// Rules that are listed.
const NOISIEST: u32 = 5;

/// What nobody has looked at: live, or gone quiet since ?2. ?1 is the least severity.
const IS_UNHANDLED: &str = "i.nature = 'security' AND i.severity >= ?1 AND (i.state = 'open'
    OR i.state = 'quiet' AND i.handled IS NULL AND i.last_received >= ?2)";

impl Sqlite {
    pub(in crate::store) async fn told(
        &self,
        destination: String,
        now: Timestamp,
    ) -> Result<Told, StoreError> {
        self.state
            .write("read the digests", move |connection| {
                connection.execute(
                    "INSERT OR IGNORE INTO digests (destination, until, event, report)
                     SELECT ?1, ?2, event, '' FROM cursor",
                    params![destination, nanos(now)],
                )?;
                connection.query_row(
                    "SELECT until, event FROM digests WHERE destination = ?1",
                    [&destination],
                    |row| {
                        Ok(Told {
                            until: time(row.get(0)?),
                            event: EventId(row.get(1)?),
                        })
                    },
                )
            })
            .await
    }

    pub(in crate::store) async fn shift(
        &self,
        destination: String,
        told: Told,
    ) -> Result<Shift, StoreError> {
        self.state_readers
            .read("read what happened", move |connection| {
                let snapshot = connection.unchecked_transaction()?;
                shift(&snapshot, destination, told)
            })
            .await
    }

    pub(in crate::store) async fn tell(
        &self,
        destination: String,
        told: Told,
        report: String,
    ) -> Result<(), StoreError> {
        self.state
            .write("record a digest", move |connection| {
                connection.execute(
                    "INSERT INTO digests (destination, until, event, report) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET until = excluded.until, event = excluded.event,
                         report = excluded.report",
                    params![destination, nanos(told.until), told.event.0, report],
                )?;
                settle(connection, &destination, told)
            })
            .await?;
        self.outbox_changed.send_modify(|changes| *changes += 1);
        Ok(())
    }
}

fn shift(connection: &Connection, destination: String, told: Told) -> rusqlite::Result<Shift> {
    let period = Period {
        after: told.event,
        telling: Some(destination),
        ..Period::default()
    };
    // What the second step has not taken over belongs to the next digest.
    let audit = ledger::audit(connection, &period, EventId(0))?;
    let since = told.until;
    let (unhandled, unhandled_count) = unhandled(connection, since)?;
    Ok(Shift {
        since,
        opened: opened(connection, since)?,
        live: count(
            connection,
            "SELECT count(*) FROM incidents
             WHERE nature = 'security' AND state IN ('open', 'acknowledged')",
        )?,
        unhandled,
        unhandled_count,
        noisiest: noisiest(connection, told.event)?,
        silenced: silenced(connection, told.event)?,
        dead: failing(connection, "d.state = 'dead'")?,
        retrying: failing(connection, "d.state = 'pending' AND d.attempts > 0")?,
        audit,
    })
}

fn count(connection: &Connection, sql: &str) -> rusqlite::Result<u64> {
    connection.query_row(sql, [], |row| row.get::<_, i64>(0).map(i64::unsigned_abs))
}

fn opened(connection: &Connection, since: Timestamp) -> rusqlite::Result<Vec<(Priority, u64)>> {
    connection
        .prepare(
            "SELECT severity, count(*) FROM incidents WHERE nature = 'security' AND opened >= ?1
             GROUP BY severity ORDER BY severity DESC",
        )?
        .query_map([nanos(since)], |row| {
            Ok((severity(row.get(0)?), row.get::<_, i64>(1)?.unsigned_abs()))
        })?
        .collect()
}

fn unhandled(connection: &Connection, since: Timestamp) -> rusqlite::Result<(Vec<Incident>, u64)> {
    let (least, since) = (rank(Priority::Critical), nanos(since));
    let columns = row::INCIDENT;
    let listed = connection
        .prepare(&format!(
            "SELECT {columns} FROM incidents AS i WHERE {IS_UNHANDLED}
             ORDER BY i.severity DESC, i.opened LIMIT ?3"
        ))?
        .query_map(params![least, since, UNHANDLED], row::incident)?
        .collect::<Result<_, _>>()?;
    let all: i64 = connection.query_row(
        &format!("SELECT count(*) FROM incidents AS i WHERE {IS_UNHANDLED}"),
        params![least, since],
        |row| row.get(0),
    )?;
    Ok((listed, all.unsigned_abs()))
}

fn noisiest(connection: &Connection, after: EventId) -> rusqlite::Result<Vec<Noise>> {
    // An alert can be in an incident of each of several routes: the route with most of a rule counts.
    let mut select = connection.prepare(
        "SELECT rule, max(alerts), incidents FROM (
             SELECT i.rule AS rule, sum(f.count) AS alerts, count(DISTINCT i.id) AS incidents
             FROM folds AS f JOIN incidents AS i ON i.id = f.incident
             WHERE f.batch > ?1 AND i.nature = 'security' GROUP BY i.rule, i.route)
         GROUP BY rule ORDER BY 2 DESC, rule LIMIT ?2",
    )?;
    let rules: Vec<(String, i64, i64)> = select
        .query_map(params![after.0, NOISIEST], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    rules
        .into_iter()
        .map(|(rule, alerts, incidents)| {
            Ok(Noise {
                example: example(connection, &rule, after)?,
                rule: rule.into(),
                alerts: alerts.unsigned_abs(),
                incidents: incidents.unsigned_abs(),
            })
        })
        .collect()
}

/// The incident of the rule that took most alerts.
fn example(
    connection: &Connection,
    rule: &str,
    after: EventId,
) -> rusqlite::Result<Option<(Incident, crate::store::StoredEvent)>> {
    let columns = row::INCIDENT;
    let incident = connection
        .prepare(&format!(
            "SELECT {columns} FROM folds AS f JOIN incidents AS i ON i.id = f.incident
             WHERE f.batch > ?1 AND i.rule = ?2
             GROUP BY i.id ORDER BY sum(f.count) DESC, i.id LIMIT 1"
        ))?
        .query_row(params![after.0, rule], row::incident)
        .optional()?;
    let Some(incident) = incident else {
        return Ok(None);
    };
    let event = stored(connection, incident.last_event.0)?;
    Ok(event.map(|event| (incident, event)))
}

fn silenced(connection: &Connection, after: EventId) -> rusqlite::Result<Vec<(SilenceName, u64)>> {
    let mut select = connection.prepare(
        "SELECT s.id, s.by, s.comment, s.ends, sum(f.count) FROM folds AS f
         JOIN silences AS s ON s.id = f.silence WHERE f.silence IS NOT NULL AND f.batch > ?1
         GROUP BY s.id ORDER BY 5 DESC, s.id",
    )?;
    let rows = select.query_map([after.0], |row: &Row<'_>| {
        let events = row.get::<_, i64>(4)?.unsigned_abs();
        Ok(silence_name(row)?.map(|silence| (silence, events)))
    })?;
    rows.filter_map(Result::transpose).collect()
}

fn failing(connection: &Connection, which: &str) -> rusqlite::Result<Vec<Failing>> {
    // With `max`, the other columns come from the row that has it.
    connection
        .prepare(&format!(
            "SELECT d.destination, count(*), sum(d.events), max(d.id), coalesce(d.detail, '')
             FROM deliveries AS d WHERE {which} GROUP BY d.destination ORDER BY 2 DESC, 1"
        ))?
        .query_map([], |row| {
            Ok(Failing {
                destination: row.get(0)?,
                deliveries: row.get::<_, i64>(1)?.unsigned_abs(),
                events: row.get::<_, i64>(2)?.unsigned_abs(),
                reason: row.get(4)?,
            })
        })?
        .collect()
}

/// What the digest told of is sent. Events that came since then wait for the next one.
fn settle(connection: &Connection, destination: &str, told: Told) -> rusqlite::Result<()> {
    let waiting: Vec<i64> = connection
        .prepare("SELECT id FROM deliveries WHERE destination = ?1 AND state = 'pending'")?
        .query_map([destination], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for delivery in waiting {
        let settled = connection
            .prepare_cached(
                "UPDATE fates SET settled = 1 WHERE delivery = ?1 AND settled = 0
                 AND (SELECT batch FROM folds WHERE id = fates.fold) <= ?2",
            )?
            .execute(params![delivery, told.event.0])?;
        if settled > 0 {
            split(connection, delivery, told.until)?;
        }
    }
    Ok(())
}

/// Ends a delivery whose events have been told, and opens another for those that have not.
fn split(connection: &Connection, delivery: i64, at: Timestamp) -> rusqlite::Result<()> {
    let left: i64 = connection
        .prepare_cached(
            "SELECT coalesce(sum(events), 0) FROM fates WHERE delivery = ?1 AND settled = 0",
        )?
        .query_row([delivery], |row| row.get(0))?;
    connection
        .prepare_cached(
            "UPDATE deliveries SET state = 'sent', detail = 'told in a digest',
                 events = events - ?2 WHERE id = ?1",
        )?
        .execute(params![delivery, left])?;
    connection
        .prepare_cached(
            "INSERT INTO messages (incident, destination, remote, said)
             SELECT incident, destination, NULL, ?2 FROM deliveries WHERE id = ?1
             ON CONFLICT DO UPDATE SET said = excluded.said",
        )?
        .execute(params![delivery, nanos(at)])?;
    if left > 0 {
        connection
            .prepare_cached(
                "INSERT INTO deliveries (incident, destination, state, events, severity, created, due)
                 SELECT incident, destination, 'pending', ?2, severity, ?3, due
                 FROM deliveries WHERE id = ?1",
            )?
            .execute(params![delivery, left, nanos(at)])?;
        connection
            .prepare_cached("UPDATE fates SET delivery = ?2 WHERE delivery = ?1 AND settled = 0")?
            .execute(params![delivery, connection.last_insert_rowid()])?;
    }
    Ok(())
}
