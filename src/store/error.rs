//! Why the store could not do what it was asked for.

use super::LossReason;

/// Why an event could not be stored. Whoever waits for it is told that it was not accepted.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AppendError {
    /// The queue in front of the disk is full.
    #[error("the store cannot keep up")]
    Busy,
    /// The disk took too long. The event may be stored all the same.
    #[error("the disk took too long")]
    Slow,
    /// The disk has no room for it.
    #[error("the disk has no room for it")]
    Full,
    /// The disk refused the write.
    #[error("the store cannot write")]
    Failed,
}

impl AppendError {
    /// The word under which it is counted.
    pub fn reason(self) -> LossReason {
        match self {
            Self::Busy => LossReason::Busy,
            Self::Slow => LossReason::DiskSlow,
            Self::Full => LossReason::DiskFull,
            Self::Failed => LossReason::Failed,
        }
    }
}

/// Why the store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made or used.
    #[error("cannot use {} as the store", path.display())]
    Folder {
        /// The folder.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process has the store open.
    #[error("{} is in use by another falco-herald; stop it or set another `store.path`", path.display())]
    InUse {
        /// The folder.
        path: std::path::PathBuf,
    },
    /// The store was written by a newer version.
    #[error(
        "{file} has format {found}, this version knows up to {known}; use the newer version, or restore a backup"
    )]
    TooNew {
        /// The database file.
        file: &'static str,
        /// Its format.
        found: i64,
        /// The newest format that this version knows.
        known: i64,
    },
    /// SQLite refused.
    #[error("the store failed to {doing}")]
    Database {
        /// The step that failed.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A row holds what this version never writes.
    #[error("the store holds an unreadable {what}")]
    Corrupt {
        /// The kind of value.
        what: &'static str,
    },
    /// The store is closed or has failed.
    #[error("the store is closed")]
    Closed,
}
