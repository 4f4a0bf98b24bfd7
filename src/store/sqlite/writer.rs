//! The state writer: one thread, one transaction for all jobs that have queued.
//!
//! Each job runs in a savepoint of its own, so that one that fails takes nothing else with it. Jobs
//! are answered after the commit.

use std::thread;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use super::checkpoint::Checkpointer;
use crate::store::StoreError;

/// Jobs that may wait.
const QUEUE: usize = 1_024;

/// Jobs committed together at most.
const BATCH: usize = 256;

/// What a job costs in the log, roughly; only decides when a checkpoint is due.
const JOB_BYTES: u64 = 32 * 1024;

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Job = Box<dyn FnOnce(&Connection) -> Answer + Send>;

enum Command {
    Run(Job),
    Close(oneshot::Sender<()>),
}

/// Handle of the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        checkpointer: Checkpointer,
        failure: watch::Sender<Option<String>>,
    ) -> Result<Self, StoreError> {
        let (commands, queue) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("state writer".to_owned())
            .spawn(move || run(connection, checkpointer, queue, &failure))
            .map_err(|_| StoreError::Closed)?;
        Ok(Self { commands })
    }

    /// Runs `job` in the next transaction; returns what it returned once that is on disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = in_savepoint(connection, job)
                .map_err(|source| StoreError::Database { doing, source });
            Box::new(move |committed| {
                // The asker may have gone; the commit stands.
                drop(answer.send(committed.and(result)));
            })
        });
        self.commands
            .send(Command::Run(job))
            .await
            .map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    pub(super) async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Command::Close(answer)).await.is_ok() {
            answered.await.unwrap_or(());
        }
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    job: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.execute_batch("SAVEPOINT job")?;
    let result = job(connection);
    connection.execute_batch(match &result {
        Ok(_) => "RELEASE job",
        Err(_) => "ROLLBACK TO job; RELEASE job",
    })?;
    result
}

fn run(
    mut connection: Connection,
    mut checkpointer: Checkpointer,
    mut queue: mpsc::Receiver<Command>,
    failure: &watch::Sender<Option<String>>,
) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match queue.try_recv() {
                Ok(command) => batch.push(command),
                Err(_) => break,
            }
        }
        let mut jobs = Vec::with_capacity(batch.len());
        let mut closing = None;
        for command in batch {
            match command {
                Command::Run(job) => jobs.push(job),
                Command::Close(answer) => closing = Some(answer),
            }
        }
        let count = jobs.len() as u64;
        match commit(&mut connection, jobs) {
            Ok(()) => checkpointer.committed(count * JOB_BYTES),
            Err(error) => {
                tracing::error!(%error, "cannot write the state");
                failure.send_replace(Some(error.to_string()));
                return;
            }
        }
        if let Some(answer) = closing {
            answer.send(()).unwrap_or(());
            return;
        }
    }
}

fn commit(connection: &mut Connection, jobs: Vec<Job>) -> rusqlite::Result<()> {
    let mut answers = Vec::with_capacity(jobs.len());
    let result = commit_jobs(connection, jobs, &mut answers);
    for answer in answers {
        answer(if result.is_ok() {
            Ok(())
        } else {
            Err(StoreError::Closed)
        });
    }
    result
}

fn commit_jobs(
    connection: &mut Connection,
    jobs: Vec<Job>,
    answers: &mut Vec<Answer>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in jobs {
        answers.push(job(&transaction));
    }
    transaction.commit()
}
