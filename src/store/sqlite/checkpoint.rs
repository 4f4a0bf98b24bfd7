//! Checkpoints on a connection of their own, so that no answer ever waits for one.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use rusqlite::Connection;

/// How many bytes are written to the log before it is worth a checkpoint.
const LOG_BYTES: u64 = 16 << 20;

/// What a page of the log costs beyond the rows in it, roughly: the commit's own pages.
const COMMIT_OVERHEAD: u64 = 8 * 1024;

/// Counts what a writer has logged and wakes the checkpointer. It has no timer: an idle service
/// does not wake.
#[derive(Debug)]
pub(super) struct Checkpointer {
    wake: SyncSender<()>,
    logged: u64,
}

impl Checkpointer {
    /// Starts the thread. It ends when the writer that owns the returned value does.
    pub(super) fn start(connection: Connection, name: &'static str) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        thread::Builder::new()
            .name(format!("{name} checkpoint"))
            .spawn(move || run(&connection, &woken, name))?;
        Ok(Self { wake, logged: 0 })
    }

    /// Notes that a commit wrote about `bytes` of rows.
    pub(super) fn committed(&mut self, bytes: u64) {
        self.logged += bytes + COMMIT_OVERHEAD;
        if self.logged >= LOG_BYTES {
            self.logged = 0;
            // Full: a checkpoint is already due. Gone: the writer's own bound takes over.
            match self.wake.try_send(()) {
                Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
            }
        }
    }
}

fn run(connection: &Connection, woken: &Receiver<()>, name: &str) {
    while woken.recv().is_ok() {
        // PASSIVE never blocks a reader or a writer; what it cannot do now, the next one does.
        let result = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = result {
            tracing::warn!(database = name, %error, "checkpoint failed");
        }
    }
}
