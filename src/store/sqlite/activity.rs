//! What happened at a workload, and how often a rule fired for an image.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::Sqlite;
use super::row::{nanos, rank, severity, time};
use crate::store::{Activity, Fired, History, StoreError};

impl Sqlite {
    pub(in crate::store) async fn activity(
        &self,
        workload: String,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Activity>, StoreError> {
        self.state_readers
            .read("read what happened before", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT rule, min(minute), min(received), max(severity), sum(count)
                         FROM activity WHERE workload = ?1 AND minute >= ?2 AND received >= ?3
                             AND received < ?4
                         GROUP BY rule ORDER BY 4 DESC, 5 DESC",
                    )?
                    .query_map(
                        params![workload, from.as_second() / 60, nanos(from), nanos(to)],
                        |row| {
                            Ok(Activity {
                                workload: workload.clone(),
                                rule: row.get::<_, String>(0)?.into(),
                                minute: row.get(1)?,
                                received: time(row.get(2)?),
                                severity: severity(row.get(3)?),
                                count: row.get::<_, i64>(4)?.unsigned_abs(),
                            })
                        },
                    )?
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn history(
        &self,
        image: String,
        rule: String,
        from: Timestamp,
    ) -> Result<History, StoreError> {
        self.state_readers
            .read("read a rule's history", move |connection| {
                let count: i64 = connection
                    .prepare_cached(
                        "SELECT coalesce(sum(count), 0) FROM fired
                         WHERE image = ?1 AND rule = ?2 AND day >= ?3",
                    )?
                    .query_row(params![image, rule, from.as_second() / 86_400], |row| {
                        row.get(0)
                    })?;
                let first: Option<i64> = connection
                    .prepare_cached("SELECT received FROM batches ORDER BY last LIMIT 1")?
                    .query_map([], |row| row.get(0))?
                    .next()
                    .transpose()?;
                Ok(History {
                    count: count.unsigned_abs(),
                    since: first.map_or(from, |first| time(first).max(from)),
                })
            })
            .await
    }
}

pub(super) fn write(
    connection: &Connection,
    activity: &[Activity],
    fired: &[Fired],
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO activity (workload, minute, rule, received, severity, count)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET count = count + excluded.count,
             severity = max(severity, excluded.severity)",
    )?;
    for row in activity {
        insert.execute(params![
            row.workload,
            row.minute,
            row.rule.raw(),
            nanos(row.received),
            rank(row.severity),
            i64::try_from(row.count).unwrap_or(i64::MAX)
        ])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO fired (image, rule, day, count) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET count = count + excluded.count",
    )?;
    for row in fired {
        let count = i64::try_from(row.count).unwrap_or(i64::MAX);
        insert.execute(params![row.image, row.rule, row.day, count])?;
    }
    Ok(())
}

/// Forgets what is older than `before`; how many rows that was.
pub(super) fn prune(
    connection: &Connection,
    before: Timestamp,
    limit: i64,
) -> rusqlite::Result<usize> {
    connection.execute(
        "DELETE FROM fired WHERE day < ?1",
        [before.as_second() / 86_400],
    )?;
    connection.execute(
        "DELETE FROM activity WHERE (workload, minute, rule) IN (
             SELECT workload, minute, rule FROM activity WHERE minute < ?1 LIMIT ?2)",
        params![before.as_second() / 60, limit],
    )
}
