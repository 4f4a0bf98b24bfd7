//! Checkpoints on a connection of their own, so that no answer ever waits for one.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use rusqlite::Connection;
use tokio::sync::watch;

use crate::store::Room;

/// How many bytes are written to the log before it is worth a checkpoint.
const LOG_BYTES: u64 = 16 << 20;

/// The same while room is short: the log is room, too.
const SHORT_LOG_BYTES: u64 = 256 << 10;

/// What a page of the log costs beyond the rows in it, roughly: the commit's own pages.
const COMMIT_OVERHEAD: u64 = 8 * 1024;

/// Counts what a writer has logged and wakes the checkpointer. It has no timer: an idle service
/// does not wake.
#[derive(Debug)]
pub(super) struct Checkpointer {
    wake: SyncSender<()>,
    room: watch::Receiver<Room>,
    logged: u64,
}

impl Checkpointer {
    /// Starts the thread. It ends when the writer that owns the returned value does.
    pub(super) fn start(
        connection: Connection,
        name: &'static str,
        room: watch::Receiver<Room>,
    ) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let seen = room.clone();
        thread::Builder::new()
            .name(format!("{name} checkpoint"))
            .spawn(move || run(&connection, &woken, name, &seen))?;
        Ok(Self {
            wake,
            room,
            logged: 0,
        })
    }

    /// Notes that a commit wrote about `bytes` of rows.
    pub(super) fn committed(&mut self, bytes: u64) {
        self.logged += bytes + COMMIT_OVERHEAD;
        let is_short = *self.room.borrow() < Room::Plenty;
        let due = if is_short { SHORT_LOG_BYTES } else { LOG_BYTES };
        if self.logged >= due {
            self.wake();
        }
    }

    /// Asks for a checkpoint now.
    pub(super) fn wake(&mut self) {
        self.logged = 0;
        // Full: a checkpoint is already due. Gone: the writer's own bound takes over.
        match self.wake.try_send(()) {
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
        }
    }
}

fn run(connection: &Connection, woken: &Receiver<()>, name: &str, room: &watch::Receiver<Room>) {
    while woken.recv().is_ok() {
        // PASSIVE never blocks a reader or a writer; what it cannot do now, the next one does. TRUNCATE
        // may hold a writer up for a moment, and gives the log's room back.
        let is_short = *room.borrow() < Room::Plenty;
        let mode = if is_short { "TRUNCATE" } else { "PASSIVE" };
        let pragma = format!("PRAGMA wal_checkpoint({mode})");
        let result = connection.query_row(&pragma, [], |_| Ok(()));
        if let Err(error) = result {
            tracing::warn!(database = name, %error, "checkpoint failed");
        }
    }
}
