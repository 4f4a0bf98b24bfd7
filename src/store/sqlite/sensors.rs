//! Sensors: when each was last heard.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::Sqlite;
use super::row::{nanos, time};
use crate::store::{Sensor, SensorSeen, StoreError};

impl Sqlite {
    pub(in crate::store) async fn sensors(&self) -> Result<Vec<Sensor>, StoreError> {
        self.state_readers
            .read("read sensors", |connection| {
                connection
                    .prepare_cached(
                        "SELECT hostname, last, every, silent FROM sensors ORDER BY hostname",
                    )?
                    .query_map([], |row| {
                        let every: Option<i64> = row.get(2)?;
                        Ok(Sensor {
                            hostname: row.get(0)?,
                            last: time(row.get(1)?),
                            every: every.map(|every| Duration::from_nanos(every.unsigned_abs())),
                            silent: row.get(3)?,
                        })
                    })?
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn lost(
        &self,
        hosts: Vec<String>,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        self.state_readers
            .read("read what sensors lost", move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT lost FROM sensors WHERE hostname = ?1 AND lost IS NOT NULL",
                )?;
                let mut found = BTreeMap::new();
                for host in hosts {
                    let lost: Option<i64> =
                        select.query_row([&host], |row| row.get(0)).optional()?;
                    found.extend(lost.map(|lost| (host, lost.unsigned_abs())));
                }
                Ok(found)
            })
            .await
    }

    pub(in crate::store) async fn mark_sensors(
        &self,
        marks: Vec<(String, bool)>,
    ) -> Result<(), StoreError> {
        self.state
            .write("mark sensors", move |connection| {
                for (hostname, silent) in &marks {
                    connection
                        .prepare_cached("UPDATE sensors SET silent = ?2 WHERE hostname = ?1")?
                        .execute(params![hostname, silent])?;
                }
                Ok(())
            })
            .await
    }
}

pub(super) fn write(connection: &Connection, sensors: &[SensorSeen]) -> rusqlite::Result<()> {
    for sensor in sensors {
        let lost = sensor
            .beat
            .map(|beat| i64::try_from(beat.lost).unwrap_or(i64::MAX));
        connection
            .prepare_cached(
                "INSERT INTO sensors (hostname, last, beat, lost) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET last = max(last, excluded.last),
                     every = CASE WHEN excluded.beat > beat THEN excluded.beat - beat ELSE every END,
                     beat = coalesce(excluded.beat, beat), lost = coalesce(excluded.lost, lost)",
            )?
            .execute(params![
                sensor.hostname,
                nanos(sensor.last),
                sensor.beat.map(|beat| nanos(beat.at)),
                lost
            ])?;
    }
    Ok(())
}
