//! What goes when its time is over, or when room is short: a bounded piece at a time, so that no other
//! write waits for long.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::Sqlite;
use super::activity;
use super::ledger::read_batch;
use super::row::nanos;
use crate::store::ledger::{Account, Audit, Period};
use crate::store::{Pruned, StoreError};

/// Rows deleted in one piece.
const PIECE: i64 = 2_000;

/// Batches summed up in one piece; one can hold hundreds of folds.
const BATCHES: i64 = 50;

/// Pages given back to the file system in one piece.
const PAGES: i64 = 1_024;

/// Empty pages that stay for what comes next.
const SPARE_PAGES: i64 = 4_096;

impl Sqlite {
    pub(in crate::store) async fn prune(&self, before: Timestamp) -> Result<Pruned, StoreError> {
        self.state
            .write("prune", move |connection| prune(connection, before))
            .await
    }

    pub(in crate::store) async fn thin(&self, before: Timestamp) -> Result<Pruned, StoreError> {
        self.state
            .write("make room", move |connection| {
                let events = events(connection, nanos(before))?;
                let others = attempts(connection, nanos(before))?;
                Ok(Pruned {
                    events: events as u64,
                    more: events + others > 0,
                })
            })
            .await
    }

    pub(in crate::store) async fn give_back(&self) -> Result<bool, StoreError> {
        self.state.write("give room back", give_back).await
    }
}

fn prune(connection: &Connection, before: Timestamp) -> rusqlite::Result<Pruned> {
    let activity = activity::prune(connection, before, PIECE)?;
    let before = nanos(before);
    // A host that is gone for good is not looked for for ever.
    connection.execute("DELETE FROM sensors WHERE last < ?1", [before])?;
    connection.execute("DELETE FROM inhibiting WHERE last < ?1", [before])?;
    connection.execute(
        "DELETE FROM silence_known WHERE silence IN (
             SELECT id FROM silences WHERE ended = 1 AND ends < ?1)",
        [before],
    )?;
    let events = events(connection, before)?;
    let others = attempts(connection, before)?
        + deliveries(connection, before)?
        + sum_up(connection, before)?
        + incidents(connection, before)?;
    Ok(Pruned {
        events: events as u64,
        more: events + others + activity > 0,
    })
}

/// Events go in the order of their ids, which is the order of their receipt. What a live incident or
/// an unfinished delivery shows stays.
fn events(connection: &Connection, before: i64) -> rusqlite::Result<usize> {
    connection.execute(
        "DELETE FROM events WHERE id IN (
             SELECT id FROM events WHERE received < ?1 AND id NOT IN (
                 SELECT first_event FROM incidents WHERE last_received >= ?1
                 UNION SELECT i.first_event FROM incidents AS i JOIN deliveries AS d
                     ON d.incident = i.id WHERE d.state IN ('pending', 'sending')
                 UNION SELECT i.last_event FROM incidents AS i JOIN deliveries AS d
                     ON d.incident = i.id WHERE d.state IN ('pending', 'sending'))
             ORDER BY id LIMIT ?2)",
        params![before, PIECE],
    )
}

fn attempts(connection: &Connection, before: i64) -> rusqlite::Result<usize> {
    connection.execute(
        "DELETE FROM attempts WHERE id IN (
             SELECT id FROM attempts WHERE finished < ?1 ORDER BY id LIMIT ?2)",
        params![before, PIECE],
    )
}

fn deliveries(connection: &Connection, before: i64) -> rusqlite::Result<usize> {
    connection.execute(
        "DELETE FROM deliveries WHERE id IN (
             SELECT id FROM deliveries WHERE created < ?1
                 AND state NOT IN ('pending', 'sending') ORDER BY id LIMIT ?2)",
        params![before, PIECE],
    )
}

