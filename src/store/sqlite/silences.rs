//! Silences, and what is told when they end.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Sqlite;
use super::hush;
use super::row::{nanos, time, unreadable};
use super::timers::say;
use crate::route::condition::Condition;
use crate::route::{Known, Novelty, Silence, SilenceId};
use crate::store::StoreError;
use crate::store::hush::novelty;

const COLUMNS: &str = "id, condition, by, comment, starts, ends, above_ceiling, hidden, ended";

impl Sqlite {
    pub(in crate::store) async fn silences(
        &self,
        with_ended: bool,
    ) -> Result<Vec<Silence>, StoreError> {
        self.state_readers
            .read("read silences", move |connection| {
                let mut silences: Vec<Silence> = connection
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM silences WHERE ended = 0 OR ?1 ORDER BY id DESC"
                    ))?
                    .query_map([with_ended], silence)?
                    .collect::<Result<_, _>>()?;
                for silence in &mut silences {
                    silence.known = read_known(connection, silence.id)?;
                }
                Ok(silences)
            })
            .await
    }

    pub(in crate::store) async fn add_silence(
        &self,
        silence: Silence,
    ) -> Result<SilenceId, StoreError> {
        let id = self
            .state
            .write("add a silence", move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO silences (condition, by, comment, starts, ends, above_ceiling)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute(params![
                        silence.when.to_string(),
                        silence.by,
                        silence.comment,
                        nanos(silence.starts),
                        nanos(silence.ends),
                        silence.above_ceiling
                    ])?;
                let id = SilenceId(connection.last_insert_rowid());
                let known: Vec<_> = known(silence.known.clone())
                    .map(|novelty| (id, novelty))
                    .collect();
                hush::learn(connection, &[], &known)?;
                Ok(id)
            })
            .await?;
        self.silences_changed.send_modify(|changes| *changes += 1);
        Ok(id)
    }

    pub(in crate::store) async fn expire_silence(
        &self,
        id: SilenceId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let expired = self
            .state
            .write("expire a silence", move |connection| {
                let changed = connection
                    .prepare_cached(
                        "UPDATE silences SET ends = ?2 WHERE id = ?1 AND ended = 0 AND ends > ?2",
                    )?
                    .execute(params![id.0, nanos(now)])?;
                Ok(changed == 1)
            })
            .await?;
        self.silences_changed.send_modify(|changes| *changes += 1);
        Ok(expired)
    }

    pub(in crate::store) async fn end_silences(
        &self,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let next = self
            .state
            .write("end silences", move |connection| end(connection, now))
            .await?;
        self.outbox_changed.send_modify(|changes| *changes += 1);
        Ok(next)
    }
}

/// Ends what is over, and has every incident that it hid told once, with its count as it is now. When
/// the next one is over.
fn end(connection: &Connection, now: Timestamp) -> rusqlite::Result<Option<Timestamp>> {
    let hidden: Vec<(i64, String)> = connection
        .prepare_cached(
            "SELECT DISTINCT folds.incident, f.destination
             FROM silences AS s JOIN folds ON folds.silence = s.id
             JOIN fates AS f ON f.fold = folds.id WHERE s.ended = 0 AND s.ends <= ?1",
        )?
        .query_map([nanos(now)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (incident, destination) in hidden {
        say(connection, incident, &destination, now)?;
        hush::unhush(connection, incident, now)?;
    }
    connection
        .prepare_cached("UPDATE silences SET ended = 1 WHERE ended = 0 AND ends <= ?1")?
        .execute([nanos(now)])?;
    let next: Option<i64> = connection
        .prepare_cached("SELECT min(ends) FROM silences WHERE ended = 0")?
        .query_row([], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(next.map(time))
}

fn read_known(connection: &Connection, id: SilenceId) -> rusqlite::Result<Known> {
    let mut known = Known::default();
    let mut select =
        connection.prepare_cached("SELECT what, value FROM silence_known WHERE silence = ?1")?;
    let mut rows = select.query([id.0])?;
    while let Some(row) = rows.next()? {
        let what: String = row.get(0)?;
        if let Some(novelty) = novelty(&what, row.get(1)?) {
            known.learn(novelty);
        }
    }
    Ok(known)
}

fn known(known: Known) -> impl Iterator<Item = Novelty> {
    let rules = known.rules.into_iter().map(Novelty::Rule);
    let workloads = known.workloads.into_iter().map(Novelty::Workload);
    rules
        .chain(workloads)
        .chain(known.severity.map(Novelty::Severity))
}

fn silence(row: &Row<'_>) -> rusqlite::Result<Silence> {
    let when: String = row.get(1)?;
    Ok(Silence {
        id: SilenceId(row.get(0)?),
        when: Condition::parse(&when).map_err(|error| unreadable(1, error))?,
        by: row.get(2)?,
        comment: row.get(3)?,
        starts: time(row.get(4)?),
        ends: time(row.get(5)?),
        above_ceiling: row.get(6)?,
        hidden: row.get::<_, i64>(7)?.unsigned_abs(),
        ended: row.get(8)?,
        known: Known::default(),
    })
}
