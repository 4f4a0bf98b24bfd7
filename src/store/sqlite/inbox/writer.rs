//! The inbox's thread. It commits whatever has queued, and never lingers for a fuller batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};
use tokio::sync::{mpsc, watch};

use super::super::checkpoint::Checkpointer;
use super::super::gauge::Gauge;
use super::super::row::{nanos, sum};
use super::{Answer, Append, Command, Signals, Writing};
use crate::event::{self, EventId};
use crate::store::{
    AppendError, LossReason, QUARANTINE_BODY_CAP, QUARANTINE_ROWS, RESERVED_FOR, Refused, Room,
};

/// Bodies committed together at most.
const BATCH: usize = 1_024;

/// Passed events deleted in one transaction; more would make an answer wait.
const TRIM: i64 = 4_096;

/// Passed events that may stay while there is no quiet moment to delete them.
const TRIM_BACKLOG: i64 = 32_768;

/// While room is wanting, the writer looks for it without being asked.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long a disk that refused a write counts as full, unless much room comes back.
const FULL: Duration = Duration::from_secs(2);

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) checkpointer: Checkpointer,
    pub(super) last: EventId,
    pub(super) latest: watch::Sender<EventId>,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) trimmed: i64,
    pub(super) passed: i64,
    pub(super) gauge: Gauge,
    pub(super) signals: Signals,
    pub(super) writing: Writing,
    /// When the disk last refused a write for want of room.
    pub(super) refused: Option<Instant>,
}

/// What is written in one transaction.
#[derive(Default)]
struct Batch {
    appends: Vec<Append>,
    refused: Vec<(Refused, Answer)>,
}

impl Writer {
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        self.look();
        while let Some(first) = self.next(&mut queue) {
            let mut batch = Batch::default();
            let mut closing = Vec::new();
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    Command::Append(append) => batch.appends.push(append),
                    Command::Quarantine { refused, answer } => {
                        batch.refused.push((refused, answer));
                    }
                    Command::Trim(cursor) => self.passed = self.passed.max(cursor.0),
                    Command::Close(answer) => closing.push(answer),
                }
                let is_full = batch.appends.len() + batch.refused.len() >= BATCH;
                next = (!is_full).then(|| queue.try_recv().ok()).flatten();
            }
            if !self.take(batch) || !self.trim(&queue) {
                return;
            }
            if !closing.is_empty() {
                for answer in closing {
                    // The asker may have given up.
                    answer.send(()).unwrap_or(());
                }
                return;
            }
        }
    }

    /// The next command. With enough room an idle writer sleeps until it is asked.
    fn next(&mut self, queue: &mut mpsc::Receiver<Command>) -> Option<Command> {
        while *self.signals.room.borrow() != Room::Plenty {
            match queue.try_recv() {
                Ok(command) => return Some(command),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
                Err(mpsc::error::TryRecvError::Empty) => thread::sleep(LOOK_AGAIN),
            }
            self.look();
        }
        queue.blocking_recv()
    }

    /// Measures the room when it is time to.
    fn look(&mut self) {
        let connection = &self.connection;
        if let Some(room) = self.gauge.look(|| reusable(connection)) {
            // What looks like room may be none: a page here and there, a log that has to grow.
            let is_refused = self.refused.is_some_and(|at| at.elapsed() < FULL);
            let room = if is_refused && room <= Room::Reserved {
                Room::Full
            } else {
                room
            };
            self.set(room);
            if room < Room::Plenty {
                self.checkpointer.wake();
            }
        }
    }

    fn set(&self, room: Room) {
        let changed = self.signals.room.send_if_modified(|known| {
            let changed = *known != room;
            *known = room;
            changed
        });
        if changed && room == Room::Plenty {
            tracing::info!(room = room.describe(), "the store has room again");
        } else if changed {
            tracing::warn!(room = room.describe(), "the store is running out of room");
        }
    }

    /// Writes a batch and answers. False when the disk failed for good.
    fn take(&mut self, mut batch: Batch) -> bool {
        self.look();
        if *self.signals.room.borrow() <= Room::Reserved {
            self.refuse_lesser(&mut batch);
        }
        if batch.appends.is_empty() && batch.refused.is_empty() {
            return true;
        }
        self.writing.set(Some(Instant::now()));
        let written = self.write(&batch);
        self.writing.set(None);
        let error = match written {
            Ok((last, bytes)) => {
                self.last = last;
                self.latest.send_replace(last);
                self.checkpointer.committed(bytes);
                self.gauge.written(bytes);
                self.answer(batch, Ok(()), None);
                return true;
            }
            Err(error) => error,
        };
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            tracing::error!(%error, "cannot write the inbox, the disk is full");
            self.refused = Some(Instant::now());
            self.set(Room::Full);
            self.answer(batch, Err(AppendError::Full), Some(LossReason::DiskFull));
            return true;
        }
        self.failed(&error);
        self.answer(batch, Err(AppendError::Failed), Some(LossReason::Failed));
        false
    }

    /// The last room is for the gravest alerts.
    fn refuse_lesser(&self, batch: &mut Batch) {
        let appends = std::mem::take(&mut batch.appends);
        let (kept, lesser) = appends
            .into_iter()
            .partition(|append| is_grave(&append.events));
        batch.appends = kept;
        let refused = Batch {
            appends: lesser,
            refused: std::mem::take(&mut batch.refused),
        };
        self.answer(refused, Err(AppendError::Full), Some(LossReason::DiskFull));
    }

    /// Answers a batch, and notes its events as lost when there is a reason.
    fn answer(&self, batch: Batch, result: Result<(), AppendError>, lost: Option<LossReason>) {
        let answers = batch.appends.len() + batch.refused.len();
        self.waiting.fetch_sub(answers, Ordering::Relaxed);
        for append in batch.appends {
            let Append {
                received,
                events,
                answer,
                is_foreign,
                ..
            } = append;
            // One that was told that it took too long has been counted.
            let is_counted = answer.is_closed();
            if let Some(reason) = lost
                && is_foreign
                && !is_counted
            {
                self.signals.losses.note(reason, received, events);
            }
            // A client that went away does not change what is stored.
            answer.send(result).unwrap_or(());
        }
        for (_, answer) in batch.refused {
            answer.send(result).unwrap_or(());
        }
    }

    fn write(&mut self, batch: &Batch) -> rusqlite::Result<(EventId, u64)> {
        let mut last = self.last.0;
        let mut bytes = 0;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO inbox (id, received, body, sum) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for append in &batch.appends {
                let received = nanos(append.received);
                for body in &append.events {
                    last += 1;
                    bytes += body.len() as u64;
                    insert.execute(params![last, received, body, sum(last, received, body)])?;
                }
            }
        }
        for (refused, _) in &batch.refused {
            bytes += quarantine(&transaction, refused)?;
        }
        transaction.commit()?;
        Ok((EventId(last), bytes))
    }

    /// Deletes passed events while nobody waits, or when too many have piled up. False when the disk
    /// failed.
    fn trim(&mut self, queue: &mpsc::Receiver<Command>) -> bool {
        while self.trimmed < self.passed
            && (queue.is_empty() || self.passed - self.trimmed > TRIM_BACKLOG)
        {
            match trim(&self.connection, self.passed) {
                Ok(Some(through)) => self.trimmed = through,
                Ok(None) => {
                    self.trimmed = self.passed;
                    break;
                }
                // Later, when there is room again.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => break,
                Err(error) => {
                    self.failed(&error);
                    return false;
                }
            }
            self.checkpointer.committed(TRIM.unsigned_abs() * 64);
        }
        true
    }

    /// Says that the disk failed. That is final: after a failed fsync nobody knows what is on it.
    fn failed(&self, error: &rusqlite::Error) {
        tracing::error!(%error, "cannot write the inbox");
        self.signals.failure.send_replace(Some(error.to_string()));
    }
}

