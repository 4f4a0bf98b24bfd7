mod ledger;
mod outbox;
mod retention;
mod room;
mod rot;

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::classify::{Category, Nature};
use crate::clock::{Clock, later};
use crate::event::{EventId, Priority};
use crate::incident::{GroupKey, Incident, IncidentId, Spread, State};
use crate::route::RouteId;
use crate::store::{
    Attempt, DeliveryState, DestinationStep, IncidentStep, Outcome, QUARANTINE_ROWS, Refused, Step,
    Store, StoreError,
};

const SPACING: Duration = Duration::from_secs(30);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn open(dir: &tempfile::TempDir) -> Store {
    Store::open(dir.path(), &Clock::manual(at(0))).unwrap()
}

fn incident(id: Option<i64>, count: u64, last: i64) -> Incident {
    Incident {
        id: id.map(IncidentId),
        uid: Uuid::from_u128(7),
        key: GroupKey::from_bytes([7; 32]),
        route: RouteId("0".to_owned()),
        state: State::Open,
        rule: "A rule".into(),
        category: Category::Other,
        nature: Nature::Security,
        severity: Priority::Warning,
        labels: vec![("rule".to_owned(), "A rule\0\u{202e}".into())],
        count,
        first_received: at(0),
        last_received: at(0),
        first_time: at(0),
        last_time: at(0),
        first_event: EventId(1),
        last_event: EventId(last),
        spread: Spread::default(),
        handled: None,
        opened: at(0),
        hushed: false,
        escalated: 0,
    }
}

/// Takes over everything in the inbox as one incident's events, said at `soc`.
async fn take_over(store: &Store, id: Option<i64>, now: i64) {
    store.commit_step(step(store, id, now).await).await.unwrap();
}

async fn step(store: &Store, id: Option<i64>, now: i64) -> Step {
    let cursor = store.cursor().await.unwrap();
    let events = store.inbox_after(cursor, 1_000).await.unwrap();
    let last = events.last().unwrap().id;
    Step {
        cursor: Some(last),
        incidents: vec![IncidentStep {
            incident: incident(id, last.0.unsigned_abs(), last.0),
            follows: None,
            reopened: false,
            events: events.iter().map(|event| event.id).collect(),
            hidden: Vec::new(),
            despite: Vec::new(),
            destinations: vec![DestinationStep {
                destination: "soc".to_owned(),
                first_due: at(now),
                interval: Some(SPACING),
            }],
        }],
        events,
        ..Step::default()
    }
}

async fn post(store: &Store, count: usize) {
    for number in 0..count {
        let body = format!("{{\"n\":{number}}}").into_bytes();
        store.append(at(0), vec![body]).await.unwrap();
    }
}

fn attempt(leased: &crate::store::Leased, now: i64, outcome: Outcome) -> Attempt {
    Attempt {
        delivery: leased.id,
        started: at(now),
        finished: at(now),
        outcome,
        detail: "as told".to_owned(),
        report: "# Report".to_owned(),
        remote: matches!(outcome, Outcome::Sent).then(|| "ts-1".to_owned()),
    }
}

async fn settled(store: &Store) -> Vec<(String, Option<String>, u64)> {
    store.fates().await.unwrap()
}

fn fate(destination: &str, fate: Option<&str>, events: u64) -> (String, Option<String>, u64) {
    (destination.to_owned(), fate.map(str::to_owned), events)
}

#[tokio::test]
async fn events_come_back_byte_for_byte_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let bodies = vec![b"{\"a\":\"\xff\\u0000\"}".to_vec(), b"second".to_vec()];
    store.append(at(3), bodies.clone()).await.unwrap();
    let events = store.inbox_after(EventId(0), 10).await.unwrap();
    assert_eq!(
        events
            .iter()
            .map(|event| event.body.clone())
            .collect::<Vec<_>>(),
        bodies
    );
    assert_eq!(
        events.iter().map(|event| event.id.0).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(events[0].received, at(3));
    take_over(&store, None, 0).await;
    assert_eq!(
        store.event(EventId(1)).await.unwrap().unwrap().body,
        bodies[0]
    );
}

