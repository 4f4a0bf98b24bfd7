//! The durable store: inbox, incidents, deliveries, attempts and fates.

use jiff::Timestamp;

/// Why an event could not be stored. Whoever waits for it is told that it was not accepted.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AppendError {
    /// The queue in front of the disk is full.
    #[error("the store cannot keep up")]
    Busy,
    /// The disk failed; the service is going down.
    #[error("the store cannot write")]
    Failed,
}

/// A body that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// When it came.
    pub received: Timestamp,
    /// Why it was refused.
    pub reason: String,
    /// The body, cut to [`QUARANTINE_BODY_CAP`].
    pub body: Vec<u8>,
    /// The length of the whole body, as far as it was read.
    pub size: u64,
}

/// How much of a refused body is kept, in bytes.
pub const QUARANTINE_BODY_CAP: usize = 64 * 1024;

/// A refused body as listed.
#[derive(Clone, Debug)]
pub struct Quarantined {
    /// Its row.
    pub id: i64,
    /// What was refused and why.
    pub refused: Refused,
}

/// Handle of the store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store;

#[expect(clippy::unused_async, reason = "stub")]
impl Store {
    /// Stores the events of one body, all or none; returns after fsync.
    pub async fn append(&self, _received: Timestamp, _events: Vec<Vec<u8>>) -> Result<(), AppendError> {
        todo!()
    }

    /// Keeps a refused body with its reason; the oldest are dropped beyond a cap.
    pub async fn quarantine(&self, _refused: Refused) -> Result<(), AppendError> {
        todo!()
    }

    /// The newest refused bodies.
    pub async fn quarantined(&self, _limit: u32) -> Result<Vec<Quarantined>, AppendError> {
        todo!()
    }

    /// Whether events can be stored; false once a write has failed.
    pub fn is_writable(&self) -> bool {
        todo!()
    }
}