/// Adds the accounts of old batches up. One that still waits for a delivery, or does not balance,
/// stays as it is.
fn sum_up(connection: &Connection, before: i64) -> rusqlite::Result<usize> {
    let batches: Vec<(i64, i64)> = connection
        .prepare_cached(
            "SELECT first, last FROM batches WHERE received < ?1 AND summed = 0 AND NOT EXISTS (
                 SELECT 1 FROM folds JOIN fates ON fates.fold = folds.id
                 WHERE folds.batch = batches.last AND fates.settled = 0)
             ORDER BY last LIMIT ?2",
        )?
        .query_map(params![before, BATCHES], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut summed = 0;
    for (first, last) in batches {
        let batch = read_batch(connection, first, last, &Period::default())?;
        let mut audit = Audit::default();
        audit.enter(&batch);
        audit.close();
        if !audit.balanced {
            continue;
        }
        enter(connection, &audit)?;
        forget(connection, first, last)?;
        summed += 1;
    }
    connection.execute(
        "UPDATE cursor SET summed = max(summed, coalesce(
             (SELECT min(first) - 1 FROM batches WHERE summed = 0), event))",
        [],
    )?;
    connection.execute(
        "DELETE FROM batches WHERE last <= (SELECT summed FROM cursor)",
        [],
    )?;
    Ok(summed)
}

fn enter(connection: &Connection, audit: &Audit) -> rusqlite::Result<()> {
    let mut add = connection.prepare_cached(
        "INSERT INTO settled (destination, account, events) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET events = events + excluded.events",
    )?;
    let own = audit
        .fates
        .iter()
        .map(|(account, events)| ("", account, events));
    let at = audit.destinations.iter().flat_map(|(destination, fates)| {
        let fates = fates.iter();
        fates.map(move |(account, events)| (destination.as_str(), account, events))
    });
    for (destination, account, events) in own.chain(at) {
        let events = i64::try_from(*events).unwrap_or(i64::MAX);
        add.execute(params![destination, account.name(), events])?;
    }
    Ok(())
}

fn forget(connection: &Connection, first: i64, last: i64) -> rusqlite::Result<()> {
    for statement in [
        "UPDATE incidents SET summed = summed + f.events FROM
             (SELECT incident, sum(count) AS events FROM folds WHERE batch = ?1 GROUP BY 1) AS f
             WHERE incidents.id = f.incident",
        "DELETE FROM fates WHERE fold IN (SELECT id FROM folds WHERE batch = ?1)",
        "DELETE FROM folds WHERE batch = ?1",
        "UPDATE batches SET summed = 1 WHERE last = ?1",
    ] {
        connection.prepare_cached(statement)?.execute([last])?;
    }
    connection
        .prepare_cached("DELETE FROM undecodable WHERE event BETWEEN ?1 AND ?2")?
        .execute([first, last])?;
    Ok(())
}

/// Incidents that are over, with everything that belongs to them.
fn incidents(connection: &Connection, before: i64) -> rusqlite::Result<usize> {
    let over: Vec<i64> = connection
        .prepare_cached(
            "SELECT id FROM incidents AS i WHERE state IN ('quiet', 'closed')
                 AND last_received < ?1 AND summed = count AND NOT EXISTS (
                     SELECT 1 FROM deliveries AS d WHERE d.incident = i.id)
             ORDER BY id LIMIT ?2",
        )?
        .query_map(params![before, PIECE], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for incident in &over {
        for table in ["messages", "hidden", "despite"] {
            connection
                .prepare_cached(&format!("DELETE FROM {table} WHERE incident = ?1"))?
                .execute([incident])?;
        }
        connection
            .prepare_cached("DELETE FROM incidents WHERE id = ?1")?
            .execute([incident])?;
    }
    Ok(over.len())
}

/// Adds what was summed up to an audit of everything.
pub(super) fn add_settled(connection: &Connection, audit: &mut Audit) -> rusqlite::Result<()> {
    let mut select =
        connection.prepare_cached("SELECT destination, account, events FROM settled")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (destination, account): (String, String) = (row.get(0)?, row.get(1)?);
        let events = row.get::<_, i64>(2)?.unsigned_abs();
        let Some(account) = Account::from_name(&account) else {
            continue;
        };
        if destination.is_empty() {
            audit.received += events;
            audit.add(account, events);
        } else {
            let fates = audit.destinations.entry(destination).or_default();
            *fates.entry(account).or_default() += events;
        }
    }
    Ok(())
}

/// Gives empty pages at the end of the file back to the file system; whether there are more.
fn give_back(connection: &Connection) -> rusqlite::Result<bool> {
    let pragma = |name: &str| -> rusqlite::Result<i64> {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
    };
    // Files of older versions were made without the means to shrink.
    let can_shrink = pragma("auto_vacuum")? == 2;
    if !can_shrink || pragma("freelist_count")? < SPARE_PAGES + PAGES {
        return Ok(false);
    }
    connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    Ok(true)
}
