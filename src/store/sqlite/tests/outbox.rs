//! Deliveries: folded, spaced, retried, given up.

use super::*;

#[tokio::test]
async fn later_events_fold_into_the_open_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    post(&store, 2).await;
    take_over(&store, None, 0).await;
    post(&store, 3).await;
    take_over(&store, Some(1), 0).await;
    let open = store.deliveries(None, 10).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].events, 5);
    let leased = store.lease("soc", at(0), 10).await.unwrap();
    assert_eq!(leased[0].incident.count, 5);
    assert_eq!(leased[0].incident, incident(Some(1), 5, 5));
    assert_eq!(leased[0].latest.body, b"{\"n\":2}");
    assert!(!leased[0].known);
    assert_eq!(settled(&store).await, [fate("soc", None, 5)]);
    store
        .finish(attempt(&leased[0], 1, Outcome::Sent))
        .await
        .unwrap();
    assert_eq!(
        settled(&store).await,
        [fate("soc", Some("folded"), 4), fate("soc", Some("sent"), 1)]
    );
}

#[tokio::test]
async fn an_update_keeps_its_distance_from_the_message_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    post(&store, 1).await;
    take_over(&store, None, 0).await;
    let first = store.lease("soc", at(0), 10).await.unwrap().remove(0);
    // Arrives while the first message is being sent.
    post(&store, 1).await;
    take_over(&store, Some(1), 0).await;
    assert!(
        store.lease("soc", at(0), 10).await.unwrap().is_empty(),
        "one at a time"
    );
    assert_eq!(store.next_due("soc").await.unwrap(), None);
    store
        .finish(attempt(&first, 2, Outcome::Sent))
        .await
        .unwrap();
    assert_eq!(
        store.next_due("soc").await.unwrap(),
        Some(later(at(2), SPACING))
    );
    let second = store.lease("soc", at(32), 10).await.unwrap().remove(0);
    assert!(second.known);
    assert_eq!(second.remote.as_deref(), Some("ts-1"));
}

#[tokio::test]
async fn a_retry_takes_in_what_came_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    post(&store, 2).await;
    take_over(&store, None, 0).await;
    let first = store.lease("soc", at(0), 10).await.unwrap().remove(0);
    post(&store, 3).await;
    take_over(&store, Some(1), 0).await;
    store
        .finish(attempt(&first, 1, Outcome::Retry(at(5))))
        .await
        .unwrap();
    let open = store
        .deliveries(Some(DeliveryState::Pending), 10)
        .await
        .unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(
        (open[0].id, open[0].events, open[0].attempts),
        (first.id, 5, 1)
    );
    assert_eq!(store.next_due("soc").await.unwrap(), Some(at(5)));
    let again = store.lease("soc", at(5), 10).await.unwrap().remove(0);
    store
        .finish(attempt(&again, 6, Outcome::Sent))
        .await
        .unwrap();
    let fates = settled(&store).await;
    assert_eq!(
        fates,
        [fate("soc", Some("folded"), 4), fate("soc", Some("sent"), 1)]
    );
}

#[tokio::test]
async fn what_was_being_sent_at_a_crash_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    post(&store, 1).await;
    take_over(&store, None, 0).await;
    let before = store.lease("soc", at(0), 10).await.unwrap().remove(0);
    store.close().await;
    drop(store);
    let store = open(&dir);
    let after = store.lease("soc", at(0), 10).await.unwrap().remove(0);
    assert_eq!(after.id, before.id);
}

#[tokio::test]
async fn a_dead_delivery_can_be_retried_or_discarded() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    post(&store, 2).await;
    take_over(&store, None, 0).await;
    let leased = store.lease("soc", at(0), 10).await.unwrap().remove(0);
    store
        .finish(attempt(&leased, 1, Outcome::Dead))
        .await
        .unwrap();
    assert_eq!(settled(&store).await, [fate("soc", Some("dead"), 2)]);
    assert!(store.retry(leased.id, at(9)).await.unwrap());
    assert!(
        !store.retry(leased.id, at(9)).await.unwrap(),
        "it is not dead any more"
    );
    assert_eq!(settled(&store).await, [fate("soc", None, 2)]);
    let leased = store.lease("soc", at(9), 10).await.unwrap().remove(0);
    assert_eq!((leased.created, leased.attempts), (at(9), 0));
    store
        .finish(attempt(&leased, 9, Outcome::Dead))
        .await
        .unwrap();
    assert!(store.discard(leased.id, at(10)).await.unwrap());
    assert_eq!(settled(&store).await, [fate("soc", Some("dead"), 2)]);
}

#[tokio::test]
async fn a_delivery_that_cannot_be_read_is_given_up_and_the_others_are_sent() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    post(&store, 1).await;
    take_over(&store, None, 0).await;
    let damage = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
    damage
        .execute("UPDATE incidents SET labels = 'x'", [])
        .unwrap();
    assert!(store.lease("soc", at(0), 10).await.unwrap().is_empty());
    let dead = store
        .deliveries(Some(DeliveryState::Dead), 10)
        .await
        .unwrap();
    assert_eq!(dead[0].detail.as_deref(), Some("its record cannot be read"));
    assert_eq!(settled(&store).await, [fate("soc", Some("dead"), 1)]);
}

#[tokio::test]
async fn the_most_severe_go_first_but_waiting_counts_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for (id, severity, due) in [
        (1, Priority::Notice, 0),
        (2, Priority::Critical, 100),
        (3, Priority::Critical, 400),
    ] {
        post(&store, 1).await;
        let mut step = step(&store, None, due).await;
        let incident = &mut step.incidents[0].incident;
        incident.uid = Uuid::from_u128(id);
        incident.key = GroupKey::from_bytes([u8::try_from(id).unwrap(); 32]);
        incident.severity = severity;
        incident.first_received = at(due);
        incident.last_received = at(due);
        store.commit_step(step).await.unwrap();
    }
    let first = async |now: i64| {
        store.lease("soc", at(now), 1).await.unwrap()[0]
            .incident
            .uid
    };
    assert_eq!(first(100).await, Uuid::from_u128(2));
    assert_eq!(first(400).await, Uuid::from_u128(1));
    assert_eq!(first(400).await, Uuid::from_u128(3));
}

#[tokio::test]
async fn a_clock_that_is_set_back_holds_nothing_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let hour = 3_600;
    post(&store, 1).await;
    take_over(&store, None, hour).await;
    let leased = store.lease("soc", at(hour), 1).await.unwrap();
    let sent = attempt(&leased[0], hour, Outcome::Sent);
    store.finish(sent).await.unwrap();
    post(&store, 1).await;
    take_over(&store, Some(1), hour).await;
    assert_eq!(store.lease("soc", at(hour + 1), 1).await.unwrap().len(), 0);
    // An hour back: the update keeps its distance, and no more.
    assert_eq!(store.lease("soc", at(1), 1).await.unwrap().len(), 0);
    assert_eq!(store.next_due("soc").await.unwrap(), Some(at(30)));
    let leased = store.lease("soc", at(30), 1).await.unwrap();
    assert_eq!(leased.len(), 1);
    let again = attempt(&leased[0], 31, Outcome::Retry(at(hour)));
    store.finish(again).await.unwrap();
    store.close().await;
    drop(store);
    // A machine may start with its clock at 1970.
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let store = Store::open(dir.path(), &clock).unwrap();
    let due = store.next_due("soc").await.unwrap().unwrap();
    assert!(due <= Timestamp::from_second(2 * hour).unwrap(), "{due}");
}
