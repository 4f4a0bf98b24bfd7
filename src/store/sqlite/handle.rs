//! What people do with incidents.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::Sqlite;
use super::row::nanos;
use super::timers::say_again;
use crate::incident::State;
use crate::store::StoreError;

impl Sqlite {
    pub(in crate::store) async fn handle(
        &self,
        uid: Uuid,
        state: State,
        by: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let handled = self
            .state
            .write("change an incident", move |connection| {
                handle(connection, uid, state, &by, now)
            })
            .await?;
        self.outbox_changed.send_modify(|changes| *changes += 1);
        Ok(handled)
    }
}

fn handle(
    connection: &Connection,
    uid: Uuid,
    state: State,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    // Only what is open can be acknowledged; whatever is not closed can be closed.
    let changed: Option<i64> = connection
        .prepare_cached(
            "UPDATE incidents SET state = ?2, handled_by = ?3, handled = ?4
             WHERE uid = ?1 AND (state = 'open' OR ?2 = 'closed' AND state != 'closed')
             RETURNING id",
        )?
        .query_row(
            params![uid.as_bytes(), state.name(), by, nanos(now)],
            |row| row.get(0),
        )
        .optional()?;
    let Some(incident) = changed else {
        return Ok(false);
    };
    let destinations: Vec<String> = connection
        .prepare_cached("SELECT destination FROM messages WHERE incident = ?1")?
        .query_map([incident], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for destination in destinations {
        say_again(connection, incident, &destination, now)?;
    }
    Ok(true)
}
