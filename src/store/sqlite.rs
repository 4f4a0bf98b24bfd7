//! The embedded engine: two SQLite files, one writer thread each, readers beside them.

mod activity;
mod backup;
mod checkpoint;
mod connection;
mod digest;
mod gauge;
mod handle;
mod hush;
mod inbox;
mod ledger;
mod outbox;
mod query;
mod retention;
mod row;
mod salvage;
mod sensors;
mod set_back;
mod silences;
mod step;
mod timers;
mod way;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::event::EventId;
use crate::store::losses::Losses;
use crate::store::{Damage, Room, StoreError};
use checkpoint::Checkpointer;
use connection::{Database, INBOX, STATE};
use gauge::Gauge;
use inbox::{Inbox, Signals};
use writer::Writer;

pub(super) use backup::backup;

/// The engine behind [`Store`](super::Store).
#[derive(Debug)]
pub(super) struct Sqlite {
    pub(super) inbox: Inbox,
    state: Writer,
    inbox_readers: Readers,
    state_readers: Readers,
    /// Why a write failed, once one has.
    pub(super) failure: watch::Sender<Option<String>>,
    /// How much room is left.
    pub(super) room: watch::Sender<Room>,
    /// When deliveries were last asked for.
    now: set_back::Now,
    /// What was found damaged when it was opened.
    pub(super) damages: Vec<Damage>,
    /// Counts changes of the outbox.
    pub(super) outbox_changed: watch::Sender<u64>,
    /// Counts changes of the silences.
    pub(super) silences_changed: watch::Sender<u64>,
    /// Held, not read: the lock on the folder.
    _lock: File,
}

impl Sqlite {
    pub(super) fn open(folder: &Path, max: Option<u64>, clock: &Clock) -> Result<Self, StoreError> {
        let lock = connection::lock(folder)?;
        let failure = watch::Sender::new(None);
        let room = watch::Sender::new(Room::Plenty);
        let (state, damaged_state) = salvage::open(&STATE, folder)?;
        let (inbox, damaged_inbox) = salvage::open(&INBOX, folder)?;
        salvage::unmark(folder);
        let ends_on_damage = damaged_state.is_none() && damaged_inbox.is_none();
        let starting = |source| StoreError::Database {
            doing: "start",
            source,
        };
        outbox::recover(&state, clock.now()).map_err(starting)?;
        let cursor = EventId(
            state
                .query_row("SELECT event FROM cursor", [], |row| row.get(0))
                .map_err(starting)?,
        );
        let thread_failed = |source| StoreError::Folder {
            path: folder.to_owned(),
            source,
        };
        let inbox_checkpointer =
            Checkpointer::start(INBOX.open_checkpointer(folder)?, "inbox", room.subscribe())
                .map_err(thread_failed)?;
        let state_checkpointer =
            Checkpointer::start(STATE.open_checkpointer(folder)?, "state", room.subscribe())
                .map_err(thread_failed)?;
        let signals = Signals {
            failure: failure.clone(),
            room: room.clone(),
            losses: Losses::start(folder).map_err(thread_failed)?,
        };
        let gauge = Gauge::new(folder, max);
        Ok(Self {
            inbox: Inbox::start(inbox, inbox_checkpointer, cursor, gauge, signals)?,
            state: Writer::start(state, state_checkpointer, failure.clone())?,
            inbox_readers: Readers::new(INBOX, folder, ends_on_damage.then(|| failure.clone())),
            state_readers: Readers::new(STATE, folder, ends_on_damage.then(|| failure.clone())),
            failure,
            room,
            now: set_back::Now::default(),
            damages: damaged_state.into_iter().chain(damaged_inbox).collect(),
            outbox_changed: watch::Sender::new(0),
            silences_changed: watch::Sender::new(0),
            _lock: lock,
        })
    }

    pub(super) async fn close(&self) {
        self.state.close().await;
        self.inbox.close().await;
    }
}

/// Read connections, opened on demand and used again.
#[derive(Clone, Debug)]
struct Readers {
    database: Database,
    folder: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    /// Ends the process on damage, because the next start mends it; unless this start just has.
    failure: Option<watch::Sender<Option<String>>>,
}

impl Readers {
    fn new(
        database: Database,
        folder: &Path,
        failure: Option<watch::Sender<Option<String>>>,
    ) -> Self {
        Self {
            database,
            folder: folder.to_owned(),
            idle: Arc::default(),
            failure,
        }
    }

    /// Runs a query off the runtime's threads.
    async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let connection = readers.take()?;
            let result = query(&connection);
            readers.put_back(connection);
            if let Err(error) = &result
                && salvage::is_damage(error)
            {
                readers.damaged(error);
            }
            result.map_err(|source| StoreError::Database { doing, source })
        });
        read.await.unwrap_or(Err(StoreError::Closed))
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        match idle {
            Some(connection) => Ok(connection),
            None => self.database.open_reader(&self.folder),
        }
    }

    /// A damaged file is mended at the next start.
    fn damaged(&self, error: &rusqlite::Error) {
        let file = self.database.file;
        let Some(failure) = &self.failure else {
            tracing::error!(%error, "{file} is damaged");
            return;
        };
        salvage::mark(&self.folder, &self.database);
        let reason = format!("{file} is damaged ({error}); the next start copies what can be read");
        tracing::error!("{reason}");
        failure.send_replace(Some(reason));
    }

    fn put_back(&self, connection: Connection) {
        /// More are closed again: readers come in bursts.
        const KEPT: usize = 4;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }
}
