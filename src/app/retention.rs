//! Housekeeping: what is older than the retention time goes; when room is short, the oldest events and
//! reports go before their time.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{Clock, later};
use crate::metrics::Metrics;
use crate::store::{Room, Store, StoreError};

/// How often old rows are looked for.
const EVERY: Duration = Duration::from_hours(1);

/// Younger events stay as posted, however short room is: they are what people look at now.
const YOUNG: Duration = Duration::from_hours(1);

/// How long after making room it is worth another look.
const SHORT_AGAIN: Duration = Duration::from_secs(10);

/// Keeps house until it is aborted.
pub(super) async fn watch(store: Store, clock: Clock, metrics: Metrics, retention: Duration) {
    let mut room = store.room();
    let mut next = clock.now();
    loop {
        let now = clock.now();
        if now >= next {
            if let Err(error) = expire(&store, &metrics, earlier(now, retention)).await {
                tracing::warn!(%error, "cannot delete what is older than the retention time");
            }
            next = later(now, EVERY);
        }
        let is_short = *room.borrow_and_update() < Room::Plenty;
        if is_short && let Err(error) = make_room(&store, &metrics, earlier(now, YOUNG)).await {
            tracing::warn!(%error, "cannot make room");
        }
        let wake = if is_short {
            next.min(later(clock.now(), SHORT_AGAIN))
        } else {
            next
        };
        tokio::select! {
            changed = room.changed() => if changed.is_err() { return },
            () = clock.sleep_until(wake) => {}
        }
    }
}

async fn expire(store: &Store, metrics: &Metrics, before: Timestamp) -> Result<(), StoreError> {
    loop {
        let pruned = store.prune(before).await?;
        metrics.expired("age", pruned.events);
        if !pruned.more {
            break;
        }
    }
    while store.give_back().await? {}
    Ok(())
}

/// Deletes until there is room, or only the youngest are left.
async fn make_room(store: &Store, metrics: &Metrics, before: Timestamp) -> Result<(), StoreError> {
    let room = store.room();
    while *room.borrow() < Room::Plenty {
        let pruned = store.thin(before).await?;
        metrics.expired("size", pruned.events);
        let gave = store.give_back().await?;
        if !pruned.more && !gave {
            break;
        }
    }
    Ok(())
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
