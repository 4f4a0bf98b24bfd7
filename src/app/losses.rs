//! What the store says about itself: that events were refused, and that room is running out. Both are
//! alerts like any other, on the route for health.

use std::time::Duration;

use serde_json::json;

use crate::clock::Clock;
use crate::event::herald_event;
use crate::store::{Damage, Room, Store};

/// What comes within this time is told together.
const TOGETHER: Duration = Duration::from_secs(5);

/// How long a store that takes nothing is left alone before the next attempt to tell.
const AGAIN: Duration = Duration::from_secs(2);

/// Tells until it is aborted. Sleeps while nothing is lost and there is room.
pub(super) async fn watch(store: Store, clock: Clock) {
    for damage in store.damages() {
        tell_damage(&store, &clock, damage).await;
    }
    let mut lost = store.refused_events();
    let mut room = store.room();
    let mut told = (0, Room::Plenty);
    loop {
        let now = (*lost.borrow_and_update(), *room.borrow_and_update());
        if now.0 > told.0 {
            let refused = now.0 - told.0;
            tell_losses(&store, &clock, refused).await;
        }
        if now.1 < told.1 {
            tell_room(&store, &clock, now.1).await;
        }
        told = now;
        tokio::select! {
            changed = lost.changed() => if changed.is_err() { return },
            changed = room.changed() => if changed.is_err() { return },
        }
        clock.sleep(TOGETHER).await;
    }
}

async fn tell_damage(store: &Store, clock: &Clock, damage: &Damage) {
    let Damage {
        file,
        kept_as,
        rows,
    } = damage;
    let output = format!(
        "{file} was damaged; {rows} rows could be read and are in use, what could not be read is \
         missing; the damaged file is kept as {}",
        kept_as.display()
    );
    let fields = json!({ "herald.file": file, "herald.rows": rows });
    tell(store, clock, "the store was damaged", &output, &fields).await;
}

async fn tell_losses(store: &Store, clock: &Clock, refused: u64) {
    let output = format!(
        "{refused} events were answered 503 and not acknowledged, because the disk had no room or was \
         too slow; what they were is in the store's losses.ndjson, see `falco-herald losses`"
    );
    let fields = json!({ "herald.events": refused });
    tell(store, clock, "events were lost", &output, &fields).await;
}

async fn tell_room(store: &Store, clock: &Clock, room: Room) {
    let output = format!("The store is running out of room: {}", room.describe());
    let fields = json!({ "herald.room": room.describe() });
    tell(
        store,
        clock,
        "the store is running out of room",
        &output,
        &fields,
    )
    .await;
}

/// Critical, so that it is taken while only the last room is left; and until it is taken.
async fn tell(store: &Store, clock: &Clock, rule: &str, output: &str, fields: &serde_json::Value) {
    loop {
        let now = clock.now();
        let event = herald_event(rule, "Critical", "", output, fields, now);
        match store.append_own(now, event).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "cannot alert yet"),
        }
        clock.sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event;
    use crate::store::StoreConfig;
    use crate::units::ByteSize;

    /// Takes over what is in the inbox; the rules of the events.
    async fn rules(store: &Store) -> Vec<String> {
        let cursor = store.cursor().await.unwrap();
        let events = store.inbox_after(cursor, 10_000).await.unwrap();
        let rules = events.iter().map(|stored| {
            let event = event::decode(&stored.body).unwrap();
            event.rule.raw().to_owned()
        });
        rules.collect()
    }

    #[tokio::test]
    async fn refused_events_and_missing_room_are_told_once_each_and_in_the_last_room() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let config = StoreConfig {
            path: folder.path().to_owned(),
            max_size: Some(ByteSize(16 << 20)),
            ..StoreConfig::default()
        };
        let store = Store::open_configured(&config, &clock).unwrap();
        let noise = || {
            let event = json!({ "rule": "noise", "priority": "Notice", "time": "2026-03-01T10:15:00Z", "output": "x".repeat(100_000) });
            event.to_string().into_bytes()
        };
        while store.append(clock.now(), vec![noise()]).await.is_ok() {}
        let watch = tokio::spawn(watch(store.clone(), clock.clone()));
        let mut latest = store.latest();
        let told = async |latest: &mut tokio::sync::watch::Receiver<event::EventId>| {
            loop {
                let mut own = rules(&store).await;
                own.retain(|rule| rule != "noise");
                if own.len() == 2 {
                    return own;
                }
                latest.changed().await.unwrap();
            }
        };
        let own = told(&mut latest).await;
        assert!(own[0].ends_with("events were lost"), "{own:?}");
        assert!(own[1].ends_with("running out of room"), "{own:?}");
        watch.abort();
    }
}
