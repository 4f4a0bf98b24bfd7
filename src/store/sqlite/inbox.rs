//! The inbox writer: the only work between a request and its answer.
//!
//! One thread commits whatever has queued, at most [`BATCH`] bodies at a time, and never lingers for
//! a fuller batch. It answers after the commit's fsync.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::checkpoint::Checkpointer;
use super::row::nanos;
use crate::event::EventId;
use crate::store::{AppendError, QUARANTINE_BODY_CAP, QUARANTINE_ROWS, Refused, StoreError};

/// Bodies committed together at most.
const BATCH: usize = 1_024;

/// Bodies that may wait for the disk.
const QUEUE: usize = 8_192;

/// KiB of bodies that may wait for the disk.
const QUEUE_KIB: usize = 64 * 1024;

/// How long a body may wait for room in the queue. Falco blocks meanwhile and complains after 2 s.
const ADMISSION: Duration = Duration::from_millis(1_500);

/// Passed events deleted in one transaction; more would make an answer wait.
const TRIM: i64 = 4_096;

/// Passed events that may stay while there is no quiet moment to delete them.
const TRIM_BACKLOG: i64 = 32_768;

enum Command {
    Append {
        received: Timestamp,
        events: Vec<Vec<u8>>,
        answer: oneshot::Sender<Result<(), AppendError>>,
        room: OwnedSemaphorePermit,
    },
    Quarantine {
        refused: Refused,
        answer: oneshot::Sender<Result<(), AppendError>>,
    },
    Trim(EventId),
    Close(oneshot::Sender<()>),
}

/// Handle of the writer thread.
#[derive(Debug)]
pub(in crate::store) struct Inbox {
    commands: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    latest: watch::Sender<EventId>,
}

impl Inbox {
    /// Starts the writer. `cursor` is the last event that the second step has taken over: ids go on
    /// from there even when the inbox is empty.
    pub(super) fn start(
        connection: Connection,
        checkpointer: Checkpointer,
        cursor: EventId,
        failure: watch::Sender<Option<String>>,
    ) -> Result<Self, StoreError> {
        let last: Option<i64> = connection
            .query_row("SELECT max(id) FROM inbox", [], |row| row.get(0))
            .map_err(|source| StoreError::Database {
                doing: "read the inbox",
                source,
            })?;
        let last = EventId(last.unwrap_or(0).max(cursor.0));
        let (commands, queue) = mpsc::channel(QUEUE);
        let latest = watch::Sender::new(last);
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            connection,
            checkpointer,
            last,
            latest: latest.clone(),
            waiting: Arc::clone(&waiting),
            trimmed: 0,
            passed: cursor.0,
            failure,
        };
        thread::Builder::new()
            .name("inbox writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|_| StoreError::Closed)?;
        Ok(Self {
            commands,
            room: Arc::new(Semaphore::new(QUEUE_KIB)),
            waiting,
            latest,
        })
    }

    pub(in crate::store) async fn append(
        &self,
        received: Timestamp,
        events: Vec<Vec<u8>>,
    ) -> Result<(), AppendError> {
        let bytes: usize = events.iter().map(Vec::len).sum();
        let kib = u32::try_from((bytes / 1024 + 1).min(QUEUE_KIB)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(kib);
        let room = tokio::time::timeout(ADMISSION, room)
            .await
            .map_err(|_| AppendError::Busy)?
            .map_err(|_| AppendError::Failed)?;
        let (answer, answered) = oneshot::channel();
        self.hand_over(Command::Append {
            received,
            events,
            answer,
            room,
        })
        .await?;
        answered.await.unwrap_or(Err(AppendError::Failed))
    }

    pub(in crate::store) async fn quarantine(&self, refused: Refused) -> Result<(), AppendError> {
        let (answer, answered) = oneshot::channel();
        self.hand_over(Command::Quarantine { refused, answer })
            .await?;
        answered.await.unwrap_or(Err(AppendError::Failed))
    }

    async fn hand_over(&self, command: Command) -> Result<(), AppendError> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let handed = self.commands.send_timeout(command, ADMISSION).await;
        handed.map_err(|error| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            match error {
                mpsc::error::SendTimeoutError::Timeout(_) => AppendError::Busy,
                mpsc::error::SendTimeoutError::Closed(_) => AppendError::Failed,
            }
        })
    }

    /// Lets the writer delete what the cursor has passed, when it has time.
    pub(super) fn trim(&self, cursor: EventId) {
        // Full: a later cursor says the same.
        if self.commands.try_send(Command::Trim(cursor)).is_err() {
            tracing::debug!("inbox queue full, trimming later");
        }
    }

    pub(in crate::store) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(in crate::store) fn latest(&self) -> watch::Receiver<EventId> {
        self.latest.subscribe()
    }

    pub(super) async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Command::Close(answer)).await.is_ok() {
            // An error means that the writer is gone, which is what was asked for.
            answered.await.unwrap_or(());
        }
    }
}

