//! Deliveries: taken, tried, retried, given up.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::Sqlite;
use super::row::{self, nanos, time};
use super::set_back::{Now, bring_forward};
use crate::store::{Attempt, DeliveryId, Leased, Outcome, StoreError, StoredEvent};

/// After how many nanoseconds of waiting a delivery counts as one step more severe: the most severe
/// go first, but nothing waits for ever behind them.
const AGING: i64 = 60_000_000_000;

impl Sqlite {
    pub(in crate::store) async fn lease(
        &self,
        destination: String,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Leased>, StoreError> {
        let set_back = self.now.set_back(now);
        self.state
            .write("take deliveries", move |connection| {
                if let Some(by) = set_back {
                    bring_forward(connection, by)?;
                }
                lease(connection, &destination, now, limit)
            })
            .await
    }

    pub(in crate::store) async fn next_due(
        &self,
        destination: String,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.state_readers
            .read("read the outbox", move |connection| {
                let due: Option<i64> = connection
                    .prepare_cached(
                        "SELECT min(due) FROM deliveries AS d
                         WHERE destination = ?1 AND state = 'pending' AND NOT EXISTS (
                             SELECT 1 FROM deliveries AS s WHERE s.state = 'sending'
                             AND s.incident = d.incident AND s.destination = d.destination)",
                    )?
                    .query_row([destination], |row| row.get(0))?;
                Ok(due.map(time))
            })
            .await
    }

    pub(in crate::store) async fn finish(&self, attempt: Attempt) -> Result<(), StoreError> {
        self.state
            .write("record an attempt", move |connection| {
                finish(connection, &attempt)
            })
            .await?;
        self.outbox_changed.send_modify(|changes| *changes += 1);
        Ok(())
    }

    pub(in crate::store) async fn retry(
        &self,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let retried = self
            .state
            .write("retry a delivery", move |connection| {
                let dead = set_state(connection, id, &["dead"], "sending")?;
                if dead {
                    // A dead delivery has used up its age: it starts anew.
                    connection.execute(
                        "UPDATE deliveries SET created = ?2, attempts = 0 WHERE id = ?1",
                        params![id.0, nanos(now)],
                    )?;
                    connection.execute(
                        "UPDATE fates SET fate = 'folded', settled = 0
                         WHERE delivery = ?1 AND fate = 'dead'",
                        [id.0],
                    )?;
                    requeue(connection, id.0, now)?;
                }
                Ok(dead)
            })
            .await?;
        self.outbox_changed.send_modify(|changes| *changes += 1);
        Ok(retried)
    }

    pub(in crate::store) async fn discard(
        &self,
        id: DeliveryId,
        _now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.state
            .write("discard a delivery", move |connection| {
                let discarded = set_state(connection, id, &["dead", "pending"], "discarded")?;
                if discarded {
                    settle_dead(connection, id.0)?;
                }
                Ok(discarded)
            })
            .await
    }
}

/// What was being sent when the process ended is sent again: with the same key, so that the
/// destination recognises it.
pub(super) fn recover(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    let interrupted: Vec<i64> = transaction
        .prepare("SELECT id FROM deliveries WHERE state = 'sending'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for delivery in interrupted {
        requeue(&transaction, delivery, now)?;
    }
    let latest: Option<i64> = transaction.query_row(
        "SELECT max(created) FROM deliveries WHERE state = 'pending'",
        [],
        |row| row.get(0),
    )?;
    // A machine may start with its clock at 1970.
    if let Some(by) = latest.and_then(|latest| Now::from(time(latest)).set_back(now)) {
        bring_forward(&transaction, by)?;
    }
    transaction.commit()
}

fn lease(
    connection: &Connection,
    destination: &str,
    now: Timestamp,
    limit: u32,
) -> rusqlite::Result<Vec<Leased>> {
    let due: Vec<i64> = connection
        .prepare_cached(
            "SELECT id FROM deliveries AS d
             WHERE destination = ?1 AND state = 'pending' AND due <= ?2 AND NOT EXISTS (
                 SELECT 1 FROM deliveries AS s WHERE s.state = 'sending'
                 AND s.incident = d.incident AND s.destination = d.destination)
             ORDER BY severity + (?2 - due) / ?4 DESC, due LIMIT ?3",
        )?
        .query_map(params![destination, nanos(now), limit, AGING], |row| {
            row.get(0)
        })?
        .collect::<Result<_, _>>()?;
    let mut taken = Vec::with_capacity(due.len());
    for delivery in due {
        match leased(connection, delivery) {
            Ok(leased) => {
                connection
                    .prepare_cached("UPDATE deliveries SET state = 'sending' WHERE id = ?1")?
                    .execute([delivery])?;
                taken.push(leased);
            }
            Err(error) if is_of_row(&error) => set_aside(connection, delivery, &error)?,
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

/// Whether the row is at fault and not the database.
fn is_of_row(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::QueryReturnedNoRows
    )
}

/// A delivery that cannot be read must not hold up the others: it becomes a dead letter.
fn set_aside(
    connection: &Connection,
    delivery: i64,
    error: &rusqlite::Error,
) -> rusqlite::Result<()> {
    tracing::error!(delivery.id = delivery, %error, "a delivery cannot be read, it is given up");
    connection.execute(
        "UPDATE deliveries SET state = 'dead', detail = 'its record cannot be read' WHERE id = ?1",
        [delivery],
    )?;
    settle_dead(connection, delivery)
}

fn leased(connection: &Connection, delivery: i64) -> rusqlite::Result<Leased> {
    let mut leased = connection
        .prepare_cached(&format!(
            "SELECT {}, d.created, d.attempts, m.remote, m.said, (
                 SELECT p.remote FROM incidents AS e JOIN messages AS p ON p.incident = e.id
                 WHERE e.key = i.key AND e.id < i.id AND p.destination = d.destination
                     AND p.remote IS NOT NULL ORDER BY e.id DESC LIMIT 1)
             FROM deliveries AS d JOIN incidents AS i ON i.id = d.incident
             LEFT JOIN messages AS m ON m.incident = d.incident AND m.destination = d.destination
             WHERE d.id = ?1",
            row::INCIDENT
        ))?
        .query_row([delivery], |row| {
            let incident = row::incident(row)?;
            let missing = |id| StoredEvent {
                id,
                received: incident.last_received,
                body: Vec::new(),
                is_intact: false,
            };
            Ok(Leased {
                id: DeliveryId(delivery),
                created: time(row.get(23)?),
                attempts: row.get(24)?,
                remote: row.get(25)?,
                known: row.get::<_, Option<i64>>(26)?.is_some(),
                previous: row.get(27)?,
                first: missing(incident.first_event),
                latest: missing(incident.last_event),
                incident,
            })
        })?;
    for event in [&mut leased.first, &mut leased.latest] {
        if let Some(stored) = stored(connection, event.id.0)? {
            *event = stored;
        }
    }
    Ok(leased)
}

pub(super) fn stored(connection: &Connection, id: i64) -> rusqlite::Result<Option<StoredEvent>> {
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM events WHERE id = ?1",
            row::STORED_EVENT
        ))?
        .query_row([id], row::stored_event)
        .optional()
}

