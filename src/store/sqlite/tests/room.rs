//! What is taken when room runs out.

use super::*;
use crate::store::{AppendError, Room, StoreConfig, losses};
use crate::units::ByteSize;

const MAX: u64 = 16 << 20;

fn small(dir: &tempfile::TempDir) -> Store {
    let config = StoreConfig {
        path: dir.path().to_owned(),
        max_size: Some(ByteSize(MAX)),
        ..StoreConfig::default()
    };
    Store::open_configured(&config, &Clock::manual(at(0))).unwrap()
}

fn event(priority: &str) -> Vec<u8> {
    let event = serde_json::json!({
        "rule": "r", "priority": priority, "time": "2026-03-01T10:15:00Z", "output": "x".repeat(50_000),
    });
    event.to_string().into_bytes()
}

/// Posts until it is refused; how many were taken.
async fn fill(store: &Store, priority: &str) -> (u64, AppendError) {
    let mut taken = 0;
    loop {
        match store.append(at(0), vec![event(priority)]).await {
            Ok(()) => taken += 1,
            Err(error) => return (taken, error),
        }
        assert!(taken < MAX / 50_000, "nothing is refused");
    }
}

#[tokio::test]
async fn the_last_room_is_for_critical_alerts_and_comes_back_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(&dir);
    let mut room = store.room();
    let (taken, refused) = fill(&store, "Notice").await;
    assert!(taken > 100, "{taken}");
    assert_eq!(
        (refused, *room.borrow()),
        (AppendError::Full, Room::Reserved)
    );
    assert!(store.is_writable(), "critical alerts are taken");
    store.append(at(0), vec![event("Critical")]).await.unwrap();
    assert_eq!(
        store.append(at(0), vec![event("Error")]).await,
        Err(AppendError::Full)
    );
    assert_eq!(*store.refused_events().borrow(), 2);

    // The second step keeps few of them; the inbox forgets what was taken over.
    let mut step = step(&store, None, 0).await;
    let by = step.events.last().unwrap().id;
    let others = step
        .events
        .iter()
        .map(|event| event.id)
        .filter(|id| *id != by);
    step.spared = others.map(|id| (id, by)).collect();
    store.commit_step(step).await.unwrap();
    room.wait_for(|room| *room > Room::Reserved).await.unwrap();
    store.append(at(0), vec![event("Notice")]).await.unwrap();

    let written = losses(dir.path()).unwrap();
    let priorities: Vec<_> = written.iter().map(|loss| loss.priority.unwrap()).collect();
    assert_eq!(priorities, [Priority::Notice, Priority::Error]);
}

#[tokio::test]
async fn events_of_heralds_own_are_not_lost_when_they_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(&dir);
    fill(&store, "Notice").await;
    let refused = store.append_own(at(0), event("Notice")).await;
    assert_eq!(refused, Err(AppendError::Full));
    assert_eq!(*store.refused_events().borrow(), 1);
}
