//! What goes with time, and what the account says afterwards.

use super::*;
use crate::store::{Account, Period};

async fn deliver(store: &Store, now: i64) {
    let leased = store.lease("soc", at(now), 1).await.unwrap();
    let attempt = attempt(&leased[0], now + 1, Outcome::Sent);
    store.finish(attempt).await.unwrap();
}

async fn prune(store: &Store, before: i64) {
    while store.prune(at(before)).await.unwrap().more {}
}

/// Three batches of an incident, received at 0, 100 and 200; the last waits to be sent.
async fn three_batches(store: &Store) {
    for (id, received) in [(None, 0), (Some(1), 100), (Some(1), 200)] {
        let bodies = vec![b"{}".to_vec(), b"{}".to_vec()];
        store.append(at(received), bodies).await.unwrap();
        let mut step = step(store, id, received).await;
        step.incidents[0].incident.last_received = at(received);
        store.commit_step(step).await.unwrap();
        if received < 200 {
            deliver(store, received).await;
        }
    }
}

#[tokio::test]
async fn the_account_stays_the_same_when_its_batches_are_gone() {
    use Account::{Folded, Sent, Waiting};
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    three_batches(&store).await;
    let before = store.audit(Period::default()).await.unwrap();
    assert_eq!(before.fates, [(Sent, 2), (Folded, 2), (Waiting, 2)].into());
    let fates = store.fates().await.unwrap();
    for time in [50, 150, 1_000] {
        prune(&store, time).await;
        let after = store.audit(Period::default()).await.unwrap();
        assert_eq!(after, before, "{time}");
        assert_eq!(store.fates().await.unwrap(), fates);
    }
    // What waits is not old, whatever the time.
    deliver(&store, 300).await;
    prune(&store, 1_000).await;
    let after = store.audit(Period::default()).await.unwrap();
    assert_eq!(after.problems, [""; 0]);
    assert_eq!(after.fates, [(Sent, 3), (Folded, 3)].into());
    assert_eq!(
        (after.received, &after.destinations["soc"]),
        (6, &after.fates)
    );
    store.close().await;
    drop(store);
    let store = open(&dir);
    post(&store, 1).await;
    take_over(&store, Some(1), 400).await;
    let after = store.audit(Period::default()).await.unwrap();
    assert_eq!((after.problems.len(), after.received), (0, 7), "{after:?}");
}

#[tokio::test]
async fn an_incident_that_is_over_goes_with_everything_of_it_and_an_open_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    three_batches(&store).await;
    deliver(&store, 300).await;
    prune(&store, 1_000).await;
    assert_eq!(store.incidents(10).await.unwrap().len(), 1);
    let uid = Uuid::from_u128(7);
    let closed = store.handle(uid, State::Closed, "ann".to_owned(), at(400));
    assert!(closed.await.unwrap());
    prune(&store, 200).await;
    assert_eq!(store.incidents(10).await.unwrap().len(), 1, "not old yet");
    prune(&store, 1_000).await;
    // The close is still to be said.
    assert_eq!(store.incidents(10).await.unwrap().len(), 1);
    deliver(&store, 400).await;
    prune(&store, 1_000).await;
    assert_eq!(store.incidents(10).await.unwrap(), []);
    assert!(store.deliveries(None, 10).await.unwrap().is_empty());
    let account = store.audit(Period::default()).await.unwrap();
    assert_eq!((account.problems.len(), account.received), (0, 6));
}

#[tokio::test]
async fn making_room_takes_events_and_reports_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    three_batches(&store).await;
    let before = store.audit(Period::default()).await.unwrap();
    let thinned = store.thin(at(150)).await.unwrap();
    assert_eq!(
        (thinned.events, thinned.more),
        (3, true),
        "the first is shown"
    );
    assert!(!store.thin(at(150)).await.unwrap().more);
    assert_eq!(store.audit(Period::default()).await.unwrap(), before);
    assert_eq!(store.deliveries(None, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn room_inside_the_files_goes_back_to_the_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let bodies = vec![vec![b'x'; 1 << 20]; 40];
    store.append(at(0), bodies).await.unwrap();
    take_over(&store, None, 0).await;
    deliver(&store, 0).await;
    let size = || {
        std::fs::metadata(dir.path().join("state.db"))
            .unwrap()
            .len()
    };
    assert!(!store.give_back().await.unwrap(), "nothing is empty");
    prune(&store, 1_000).await;
    while store.give_back().await.unwrap() {}
    store.close().await;
    drop(store);
    // Opening checkpoints what the last close left in the log.
    drop(open(&dir));
    assert!(size() < 24 << 20, "{}", size());
}