#[tokio::test]
async fn ids_go_on_after_a_restart_with_an_empty_inbox() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    post(&store, 3).await;
    take_over(&store, None, 0).await;
    store.close().await;
    drop(store);
    let store = open(&dir);
    post(&store, 1).await;
    let events = store
        .inbox_after(store.cursor().await.unwrap(), 10)
        .await
        .unwrap();
    assert_eq!(
        events.iter().map(|event| event.id.0).collect::<Vec<_>>(),
        [4]
    );
}

#[tokio::test]
async fn the_inbox_forgets_what_the_cursor_has_passed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    post(&store, 5).await;
    take_over(&store, None, 0).await;
    post(&store, 1).await;
    store.close().await;
    let left = store.inbox_after(EventId(0), 10).await.unwrap();
    assert_eq!(left.iter().map(|event| event.id.0).collect::<Vec<_>>(), [6]);
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _store = open(&dir);
    let second = Store::open(dir.path(), &Clock::system()).unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir));
    let connection = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
    connection
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    drop(connection);
    // A newer version keeps its own copy of the first page, which this one does not contradict.
    std::fs::remove_file(dir.path().join("state.head")).unwrap();
    let error = Store::open(dir.path(), &Clock::system()).unwrap_err();
    assert!(
        matches!(error, StoreError::TooNew { found: 99, .. }),
        "{error}"
    );
}

#[test]
fn a_store_of_the_first_format_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let connection = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
    let first = include_str!("schema/state-1.sql");
    connection
        .execute_batch(&format!("{first} PRAGMA user_version = 1"))
        .unwrap();
    drop(connection);
    drop(open(&dir));
    let connection = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
    connection
        .execute_batch("SELECT spread FROM incidents")
        .unwrap();
}

#[tokio::test]
async fn the_quarantine_keeps_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for size in 0..u64::from(QUARANTINE_ROWS) + 5 {
        let refused = Refused {
            received: at(0),
            reason: "not JSON".to_owned(),
            body: vec![b'x'; 3],
            size,
        };
        store.quarantine(refused).await.unwrap();
    }
    let kept = store.quarantined(u32::MAX).await.unwrap();
    assert_eq!(kept.len(), QUARANTINE_ROWS as usize);
    assert_eq!(kept[0].refused.size, u64::from(QUARANTINE_ROWS) + 4);
}

#[tokio::test]
async fn old_events_are_pruned_a_piece_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let last = 22;
    post(&store, usize::try_from(last).unwrap()).await;
    take_over(&store, None, 0).await;
    let left = async || {
        let mut left = Vec::new();
        for id in 1..=last {
            if store.event(EventId(id)).await.unwrap().is_some() {
                left.push(id);
            }
        }
        left
    };
    assert!(
        !store.prune(at(-1)).await.unwrap().more,
        "nothing is old yet"
    );
    while store.prune(at(10)).await.unwrap().more {}
    assert_eq!(left().await, [1, last], "a delivery waits to show them");
    let leased = store.lease("soc", at(0), 10).await.unwrap().remove(0);
    store
        .finish(attempt(&leased, 1, Outcome::Sent))
        .await
        .unwrap();
    while store.prune(at(10)).await.unwrap().more {}
    assert_eq!(left().await, [0_i64; 0]);
}

#[tokio::test]
async fn many_waiters_share_a_commit_and_all_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let posts: Vec<_> = (0..500)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .append(at(0), vec![format!("{number}").into_bytes()])
                    .await
            })
        })
        .collect();
    for post in posts {
        post.await.unwrap().unwrap();
    }
    assert_eq!(
        store.inbox_after(EventId(0), 1_000).await.unwrap().len(),
        500
    );
    assert_eq!(store.waiting(), 0);
    assert_eq!(*store.latest().borrow(), EventId(500));
}
