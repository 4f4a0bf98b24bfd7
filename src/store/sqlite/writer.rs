//! The state writer: one thread, one transaction for all jobs that have queued.
//!
//! Each job runs in a savepoint of its own, so that one that fails takes nothing else with it. Jobs
//! are answered after the commit. While the disk is full they wait: whoever asked has nothing better
//! to do than to wait too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use super::checkpoint::Checkpointer;
use crate::store::StoreError;

/// Jobs that may wait.
const QUEUE: usize = 1_024;

/// Jobs committed together at most.
const BATCH: usize = 256;

/// What a job costs in the log, roughly; only decides when a checkpoint is due.
const JOB_BYTES: u64 = 32 * 1024;

/// How long a full disk is left alone before the next attempt.
const FULL: Duration = Duration::from_millis(100);

/// What is to be written, and who waits for it. A job can run several times until it is committed.
trait Job: Send {
    /// Fails only when the whole transaction has to be tried again later.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;

    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Write<T, F> {
    doing: &'static str,
    work: F,
    result: Result<T, StoreError>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.result = match in_savepoint(connection, &mut self.work) {
            Ok(value) => Ok(value),
            Err(error) if is_full(&error) => return Err(error),
            Err(source) => Err(StoreError::Database {
                doing: self.doing,
                source,
            }),
        };
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        // The asker may have gone; the commit stands.
        drop(self.answer.send(committed.and(self.result)));
    }
}

enum Command {
    Run(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// Handle of the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
    closing: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        checkpointer: Checkpointer,
        failure: watch::Sender<Option<String>>,
    ) -> Result<Self, StoreError> {
        let (commands, queue) = mpsc::channel(QUEUE);
        let closing = Arc::new(AtomicBool::new(false));
        let thread = Thread {
            connection,
            checkpointer,
            failure,
            closing: Arc::clone(&closing),
        };
        thread::Builder::new()
            .name("state writer".to_owned())
            .spawn(move || thread.run(queue))
            .map_err(|_| StoreError::Closed)?;
        Ok(Self { commands, closing })
    }

    /// Runs `work` in the next transaction; returns what it returned once that is on disk. While the
    /// disk is full it is repeated until there is room.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = Write {
            doing,
            work,
            result: Err(StoreError::Closed),
            answer,
        };
        self.commands
            .send(Command::Run(Box::new(job)))
            .await
            .map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Writes what has queued and ends. What waits for room does not wait any longer.
    pub(super) async fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Command::Close(answer)).await.is_ok() {
            answered.await.unwrap_or(());
        }
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.execute_batch("SAVEPOINT job")?;
    let result = work(connection);
    if connection.is_autocommit() {
        // SQLite has given the whole transaction up, and the savepoint with it.
        return result;
    }
    connection.execute_batch(match &result {
        Ok(_) => "RELEASE job",
        Err(_) => "ROLLBACK TO job; RELEASE job",
    })?;
    result
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

struct Thread {
    connection: Connection,
    checkpointer: Checkpointer,
    failure: watch::Sender<Option<String>>,
    closing: Arc<AtomicBool>,
}

impl Thread {
    fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(first) = queue.blocking_recv() {
            let mut jobs = Vec::new();
            let mut closing = None;
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    Command::Run(job) => jobs.push(job),
                    Command::Close(answer) => closing = Some(answer),
                }
                next = (jobs.len() < BATCH)
                    .then(|| queue.try_recv().ok())
                    .flatten();
            }
            if !self.write(jobs) {
                return;
            }
            if let Some(answer) = closing {
                answer.send(()).unwrap_or(());
                return;
            }
        }
    }

    /// Writes a batch and answers it. False when nothing can be written any more.
    fn write(&mut self, mut jobs: Vec<Box<dyn Job>>) -> bool {
        let result = self.commit_when_there_is_room(&mut jobs);
        match &result {
            Ok(()) => self.checkpointer.committed(jobs.len() as u64 * JOB_BYTES),
            Err(error) => {
                tracing::error!(%error, "cannot write the state");
                self.failure.send_replace(Some(error.to_string()));
            }
        }
        for job in jobs {
            job.answer(match result {
                Ok(()) => Ok(()),
                Err(_) => Err(StoreError::Closed),
            });
        }
        result.is_ok()
    }

    fn commit_when_there_is_room(&mut self, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let mut waits = false;
        loop {
            let result = commit(&mut self.connection, jobs);
            match result {
                Err(error) if is_full(&error) && !self.closing.load(Ordering::Relaxed) => {
                    if !waits {
                        tracing::error!(
                            "cannot write the state, the disk is full; waiting for room"
                        );
                    }
                    waits = true;
                    thread::sleep(FULL);
                }
                Ok(()) if waits => {
                    tracing::info!("the state could be written, the disk has room again");
                    return Ok(());
                }
                result => return result,
            }
        }
    }
}

fn commit(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in jobs {
        job.run(&transaction)?;
    }
    transaction.commit()
}