/// Whether the last room is for one of the events.
fn is_grave(events: &[Vec<u8>]) -> bool {
    events
        .iter()
        .any(|body| event::decode(body).is_ok_and(|event| event.priority >= RESERVED_FOR))
}

/// The bytes in the file that hold nothing any more.
fn reusable(connection: &Connection) -> u64 {
    let pragma = |name: &str| -> u64 {
        let value = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        value.map_or(0, i64::unsigned_abs)
    };
    pragma("freelist_count") * pragma("page_size")
}

/// Deletes a piece of what the cursor has passed; the last id of it, or `None` when nothing is left.
fn trim(connection: &Connection, passed: i64) -> rusqlite::Result<Option<i64>> {
    let through: Option<i64> = connection.query_row(
        "SELECT max(id) FROM (SELECT id FROM inbox WHERE id <= ?1 ORDER BY id LIMIT ?2)",
        params![passed, TRIM],
        |row| row.get(0),
    )?;
    if let Some(through) = through {
        connection.execute("DELETE FROM inbox WHERE id <= ?1", [through])?;
    }
    Ok(through)
}

fn quarantine(connection: &Connection, refused: &Refused) -> rusqlite::Result<u64> {
    let body = refused
        .body
        .get(..QUARANTINE_BODY_CAP)
        .unwrap_or(&refused.body);
    connection
        .prepare_cached(
            "INSERT INTO quarantine (received, reason, size, body) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            nanos(refused.received),
            refused.reason,
            i64::try_from(refused.size).unwrap_or(i64::MAX),
            body
        ])?;
    let newest = connection.last_insert_rowid();
    connection
        .prepare_cached("DELETE FROM quarantine WHERE id <= ?1")?
        .execute([newest - i64::from(QUARANTINE_ROWS)])?;
    Ok(body.len() as u64)
}
