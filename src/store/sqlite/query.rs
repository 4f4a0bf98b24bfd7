//! Reading.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::Sqlite;
use super::outbox::stored;
use super::row::{self, nanos, severity, time};
use crate::event::EventId;
use crate::incident::{GroupKey, Incident};
use crate::store::{
    Delivery, DeliveryId, DeliveryState, InboxEvent, Quarantined, Refused, Sample, StoreError,
    StoredEvent,
};

/// What Falco calls its report of lost system calls.
const DROP_RULE: &str = "Falco internal: syscall event drop";

impl Sqlite {
    pub(in crate::store) async fn inbox_after(
        &self,
        cursor: EventId,
        limit: u32,
    ) -> Result<Vec<InboxEvent>, StoreError> {
        self.inbox_readers
            .read("read the inbox", move |connection| {
                connection
                    .prepare_cached(&format!(
                        "SELECT {} FROM inbox WHERE id > ?1 ORDER BY id LIMIT ?2",
                        row::STORED_EVENT
                    ))?
                    .query_map(params![cursor.0, limit], row::stored_event)?
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn loss_near(
        &self,
        hostname: String,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.state_readers
            .read("look for lost events", move |connection| {
                let mut statement = connection.prepare_cached(&format!(
                    "SELECT {} FROM incidents AS i WHERE i.nature = 'health'
                     AND i.last_received >= ?1 AND i.first_received <= ?2 AND i.rule = ?3
                     ORDER BY i.last_received DESC LIMIT 1000",
                    row::INCIDENT
                ))?;
                let rule = DROP_RULE;
                let mut rows = statement.query(params![nanos(from), nanos(to), rule])?;
                while let Some(row) = rows.next()? {
                    let incident = row::incident(row)?;
                    let host = incident.labels.iter().find(|(name, _)| name == "hostname");
                    if host.is_some_and(|(_, host)| host.raw() == hostname) {
                        return Ok(Some(incident.last_received.min(to)));
                    }
                }
                Ok(None)
            })
            .await
    }

    pub(in crate::store) async fn quarantined(
        &self,
        limit: u32,
    ) -> Result<Vec<Quarantined>, StoreError> {
        self.inbox_readers
            .read("read the quarantine", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT id, received, reason, size, body FROM quarantine
                         ORDER BY id DESC LIMIT ?1",
                    )?
                    .query_map([limit], |row| {
                        Ok(Quarantined {
                            id: row.get(0)?,
                            refused: Refused {
                                received: time(row.get(1)?),
                                reason: row.get(2)?,
                                size: row.get::<_, i64>(3)?.unsigned_abs(),
                                body: row.get(4)?,
                            },
                        })
                    })?
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn cursor(&self) -> Result<EventId, StoreError> {
        self.state_readers
            .read("read the cursor", |connection| {
                connection
                    .query_row("SELECT event FROM cursor", [], |row| row.get(0))
                    .map(EventId)
            })
            .await
    }

    pub(in crate::store) async fn events_before(
        &self,
        id: EventId,
        limit: u32,
    ) -> Result<Vec<Sample>, StoreError> {
        self.state_readers
            .read("read events", move |connection| {
                connection
                    .prepare_cached(&format!(
                        "SELECT {}, stands_for FROM events WHERE id < ?1
                         ORDER BY id DESC LIMIT ?2",
                        row::STORED_EVENT
                    ))?
                    .query_map(params![id.0, limit], |row| {
                        Ok(Sample {
                            event: row::stored_event(row)?,
                            stands_for: row.get::<_, i64>(4)?.unsigned_abs(),
                        })
                    })?
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn incident(
        &self,
        uid: Uuid,
    ) -> Result<Option<Incident>, StoreError> {
        self.state_readers
            .read("read an incident", move |connection| {
                connection
                    .prepare_cached(&format!(
                        "SELECT {} FROM incidents AS i WHERE i.uid = ?1",
                        row::INCIDENT
                    ))?
                    .query_row([uid.as_bytes()], row::incident)
                    .optional()
            })
            .await
    }

    pub(in crate::store) async fn incidents_by_key(
        &self,
        keys: Vec<GroupKey>,
    ) -> Result<Vec<Incident>, StoreError> {
        self.state_readers
            .read("read incidents", move |connection| {
                let mut by_key = connection.prepare_cached(&format!(
                    "SELECT {} FROM incidents AS i
                     WHERE i.key = ?1 AND i.state != 'closed' ORDER BY i.id DESC LIMIT 1",
                    row::INCIDENT
                ))?;
                let mut incidents = Vec::new();
                for key in keys {
                    incidents.extend(
                        by_key
                            .query_row([key.as_bytes()], row::incident)
                            .optional()?,
                    );
                }
                Ok(incidents)
            })
            .await
    }

    pub(in crate::store) async fn incidents(
        &self,
        limit: u32,
    ) -> Result<Vec<Incident>, StoreError> {
        self.state_readers
            .read("read incidents", move |connection| {
                connection
                    .prepare_cached(&format!(
                        "SELECT {} FROM incidents AS i ORDER BY i.id DESC LIMIT ?1",
                        row::INCIDENT
                    ))?
                    .query_map([limit], row::incident)?
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn event(
        &self,
        id: EventId,
    ) -> Result<Option<StoredEvent>, StoreError> {
        self.state_readers
            .read("read an event", move |connection| stored(connection, id.0))
            .await
    }

    pub(in crate::store) async fn deliveries(
        &self,
        state: Option<DeliveryState>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.state_readers
            .read("read deliveries", move |connection| {
                connection
                    .prepare_cached(
                        "SELECT d.id, i.uid, d.destination, d.state, d.events, d.severity,
                             d.attempts, d.created, d.due, d.detail
                         FROM deliveries AS d JOIN incidents AS i ON i.id = d.incident
                         WHERE ?1 IS NULL OR d.state = ?1 ORDER BY d.id DESC LIMIT ?2",
                    )?
                    .query_map(params![state.map(DeliveryState::name), limit], delivery)?
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn fates(
        &self,
    ) -> Result<Vec<(String, Option<String>, u64)>, StoreError> {
        self.state_readers
            .read("read fates", |connection| {
                connection
                    .prepare_cached(
                        "SELECT destination, became, sum(events) FROM (
                             SELECT destination, CASE settled WHEN 1 THEN fate END AS became, events
                                 FROM fates
                             UNION ALL SELECT destination, account, events FROM settled
                                 WHERE destination != '' OR account = 'unrouted')
                         GROUP BY 1, 2 ORDER BY 1, 2",
                    )?
                    .query_map([], |row| {
                        Ok((
                            row.get(0)?,
                            row.get(1)?,
                            row.get::<_, i64>(2)?.unsigned_abs(),
                        ))
                    })?
                    .collect()
            })
            .await
    }

    pub(in crate::store) async fn pending(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.state_readers
            .read("read the outbox", |connection| {
                connection
                    .prepare_cached(
                        "SELECT destination, count(*) FROM deliveries
                         WHERE state = 'pending' GROUP BY destination",
                    )?
                    .query_map([], |row| {
                        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
                    })?
                    .collect()
            })
            .await
    }
}

fn delivery(row: &rusqlite::Row<'_>) -> rusqlite::Result<Delivery> {
    let state: String = row.get(3)?;
    Ok(Delivery {
        id: DeliveryId(row.get(0)?),
        incident: Uuid::from_bytes(row.get(1)?),
        destination: row.get(2)?,
        state: state.parse().unwrap_or(DeliveryState::Pending),
        events: row.get::<_, i64>(4)?.unsigned_abs(),
        severity: severity(row.get(5)?),
        attempts: row.get(6)?,
        created: time(row.get(7)?),
        due: time(row.get(8)?),
        detail: row.get(9)?,
    })
}
