//! One event's way: batch, incident, fates, attempts.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::Sqlite;
use super::outbox::stored;
use super::row::{time, unreadable};
use crate::event::EventId;
use crate::route::SilenceId;
use crate::store::ledger::Account;
use crate::store::{Stop, StoreError, Tried, Way, Ways};

impl Sqlite {
    pub(in crate::store) async fn ways(&self, id: EventId) -> Result<Ways, StoreError> {
        self.state_readers
            .read("follow an event", move |connection| {
                let snapshot = connection.unchecked_transaction()?;
                Ok(Ways {
                    event: stored(&snapshot, id.0)?,
                    ways: ways(&snapshot, id.0)?,
                })
            })
            .await
    }
}

fn ways(connection: &Connection, event: i64) -> rusqlite::Result<Vec<Way>> {
    let batch: Option<i64> = connection
        .prepare_cached("SELECT last FROM batches WHERE last >= ?1 ORDER BY last LIMIT 1")?
        .query_row([event], |row| row.get(0))
        .optional()?;
    let mut select = connection.prepare_cached(
        "SELECT f.id, f.events, f.silence, i.uid, i.route, i.state, i.count
         FROM folds AS f LEFT JOIN incidents AS i ON i.id = f.incident
         WHERE f.batch = ?1 ORDER BY f.id",
    )?;
    let mut rows = select.query([batch])?;
    let mut ways = Vec::new();
    while let Some(row) = rows.next()? {
        let ranges: String = row.get(1)?;
        let ranges: Vec<[i64; 2]> =
            serde_json::from_str(&ranges).map_err(|error| unreadable(1, error))?;
        if !ranges
            .iter()
            .any(|[first, last]| (*first..=*last).contains(&event))
        {
            continue;
        }
        ways.push(Way {
            incident: row.get::<_, Option<[u8; 16]>>(3)?.map(Uuid::from_bytes),
            route: row.get(4)?,
            state: row.get(5)?,
            count: row.get::<_, Option<i64>>(6)?.map(i64::unsigned_abs),
            silence: row.get::<_, Option<i64>>(2)?.map(SilenceId),
            stops: stops(connection, row.get(0)?)?,
        });
    }
    Ok(ways)
}

fn stops(connection: &Connection, fold: i64) -> rusqlite::Result<Vec<Stop>> {
    let mut select = connection.prepare_cached(
        "SELECT f.destination, f.fate, f.settled, f.delivery, f.events, d.due
         FROM fates AS f LEFT JOIN deliveries AS d ON d.id = f.delivery
         WHERE f.fold = ?1 ORDER BY f.id",
    )?;
    let mut rows = select.query([fold])?;
    let mut stops = Vec::new();
    while let Some(row) = rows.next()? {
        let fate: String = row.get(1)?;
        let delivery: Option<i64> = row.get(3)?;
        stops.push(Stop {
            destination: row.get(0)?,
            fate: Account::of_fate(&fate, row.get(2)?),
            events: row.get::<_, i64>(4)?.unsigned_abs(),
            delivery,
            due: row.get::<_, Option<i64>>(5)?.map(time),
            attempts: attempts(connection, delivery)?,
        });
    }
    Ok(stops)
}

fn attempts(connection: &Connection, delivery: Option<i64>) -> rusqlite::Result<Vec<Tried>> {
    connection
        .prepare_cached(
            "SELECT finished, outcome, detail FROM attempts WHERE delivery = ?1 ORDER BY id",
        )?
        .query_map(params![delivery], |row| {
            Ok(Tried {
                at: time(row.get(0)?),
                outcome: row.get(1)?,
                detail: row.get(2)?,
            })
        })?
        .collect()
}
