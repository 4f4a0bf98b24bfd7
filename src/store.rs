//! The durable store: inbox, incidents, deliveries, attempts and fates.
//!
//! [`Store`] is the handle that the rest of the service holds. Its methods take and return plain
//! values and say nothing of SQL, so that another engine can stand behind it.

mod activity;
mod digest;
mod error;
mod hush;
mod ledger;
mod losses;
mod model;
mod room;
mod sensors;
mod sqlite;
mod way;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::Clock;
use crate::event::EventId;
use crate::incident::{GroupKey, Incident, State};
use crate::units::{ByteSize, Span};

pub use activity::{Activity, Fired, History};
pub use digest::{Failing, Noise, Shift, Told};
pub use error::{AppendError, StoreError};
pub use hush::{Despite, Hidden, SilenceName};
pub use ledger::{Account, Audit, Period};
pub use losses::{Loss, LossReason, losses, losses_file};
pub use model::{
    Attempt, Damage, Delivery, DeliveryId, DeliveryState, DestinationStep, InboxEvent,
    IncidentStep, Leased, Live, Outcome, Pruned, Quarantined, Refused, Sample, Saved, Step,
    StoredEvent, TimerStep,
};
pub use room::{RESERVED_FOR, Room};
pub use sensors::{Beat, Sensor, SensorSeen};
pub use way::{Stop, Tried, Way, Ways};

/// How much of a refused body is kept, in bytes.
pub const QUARANTINE_BODY_CAP: usize = 64 * 1024;

/// How many refused bodies are kept; the oldest go first.
pub const QUARANTINE_ROWS: u32 = 1_000;

/// The `store` section.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// The folder of the embedded store. It is made when it does not exist, and belongs to one
    /// process at a time.
    pub path: std::path::PathBuf,
    /// How long events and the record of attempts are kept. Incidents and counts stay, and so does
    /// what a delivery that waits has to show.
    pub retention: Span,
    /// How large the store may become. When it comes near, fewer events of a storm are kept as
    /// posted and the oldest go before their time; the last twentieth is for alerts of critical
    /// priority and above. Without it, the end of the disk counts.
    pub max_size: Option<ByteSize>,
}

/// The least `max_size`: the logs beside the files need room, too.
const LEAST_SIZE: ByteSize = ByteSize(64 << 20);

/// A limit that leaves no room for events.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a store needs {LEAST_SIZE} at least")]
pub struct TooSmall;

impl StoreConfig {
    /// Whether there is room for events at all.
    pub fn check(&self) -> Result<(), TooSmall> {
        if self.max_size.is_some_and(|size| size < LEAST_SIZE) {
            return Err(TooSmall);
        }
        Ok(())
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            path: "./herald-data".into(),
            retention: Span(Duration::from_hours(30 * 24)),
            max_size: None,
        }
    }
}

/// Copies the store in `folder` into `to`, which must be new or empty, also while a service uses it.
/// Everything that was acknowledged before the call is in the copy. Reads the whole store twice.
pub fn backup(folder: &Path, to: &Path) -> Result<Saved, StoreError> {
    sqlite::backup(folder, to)
}

/// Handle of the store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(Arc<sqlite::Sqlite>);

impl Store {
    /// Opens the store in `folder`, making it when it does not exist, and takes its lock. It may grow
    /// as far as the disk allows.
    pub fn open(folder: &Path, clock: &Clock) -> Result<Self, StoreError> {
        sqlite::Sqlite::open(folder, None, clock).map(|engine| Self(Arc::new(engine)))
    }

    /// The same, as the configuration has it.
    pub fn open_configured(config: &StoreConfig, clock: &Clock) -> Result<Self, StoreError> {
        let max = config.max_size.map(|size| size.0);
        sqlite::Sqlite::open(&config.path, max, clock).map(|engine| Self(Arc::new(engine)))
    }

    /// Stores the events of one body, all or none. Returns after fsync.
    pub async fn append(
        &self,
        received: Timestamp,
        events: Vec<Vec<u8>>,
    ) -> Result<(), AppendError> {
        self.0.inbox.append(received, events, true).await
    }