struct Writer {
    connection: Connection,
    checkpointer: Checkpointer,
    last: EventId,
    latest: watch::Sender<EventId>,
    waiting: Arc<AtomicUsize>,
    trimmed: i64,
    passed: i64,
    failure: watch::Sender<Option<String>>,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(first) = queue.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH {
                match queue.try_recv() {
                    Ok(command) => batch.push(command),
                    Err(_) => break,
                }
            }
            let closing = match batch.pop_if(|command| matches!(command, Command::Close(_))) {
                Some(Command::Close(answer)) => Some(answer),
                _ => None,
            };
            if !self.commit(batch) || !self.trim(&queue) {
                return;
            }
            if let Some(answer) = closing {
                // The asker may have given up.
                answer.send(()).unwrap_or(());
                return;
            }
        }
    }

    /// Commits a batch and answers. False when the disk failed for good.
    fn commit(&mut self, batch: Vec<Command>) -> bool {
        let mut answers = Vec::with_capacity(batch.len());
        let written = self.write(batch, &mut answers);
        let result = match &written {
            Ok(Some((last, bytes))) => {
                self.last = *last;
                self.latest.send_replace(*last);
                self.checkpointer.committed(*bytes);
                if self.failure.borrow().is_some() {
                    self.failure.send_replace(None);
                }
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(_) => Err(AppendError::Failed),
        };
        self.waiting.fetch_sub(answers.len(), Ordering::Relaxed);
        for answer in answers {
            // A client that went away does not change what is stored.
            answer.send(result).unwrap_or(());
        }
        match written {
            Ok(_) => true,
            Err(error) => self.failed(&error),
        }
    }

    /// Inserts what the batch holds; `None` when it holds only trims.
    fn write(
        &mut self,
        batch: Vec<Command>,
        answers: &mut Vec<oneshot::Sender<Result<(), AppendError>>>,
    ) -> rusqlite::Result<Option<(EventId, u64)>> {
        let mut rows = Vec::with_capacity(batch.len());
        for command in batch {
            match command {
                Command::Append {
                    received,
                    events,
                    answer,
                    room,
                } => {
                    answers.push(answer);
                    rows.push(Row::Events {
                        received,
                        events,
                        room,
                    });
                }
                Command::Quarantine { refused, answer } => {
                    answers.push(answer);
                    rows.push(Row::Refused(refused));
                }
                Command::Trim(cursor) => self.passed = self.passed.max(cursor.0),
                Command::Close(answer) => answer.send(()).unwrap_or(()),
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let mut last = self.last.0;
        let mut bytes = 0;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut append = transaction
                .prepare_cached("INSERT INTO inbox (id, received, body) VALUES (?1, ?2, ?3)")?;
            for row in &rows {
                match row {
                    Row::Events {
                        received, events, ..
                    } => {
                        for body in events {
                            last += 1;
                            bytes += body.len() as u64;
                            append.execute(params![last, nanos(*received), body])?;
                        }
                    }
                    Row::Refused(refused) => {
                        bytes += quarantine(&transaction, refused)?;
                    }
                }
            }
        }
        transaction.commit()?;
        Ok(Some((EventId(last), bytes)))
    }

    /// Deletes passed events while nobody waits, or when too many have piled up. False when the disk
    /// failed.
    fn trim(&mut self, queue: &mpsc::Receiver<Command>) -> bool {
        while self.trimmed < self.passed
            && (queue.is_empty() || self.passed - self.trimmed > TRIM_BACKLOG)
        {
            let through = match self.connection.query_row(
                "SELECT max(id) FROM (SELECT id FROM inbox WHERE id <= ?1 ORDER BY id LIMIT ?2)",
                params![self.passed, TRIM],
                |row| row.get::<_, Option<i64>>(0),
            ) {
                Ok(Some(through)) => through,
                Ok(None) => {
                    self.trimmed = self.passed;
                    break;
                }
                Err(error) => return self.failed(&error),
            };
            let deleted = self
                .connection
                .execute("DELETE FROM inbox WHERE id <= ?1", [through]);
            if let Err(error) = deleted {
                return self.failed(&error);
            }
            self.checkpointer.committed(TRIM.unsigned_abs() * 64);
            self.trimmed = through;
        }
        true
    }

    /// Says that the disk failed. A full disk may have room again later; anything else is final,
    /// because after a failed fsync nobody knows what is on the disk.
    fn failed(&self, error: &rusqlite::Error) -> bool {
        tracing::error!(%error, "cannot write the inbox");
        self.failure.send_replace(Some(error.to_string()));
        error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
    }
}

enum Row {
    Events {
        received: Timestamp,
        events: Vec<Vec<u8>>,
        /// Given back when the rows are written.
        #[expect(dead_code, reason = "held, not read")]
        room: OwnedSemaphorePermit,
    },
    Refused(Refused),
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
