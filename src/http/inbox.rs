//! The seam between the event listener and the store.

use std::future::Future;

use jiff::Timestamp;

use crate::store::{AppendError, Refused, Room, Store};

/// What the listener needs of the store; tests put a recorder in its place.
pub trait Inbox: Clone + Send + Sync + 'static {
    /// Stores the events of one body, all or none; returns when they are safe.
    fn append(
        &self,
        received: Timestamp,
        events: Vec<Vec<u8>>,
    ) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Keeps a refused body with its reason.
    fn quarantine(&self, refused: Refused) -> impl Future<Output = Result<(), AppendError>> + Send;

    /// Whether events can be stored.
    fn is_writable(&self) -> bool;

    /// What it cannot do although it takes events.
    fn doubt(&self) -> Option<&'static str> {
        None
    }
}

impl Inbox for Store {
    async fn append(&self, received: Timestamp, events: Vec<Vec<u8>>) -> Result<(), AppendError> {
        Self::append(self, received, events).await
    }

    async fn quarantine(&self, refused: Refused) -> Result<(), AppendError> {
        Self::quarantine(self, refused).await
    }

    fn is_writable(&self) -> bool {
        Self::is_writable(self)
    }

    fn doubt(&self) -> Option<&'static str> {
        let room = *self.room().borrow();
        (room == Room::Reserved).then(|| room.describe())
    }
}