    /// Stores an event of Herald's own. When it is refused nothing is lost: whoever made it still has
    /// it.
    pub async fn append_own(&self, received: Timestamp, event: Vec<u8>) -> Result<(), AppendError> {
        self.0.inbox.append(received, vec![event], false).await
    }

    /// Keeps a refused body with its reason; the oldest are dropped beyond [`QUARANTINE_ROWS`].
    pub async fn quarantine(&self, refused: Refused) -> Result<(), AppendError> {
        self.0.inbox.quarantine(refused).await
    }

    /// The newest refused bodies.
    pub async fn quarantined(&self, limit: u32) -> Result<Vec<Quarantined>, StoreError> {
        self.0.quarantined(limit).await
    }

    /// Whether events can be stored: false once a write has failed, and while the disk is full or takes
    /// longer than a sender can wait.
    pub fn is_writable(&self) -> bool {
        let has_room = *self.0.room.borrow() != Room::Full;
        self.0.failure.borrow().is_none() && has_room && !self.0.inbox.is_slow()
    }

    /// The files that were found damaged when the store was opened.
    pub fn damages(&self) -> &[Damage] {
        &self.0.damages
    }

    /// How much room is left.
    pub fn room(&self) -> watch::Receiver<Room> {
        self.0.room.subscribe()
    }

    /// How many events were refused since the start: counts up.
    pub fn refused_events(&self) -> watch::Receiver<u64> {
        self.0.inbox.lost()
    }

