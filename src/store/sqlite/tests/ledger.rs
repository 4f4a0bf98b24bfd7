//! Audits of a store that is as it should be, and of one that was tampered with.

use super::*;
use crate::store::{Account, Audit, Period};

async fn audit(store: &Store) -> Audit {
    store.audit(Period::default()).await.unwrap()
}

#[tokio::test]
async fn received_is_the_sum_of_fates_from_the_inbox_to_the_message() {
    use Account::{Dead, Folded, Queued, Sent, Waiting};
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    assert!(audit(&store).await.balanced);
    post(&store, 3).await;
    assert_eq!(audit(&store).await.fates, [(Queued, 3)].into());
    take_over(&store, None, 0).await;
    post(&store, 1).await;
    let found = audit(&store).await;
    assert_eq!((found.received, found.balanced), (4, true));
    assert_eq!(found.fates, [(Waiting, 3), (Queued, 1)].into());
    let leased = store.lease("soc", at(0), 1).await.unwrap();
    store
        .finish(attempt(&leased[0], 1, Outcome::Sent))
        .await
        .unwrap();
    take_over(&store, Some(1), 100).await;
    let leased = store.lease("soc", at(200), 1).await.unwrap();
    store
        .finish(attempt(&leased[0], 201, Outcome::Dead))
        .await
        .unwrap();
    let found = audit(&store).await;
    assert_eq!(found.problems, [""; 0]);
    assert_eq!(found.fates, [(Sent, 1), (Folded, 2), (Dead, 1)].into());
    assert_eq!(found.destinations["soc"], found.fates);
}

#[tokio::test]
async fn a_period_holds_the_batches_that_were_received_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for (id, received) in [(None, 10), (Some(1), 20), (Some(1), 30)] {
        store
            .append(at(received), vec![b"{}".to_vec()])
            .await
            .unwrap();
        take_over(&store, id, received).await;
    }
    let within = async |from, to| {
        let period = Period {
            from: Some(at(from)),
            to: Some(at(to)),
            ..Period::default()
        };
        let found = store.audit(period).await.unwrap();
        assert!(found.balanced, "{:?}", found.problems);
        found.received
    };
    assert_eq!(within(0, 100).await, 3);
    assert_eq!(within(20, 30).await, 1);
    assert_eq!(within(31, 100).await, 0);
}

#[tokio::test]
async fn what_was_changed_behind_our_back_is_told() {
    let changes = [
        (
            "UPDATE incidents SET count = 9",
            "incident 1 counts 9 events and holds 2",
        ),
        ("DELETE FROM fates WHERE fate = 'folded'", "add up to 1"),
        ("DELETE FROM folds", "event 1 has no fate"),
        (
            "DELETE FROM deliveries",
            "2 events wait for delivery 1, which is over",
        ),
        ("UPDATE cursor SET event = 5", "does not end at the cursor"),
    ];
    for (change, told) in changes {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        post(&store, 2).await;
        take_over(&store, None, 0).await;
        assert!(audit(&store).await.balanced);
        let behind = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
        behind.execute(change, []).unwrap();
        let found = audit(&store).await;
        assert!(!found.balanced, "{change}");
        let problems = found.problems.join("; ");
        assert!(problems.contains(told), "{change}: {problems}");
    }
}
