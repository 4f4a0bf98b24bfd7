//! A clock that is set back: what waits must not wait for the time that is gone.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::Connection;

use super::row::nanos;

/// After the clock was set back, what was due before is not due later.
pub(super) fn bring_forward(connection: &Connection, by: i64) -> rusqlite::Result<()> {
    let seconds = by / 1_000_000_000;
    tracing::warn!(seconds, "the clock was set back; what waits keeps its turn");
    connection.execute(
        "UPDATE deliveries SET due = due - ?1, created = created - ?1 WHERE state = 'pending'",
        [by],
    )?;
    connection.execute(
        "UPDATE messages SET said = said - ?1 WHERE said IS NOT NULL",
        [by],
    )?;
    Ok(())
}

/// The latest time that deliveries were asked for.
#[derive(Debug, Default)]
pub(super) struct Now(Mutex<Option<Timestamp>>);

impl From<Timestamp> for Now {
    fn from(before: Timestamp) -> Self {
        Self(Mutex::new(Some(before)))
    }
}

impl Now {
    /// By how many nanoseconds the clock was set back since the last call, when it was.
    pub(super) fn set_back(&self, now: Timestamp) -> Option<i64> {
        /// Less is a correction, and nobody waits for longer because of it.
        const SLACK: i64 = 5_000_000_000;
        let before = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(now)?;
        let by = nanos(before).saturating_sub(nanos(now));
        (by > SLACK).then_some(by)
    }
}