    /// Becomes `Some` when a write failed. The process should end: what is on disk is whole, what
    /// is in memory may not be.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.0.failure.subscribe()
    }

    /// How many bodies wait for the disk. The second step steps back while this is high.
    pub fn waiting(&self) -> usize {
        self.0.inbox.waiting()
    }

    /// The id of the latest event on disk.
    pub fn latest(&self) -> watch::Receiver<EventId> {
        self.0.inbox.latest()
    }

    /// Up to `limit` events after `cursor`, in order.
    pub async fn inbox_after(
        &self,
        cursor: EventId,
        limit: u32,
    ) -> Result<Vec<InboxEvent>, StoreError> {
        self.0.inbox_after(cursor, limit).await
    }

    /// The last event that the second step has taken over.
    pub async fn cursor(&self) -> Result<EventId, StoreError> {
        self.0.cursor().await
    }

    /// The newest incident of each key that is not closed.
    pub async fn incidents_by_key(&self, keys: Vec<GroupKey>) -> Result<Vec<Incident>, StoreError> {
        self.0.incidents_by_key(keys).await
    }

    /// The newest incidents.
    pub async fn incidents(&self, limit: u32) -> Result<Vec<Incident>, StoreError> {
        self.0.incidents(limit).await
    }

    /// When the sensor on a host last reported lost system calls between two times of receipt, as far
    /// as its reports are grouped by host.
    pub async fn loss_near(
        &self,
        hostname: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.0.loss_near(hostname.to_owned(), from, to).await
    }

    /// Takes a batch of events over from the inbox: events, incidents, fates, deliveries and the
    /// cursor change together or not at all. Then the inbox forgets what the cursor has passed.
    pub async fn commit_step(&self, step: Step) -> Result<(), StoreError> {
        self.0.commit_step(step).await
    }

    /// Up to `limit` events that were taken over before `id` and kept, the newest first.
    pub async fn events_before(&self, id: EventId, limit: u32) -> Result<Vec<Sample>, StoreError> {
        self.0.events_before(id, limit).await
    }

    /// The incident with this public name.
    pub async fn incident(&self, uid: Uuid) -> Result<Option<Incident>, StoreError> {
        self.0.incident(uid).await
    }

    /// The incidents that are open or acknowledged.
    pub async fn live_incidents(&self) -> Result<Vec<Live>, StoreError> {
        self.0.live_incidents().await
    }

    /// Does what timers ask for, unless new alerts came in between.
    pub async fn commit_timers(
        &self,
        steps: Vec<TimerStep>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.0.commit_timers(steps, now).await
    }

    /// Acknowledges or closes an incident in the name of `by`, and says so wherever it was said. False
    /// when there is no such incident, or it is not open.
    pub async fn handle(
        &self,
        uid: Uuid,
        state: State,
        by: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.0.handle(uid, state, by, now).await
    }

    /// Changes whenever deliveries may have become due.
    pub fn outbox_changed(&self) -> watch::Receiver<u64> {
        self.0.outbox_changed.subscribe()
    }

    /// Takes up to `limit` due deliveries of a destination, most severe first. A delivery waits
    /// while another one of the same incident is under way.
    pub async fn lease(
        &self,
        destination: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Leased>, StoreError> {
        self.0.lease(destination.to_owned(), now, limit).await
    }

    /// When the next delivery of a destination is due.
    pub async fn next_due(&self, destination: &str) -> Result<Option<Timestamp>, StoreError> {
        self.0.next_due(destination.to_owned()).await
    }

    /// How many deliveries are pending, by destination.
    pub async fn pending(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.0.pending().await
    }

    /// Records an attempt and what follows from it.
    pub async fn finish(&self, attempt: Attempt) -> Result<(), StoreError> {
        self.0.finish(attempt).await
    }

    /// Deliveries in a state, or all; the newest first.
    pub async fn deliveries(
        &self,
        state: Option<DeliveryState>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.0.deliveries(state, limit).await
    }

    /// Puts a dead delivery back into the queue. False when there is no such dead delivery.
    pub async fn retry(&self, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        self.0.retry(id, now).await
    }

    /// Gives up a pending or dead delivery. False when there is no such delivery.
    pub async fn discard(&self, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError> {
        self.0.discard(id, now).await
    }

    /// A stored event, byte for byte as posted.
    pub async fn event(&self, id: EventId) -> Result<Option<StoredEvent>, StoreError> {
        self.0.event(id).await
    }

    /// How many events stand at each fate, by destination; `None` is not settled yet.
    pub async fn fates(&self) -> Result<Vec<(String, Option<String>, u64)>, StoreError> {
        self.0.fates().await
    }

    /// Compares what was received with what became of it, in a period or in all.
    pub async fn audit(&self, period: Period) -> Result<Audit, StoreError> {
        self.0.audit(period).await
    }

    /// What became of one event, at every destination.
    pub async fn ways(&self, id: EventId) -> Result<Ways, StoreError> {
        self.0.ways(id).await
    }

    /// What happened at a workload between two times of receipt, a row a rule, the most severe first.
    pub async fn activity(
        &self,
        workload: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Activity>, StoreError> {
        self.0.activity(workload.to_owned(), from, to).await
    }

    /// How often a rule fired for an image since `from`, in whole days.
    pub async fn history(
        &self,
        image: &str,
        rule: &str,
        from: Timestamp,
    ) -> Result<History, StoreError> {
        self.0
            .history(image.to_owned(), rule.to_owned(), from)
            .await
    }

    /// Deletes what is older than `before` and no longer needed, a bounded piece at a time. What
    /// became of the events is summed up first: the account stays whole.
    pub async fn prune(&self, before: Timestamp) -> Result<Pruned, StoreError> {
        self.0.prune(before).await
    }

    /// Deletes events as posted and reports as sent that are older than `before`, a bounded piece at
    /// a time, to make room. Nothing else: incidents, counts and what waits to be sent stay.
    pub async fn thin(&self, before: Timestamp) -> Result<Pruned, StoreError> {
        self.0.thin(before).await
    }

    /// Gives room inside the store's files back to the file system, a bounded piece at a time. Returns
    /// whether there is more.
    pub async fn give_back(&self) -> Result<bool, StoreError> {
        self.0.give_back().await
    }

    /// Waits until all writes that were handed over are on disk, and stops the writers.
    pub async fn close(&self) {
        self.0.close().await;
    }
}
