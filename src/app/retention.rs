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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventId;
    use crate::metrics::{LossLabels, Word};
    use crate::store::{Step, StoreConfig};
    use crate::units::ByteSize;

    #[tokio::test]
    async fn when_room_is_short_old_events_go_before_their_time_and_young_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let config = StoreConfig {
            path: folder.path().to_owned(),
            max_size: Some(ByteSize(64 << 20)),
            ..StoreConfig::default()
        };
        let store = Store::open_configured(&config, &clock).unwrap();
        let metrics = Metrics::default();
        let month = Duration::from_hours(30 * 24);
        let watch = tokio::spawn(watch(store.clone(), clock.clone(), metrics.clone(), month));
        let mut last = EventId(0);
        let mut post = async || {
            let bodies = vec![vec![b'x'; 200_000]; 5];
            store.append(clock.now(), bodies).await.unwrap();
            let events = store.inbox_after(last, 100).await.unwrap();
            last = events.last().unwrap().id;
            let step = Step {
                cursor: Some(last),
                unrouted: events.iter().map(|event| event.id).collect(),
                events,
                ..Step::default()
            };
            store.commit_step(step).await.unwrap();
        };
        for _ in 0..6 {
            post().await;
        }
        clock.advance(2 * YOUNG);
        let mut room = store.room();
        while *room.borrow_and_update() == Room::Plenty {
            post().await;
        }
        let gone = LossLabels {
            reason: Word("size"),
        };
        while metrics.expired.get_or_create(&gone).get() < 30 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        watch.abort();
        assert!(store.event(EventId(30)).await.unwrap().is_none());
        assert!(
            store.event(EventId(31)).await.unwrap().is_some(),
            "it is young"
        );
    }
}