fn finish(connection: &Connection, attempt: &Attempt) -> rusqlite::Result<()> {
    let delivery = attempt.delivery.0;
    let (outcome, state) = match attempt.outcome {
        Outcome::Sent => ("sent", "sent"),
        Outcome::Retry(_) => ("retry", "sending"),
        Outcome::Dead => ("dead", "dead"),
    };
    connection
        .prepare_cached(
            "INSERT INTO attempts (delivery, started, finished, outcome, detail, report)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            delivery,
            nanos(attempt.started),
            nanos(attempt.finished),
            outcome,
            attempt.detail,
            attempt.report
        ])?;
    connection
        .prepare_cached(
            "UPDATE deliveries SET state = ?2, detail = ?3, attempts = attempts + 1 WHERE id = ?1",
        )?
        .execute(params![delivery, state, attempt.detail])?;
    let said = matches!(attempt.outcome, Outcome::Sent).then(|| nanos(attempt.finished));
    if said.is_some() || attempt.remote.is_some() {
        connection
            .prepare_cached(
                "INSERT INTO messages (incident, destination, remote, said)
                 SELECT incident, destination, ?2, ?3 FROM deliveries WHERE id = ?1
                 ON CONFLICT DO UPDATE SET remote = coalesce(excluded.remote, remote),
                     said = coalesce(excluded.said, said)",
            )?
            .execute(params![delivery, attempt.remote, said])?;
    }
    match attempt.outcome {
        Outcome::Sent => {
            connection
                .prepare_cached("UPDATE fates SET settled = 1 WHERE delivery = ?1 AND settled = 0")?
                .execute([delivery])?;
            space_next(connection, delivery, attempt.finished)
        }
        Outcome::Retry(at) => requeue(connection, delivery, at),
        Outcome::Dead => settle_dead(connection, delivery),
    }
}

