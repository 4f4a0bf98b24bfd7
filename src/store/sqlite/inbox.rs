//! The inbox: the only work between a request and its answer.
//!
//! One thread commits whatever has queued and answers after the commit's fsync.

mod writer;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::checkpoint::Checkpointer;
use super::gauge::Gauge;
use crate::event::EventId;
use crate::store::losses::Losses;
use crate::store::{AppendError, LossReason, Refused, Room, StoreError};
use writer::Writer;

/// Bodies that may wait for the disk.
const QUEUE: usize = 8_192;

/// KiB of bodies that may wait for the disk.
const QUEUE_KIB: usize = 64 * 1024;

/// How long a sender waits for its answer at most. Falco blocks meanwhile and complains after 2 s.
const PATIENCE: Duration = Duration::from_millis(1_500);

type Answer = oneshot::Sender<Result<(), AppendError>>;

/// The events of one body, on their way to the disk.
struct Append {
    received: Timestamp,
    events: Vec<Vec<u8>>,
    answer: Answer,
    /// Whether somebody else knows of them, so that they are lost when they are refused.
    is_foreign: bool,
    /// Given back when they are written.
    #[expect(dead_code, reason = "held, not read")]
    room: OwnedSemaphorePermit,
}

enum Command {
    Append(Append),
    Quarantine { refused: Refused, answer: Answer },
    Trim(EventId),
    Close(oneshot::Sender<()>),
}

/// Handle of the writer thread.
#[derive(Debug)]
pub(in crate::store) struct Inbox {
    commands: mpsc::Sender<Command>,
    queue: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    latest: watch::Sender<EventId>,
    losses: Losses,
    writing: Writing,
}

/// Since when the writer is busy with one batch.
#[derive(Clone, Debug, Default)]
struct Writing(Arc<Mutex<Option<std::time::Instant>>>);

impl Writing {
    fn set(&self, since: Option<std::time::Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Whether whoever posts now waits in vain, as far as one can tell.
    fn is_slow(&self) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() > PATIENCE)
    }
}

/// What the writer tells the rest of the store.
pub(super) struct Signals {
    /// Why a write failed, once one has.
    pub(super) failure: watch::Sender<Option<String>>,
    /// How much room is left.
    pub(super) room: watch::Sender<Room>,
    /// What was refused.
    pub(super) losses: Losses,
}

impl Inbox {
    /// Starts the writer. `cursor` is the last event that the second step has taken over: ids go on
    /// from there even when the inbox is empty.
    pub(super) fn start(
        connection: Connection,
        checkpointer: Checkpointer,
        cursor: EventId,
        gauge: Gauge,
        signals: Signals,
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
        let losses = signals.losses.clone();
        let writing = Writing::default();
        let writer = Writer {
            connection,
            checkpointer,
            last,
            latest: latest.clone(),
            waiting: Arc::clone(&waiting),
            trimmed: 0,
            passed: cursor.0,
            gauge,
            signals,
            writing: writing.clone(),
            refused: None,
        };
        thread::Builder::new()
            .name("inbox writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|_| StoreError::Closed)?;
        Ok(Self {
            commands,
            queue: Arc::new(Semaphore::new(QUEUE_KIB)),
            waiting,
            latest,
            losses,
            writing,
        })
    }

    pub(in crate::store) async fn append(
        &self,
        received: Timestamp,
        events: Vec<Vec<u8>>,
        is_foreign: bool,
    ) -> Result<(), AppendError> {
        let note = |reason, events| {
            if is_foreign {
                self.losses.note(reason, received, events);
            }
        };
        let deadline = Instant::now() + PATIENCE;
        let count = events.len();
        let bytes: usize = events.iter().map(Vec::len).sum();
        let kib = u32::try_from((bytes / 1024 + 1).min(QUEUE_KIB)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.queue).acquire_many_owned(kib);
        let Ok(room) = timeout_at(deadline, room).await else {
            note(LossReason::Busy, events);
            return Err(AppendError::Busy);
        };
        let room = room.map_err(|_| AppendError::Failed)?;
        let (answer, answered) = oneshot::channel();
        let append = Append {
            received,
            events,
            answer,
            is_foreign,
            room,
        };
        if let Err((error, command)) = self.hand_over(Command::Append(append), deadline).await {
            if let Command::Append(Append { events, .. }) = command {
                note(error.reason(), events);
            }
            return Err(error);
        }
        if let Ok(answer) = timeout_at(deadline, answered).await {
            return answer.unwrap_or(Err(AppendError::Failed));
        }
        // It stays in the queue: late is better than never, but it is not acknowledged.
        if is_foreign {
            self.losses.count(count);
        }
        Err(AppendError::Slow)
    }

    pub(in crate::store) async fn quarantine(&self, refused: Refused) -> Result<(), AppendError> {
        let deadline = Instant::now() + PATIENCE;
        let (answer, answered) = oneshot::channel();
        self.hand_over(Command::Quarantine { refused, answer }, deadline)
            .await
            .map_err(|(error, _)| error)?;
        let answer = timeout_at(deadline, answered).await;
        answer.map_or(Err(AppendError::Slow), |answer| {
            answer.unwrap_or(Err(AppendError::Failed))
        })
    }

    /// Queues a command; gives it back when there is no place in time.
    async fn hand_over(
        &self,
        command: Command,
        deadline: Instant,
    ) -> Result<(), (AppendError, Command)> {
        use mpsc::error::SendTimeoutError::{Closed, Timeout};
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let patience = deadline.saturating_duration_since(Instant::now());
        let handed = self.commands.send_timeout(command, patience).await;
        handed.map_err(|error| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            match error {
                Timeout(command) => (AppendError::Busy, command),
                Closed(command) => (AppendError::Failed, command),
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

    /// Whether the disk takes longer than a sender can wait.
    pub(in crate::store) fn is_slow(&self) -> bool {
        self.writing.is_slow()
    }

    pub(in crate::store) fn latest(&self) -> watch::Receiver<EventId> {
        self.latest.subscribe()
    }

    /// How many events were refused since the start.
    pub(in crate::store) fn lost(&self) -> watch::Receiver<u64> {
        self.losses.watch()
    }

    pub(super) async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Command::Close(answer)).await.is_ok() {
            // An error means that the writer is gone, which is what was asked for.
            answered.await.unwrap_or(());
        }
    }
}
