//! Reading the ledger, batch by batch.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::Sqlite;
use super::retention::add_settled;
use super::row::{nanos, unreadable};
use crate::event::EventId;
use crate::store::StoreError;
use crate::store::ledger::{Account, Audit, Batch, Fold, Period};

impl Sqlite {
    pub(in crate::store) async fn audit(&self, period: Period) -> Result<Audit, StoreError> {
        // Read before the cursor: what the second step takes over meanwhile is in both.
        let acknowledged = *self.inbox.latest().borrow();
        self.state_readers
            .read("audit", move |connection| {
                // One snapshot, however much is written meanwhile.
                let snapshot = connection.unchecked_transaction()?;
                audit(&snapshot, &period, acknowledged)
            })
            .await
    }
}

pub(super) fn audit(
    connection: &Connection,
    period: &Period,
    acknowledged: EventId,
) -> rusqlite::Result<Audit> {
    let mut audit = Audit::default();
    let mut batches = connection.prepare_cached(
        "SELECT first, last, summed FROM batches WHERE last > ?1
             AND (?2 IS NULL OR received >= ?2) AND (?3 IS NULL OR received < ?3) ORDER BY last",
    )?;
    let (from, to) = (period.from.map(nanos), period.to.map(nanos));
    let mut rows = batches.query(params![period.after.0, from, to])?;
    let (cursor, summed): (i64, i64) =
        connection.query_row("SELECT event, summed FROM cursor", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let mut expected = (summed > 0).then_some(summed + 1);
    while let Some(row) = rows.next()? {
        let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
        if period.is_all() && expected.is_some_and(|expected| expected != first) {
            audit.problem(format!("no batch holds the events before {first}"));
        }
        expected = Some(last + 1);
        let is_summed: bool = row.get(2)?;
        if !is_summed {
            audit.enter(&read_batch(connection, first, last, period)?);
        }
    }
    if period.is_all() {
        add_settled(connection, &mut audit)?;
        let queued = u64::try_from(acknowledged.0 - cursor).unwrap_or(0);
        audit.received += queued;
        audit.add(Account::Queued, queued);
        if expected.is_some_and(|expected| expected != cursor + 1) {
            audit.problem(format!(
                "the last batch does not end at the cursor, {cursor}"
            ));
        }
        compare_incidents(connection, &mut audit)?;
        compare_deliveries(connection, &mut audit)?;
    }
    audit.close();
    Ok(audit)
}

pub(super) fn read_batch(
    connection: &Connection,
    first: i64,
    last: i64,
    period: &Period,
) -> rusqlite::Result<Batch> {
    let mut select = connection
        .prepare_cached("SELECT id, count, events FROM folds WHERE batch = ?1 ORDER BY id")?;
    let folds = select
        .query_map([last], |row| {
            let id = row.get(0)?;
            let ranges: String = row.get(2)?;
            Ok(Fold {
                id,
                count: row.get::<_, i64>(1)?.unsigned_abs(),
                ranges: serde_json::from_str(&ranges).map_err(|error| unreadable(2, error))?,
                fates: read_fates(connection, id, period)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let undecodable = connection
        .prepare_cached("SELECT event FROM undecodable WHERE event BETWEEN ?1 AND ?2")?
        .query_map([first, last], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(Batch {
        first,
        last,
        folds,
        undecodable,
    })
}

fn read_fates(
    connection: &Connection,
    fold: i64,
    period: &Period,
) -> rusqlite::Result<BTreeMap<String, BTreeMap<Account, u64>>> {
    let mut fates: BTreeMap<String, BTreeMap<Account, u64>> = BTreeMap::new();
    let mut select = connection
        .prepare_cached("SELECT destination, fate, settled, events FROM fates WHERE fold = ?1")?;
    let mut rows = select.query([fold])?;
    while let Some(row) = rows.next()? {
        let fate: String = row.get(1)?;
        let destination: String = row.get(0)?;
        let settled = row.get(2)? || period.telling.as_ref() == Some(&destination);
        // A fate that is none is left out, so that the sums tell.
        if let Some(account) = Account::of_fate(&fate, settled) {
            let at = fates.entry(destination).or_default();
            *at.entry(account).or_default() += row.get::<_, i64>(3)?.unsigned_abs();
        }
    }
    Ok(fates)
}

/// The count that messages show against the events that were folded.
fn compare_incidents(connection: &Connection, audit: &mut Audit) -> rusqlite::Result<()> {
    let mut select = connection.prepare_cached(
        "SELECT i.id, i.count, i.summed + coalesce(f.events, 0) AS held FROM incidents AS i LEFT JOIN
             (SELECT incident, sum(count) AS events FROM folds GROUP BY incident) AS f
             ON f.incident = i.id WHERE i.count != held",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (id, count, events): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        audit.problem(format!(
            "incident {id} counts {count} events and holds {events}"
        ));
    }
    Ok(())
}

/// What waits for a delivery that is over would wait for ever.
fn compare_deliveries(connection: &Connection, audit: &mut Audit) -> rusqlite::Result<()> {
    let mut select = connection.prepare_cached(
        "SELECT f.delivery, sum(f.events) FROM fates AS f LEFT JOIN deliveries AS d
             ON d.id = f.delivery AND d.state IN ('pending', 'sending')
         WHERE f.settled = 0 AND d.id IS NULL GROUP BY f.delivery",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (id, events): (Option<i64>, i64) = (row.get(0)?, row.get(1)?);
        let id = id.unwrap_or_default();
        audit.problem(format!(
            "{events} events wait for delivery {id}, which is over"
        ));
    }
    Ok(())
}