/// Events that came while a message was being sent opened the next delivery before it was known when
/// the message would be out: it keeps its distance from now on, unless it breaks through.
fn space_next(connection: &Connection, delivery: i64, said: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE deliveries SET due = max(due, ?2 + spacing)
             WHERE state = 'pending' AND spacing IS NOT NULL AND (incident, destination) =
                 (SELECT incident, destination FROM deliveries WHERE id = ?1)",
        )?
        .execute(params![delivery, nanos(said)])?;
    Ok(())
}

fn settle_dead(connection: &Connection, delivery: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE fates SET fate = 'dead', settled = 1 WHERE delivery = ?1 AND settled = 0",
        )?
        .execute([delivery])?;
    Ok(())
}

fn set_state(
    connection: &Connection,
    id: DeliveryId,
    from: &[&str],
    to: &str,
) -> rusqlite::Result<bool> {
    let state: Option<String> = connection
        .query_row(
            "SELECT state FROM deliveries WHERE id = ?1",
            [id.0],
            |row| row.get(0),
        )
        .optional()?;
    let Some(state) = state.filter(|state| from.contains(&state.as_str())) else {
        return Ok(false);
    };
    let changed = connection.execute(
        "UPDATE deliveries SET state = ?2 WHERE id = ?1 AND state = ?3",
        params![id.0, to, state],
    )?;
    Ok(changed == 1)
}

/// Puts a delivery back into the queue. Events that came meanwhile opened another delivery of the
/// same incident: it is merged into this one, so that there is one open delivery again.
fn requeue(connection: &Connection, delivery: i64, due: Timestamp) -> rusqlite::Result<()> {
    let newer: Option<(i64, i64, i64)> = connection
        .prepare_cached(
            "SELECT n.id, n.events, n.severity FROM deliveries AS n JOIN deliveries AS d
             ON n.incident = d.incident AND n.destination = d.destination
             WHERE d.id = ?1 AND n.id != d.id AND n.state = 'pending'",
        )?
        .query_row([delivery], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    if let Some((newer, events, severity)) = newer {
        connection
            .prepare_cached(
                "UPDATE fates SET delivery = ?2, fate = 'folded' WHERE delivery = ?1 AND settled = 0",
            )?
            .execute(params![newer, delivery])?;
        connection
            .prepare_cached("UPDATE attempts SET delivery = ?2 WHERE delivery = ?1")?
            .execute(params![newer, delivery])?;
        connection
            .prepare_cached("DELETE FROM deliveries WHERE id = ?1")?
            .execute([newer])?;
        connection
            .prepare_cached(
                "UPDATE deliveries SET events = events + ?2, severity = max(severity, ?3)
                 WHERE id = ?1",
            )?
            .execute(params![delivery, events, severity])?;
    }
    connection
        .prepare_cached("UPDATE deliveries SET state = 'pending', due = ?2 WHERE id = ?1")?
        .execute(params![delivery, nanos(due)])?;
    Ok(())
}
