//! Bits that flip on the disk: what is damaged is known as such, the rest is served.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::store::Period;

const EVENTS: i64 = 20;

/// Bits flipped, one at a time. `HERALD_FLIPS` sets another number.
#[expect(
    clippy::disallowed_methods,
    reason = "how long it takes is the runner's choice"
)]
fn flips() -> u64 {
    let flips = std::env::var("HERALD_FLIPS").ok();
    flips.map_or(60, |flips| flips.parse().unwrap())
}

fn body(number: i64) -> Vec<u8> {
    let text = format!("{number} ").repeat(300);
    serde_json::json!({ "rule": "r", "output": text })
        .to_string()
        .into_bytes()
}

/// A store with events in the inbox, half of them taken over.
async fn fill(folder: &Path) {
    let store = Store::open(folder, &Clock::manual(at(0))).unwrap();
    let half = EVENTS / 2;
    let bodies = |numbers: std::ops::RangeInclusive<i64>| numbers.map(body).collect();
    store.append(at(0), bodies(1..=half)).await.unwrap();
    take_over(&store, None, 0).await;
    store
        .append(at(0), bodies(half + 1..=EVENTS))
        .await
        .unwrap();
    store.close().await;
    drop(store);
}

/// What a start after the damage finds.
#[derive(Debug, Default)]
struct Found {
    /// Events that are there and as they were posted.
    intact: i64,
    /// Events that are there and known to be damaged.
    known: i64,
    is_told: bool,
    balances: bool,
}

async fn look(folder: &Path, case: &str) -> Found {
    let store = Store::open(folder, &Clock::manual(at(0)));
    let store = store.unwrap_or_else(|error| panic!("{case}: no start: {error:?}"));
    let cursor = store.cursor().await.unwrap();
    let mut events = store.inbox_after(cursor, 1_000).await.unwrap();
    for id in 1..=EVENTS {
        events.extend(store.event(EventId(id)).await.unwrap());
    }
    let events: BTreeMap<_, _> = events.into_iter().map(|event| (event.id, event)).collect();
    let mut found = Found {
        is_told: !store.damages().is_empty(),
        ..Found::default()
    };
    for (id, event) in &events {
        if event.is_intact {
            assert_eq!(
                event.body,
                body(id.0),
                "{case}: event {} is served wrong",
                id.0
            );
            found.intact += 1;
        } else {
            found.known += 1;
        }
    }
    found.balances = store
        .audit(Period::default())
        .await
        .is_ok_and(|found| found.balanced);
    // It goes on: a new event is taken, and does not take the place of another.
    store.append(at(1), vec![body(EVENTS + 1)]).await.unwrap();
    let cursor = store.cursor().await.unwrap();
    let events = store.inbox_after(cursor, 1_000).await.unwrap();
    let last = Step {
        cursor: events.last().map(|event| event.id),
        unrouted: events.iter().map(|event| event.id).collect(),
        events,
        ..Step::default()
    };
    let taken = store.commit_step(last).await;
    taken.unwrap_or_else(|error| panic!("{case}: cannot go on: {error:?}"));
    store.close().await;
    found
}

fn flip(path: &Path, bit: u64) {
    let mut bytes = fs::read(path).unwrap();
    let at = usize::try_from(bit / 8).unwrap();
    bytes[at] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_flipped_bit_costs_a_page_at_most_and_is_never_served() {
    let whole = tempfile::tempdir().unwrap();
    fill(whole.path()).await;
    // All of it into the files themselves: the log has sums of its own. The threads of the closed
    // store may take a moment to end.
    for file in ["inbox.db", "state.db"] {
        let connection = rusqlite::Connection::open(whole.path().join(file)).unwrap();
        let pragma = "PRAGMA journal_mode = DELETE";
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while let Err(error) = connection.query_row(pragma, [], |_| Ok(())) {
            assert!(std::time::Instant::now() < deadline, "{error}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let mut random = StdRng::seed_from_u64(7);
    let mut lost = BTreeMap::new();
    for round in 0..flips() {
        let file = if round % 2 == 0 {
            "inbox.db"
        } else {
            "state.db"
        };
        let size = fs::metadata(whole.path().join(file)).unwrap().len();
        let bit = random.random_range(0..size * 8);
        let case = format!("{file}, bit {} of byte {}", bit % 8, bit / 8);
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(whole.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        flip(&folder.path().join(file), bit);
        let found = look(folder.path(), &case).await;
        let missing = EVENTS - found.intact - found.known;
        *lost.entry(missing + found.known).or_insert(0) += 1;
        if missing > 0 {
            assert!(found.is_told || !found.balances, "{case}: {found:?}");
        }
        assert!(missing + found.known <= 4, "{case}: {found:?}");
        // The service would tell at the next start, too, if it were still damaged.
        let again = look(folder.path(), &case).await;
        assert!(!again.is_told, "{case}: not mended");
    }
    println!("flips by events lost: {lost:?}");
}

#[tokio::test]
async fn an_incident_that_makes_no_sense_ends_the_process_once_and_keeps_its_count() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let state = rusqlite::Connection::open(dir.path().join("state.db")).unwrap();
    state.busy_timeout(Duration::from_secs(10)).unwrap();
    let broken = state.execute("UPDATE incidents SET labels = '[['", []);
    assert_eq!(broken.unwrap(), 1);
    drop(state);
    let open = || Store::open(dir.path(), &Clock::manual(at(0))).unwrap();
    let store = open();
    let key = GroupKey::from_bytes([7; 32]);
    assert!(store.incidents_by_key(vec![key]).await.is_err());
    let reason = store.failure().borrow().clone().unwrap();
    assert!(reason.starts_with("state.db is damaged"), "{reason}");
    store.close().await;
    drop(store);
    let store = open();
    assert_eq!(store.damages().len(), 1);
    let incidents = store.incidents_by_key(vec![key]).await.unwrap();
    assert_eq!((incidents[0].count, incidents[0].labels.len()), (10, 0));
    assert_eq!(store.failure().borrow().clone(), None);
}

#[tokio::test]
async fn a_start_that_is_cut_off_while_it_copies_is_made_good_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    // As a start leaves it that was killed after it had put the file aside and made a new one.
    let path = |name: &str| dir.path().join(name);
    for end in ["-wal", ""] {
        let from = path(&format!("inbox.db{end}"));
        if from.exists() {
            fs::rename(from, path(&format!("inbox.db.damaged-1{end}"))).unwrap();
        }
    }
    fs::write(path("inbox.db"), b"").unwrap();
    fs::write(path("damaged"), "inbox.db\ninbox.db.damaged-1").unwrap();
    let store = Store::open(dir.path(), &Clock::manual(at(0))).unwrap();
    assert_eq!(store.damages().len(), 1);
    let queued = store.inbox_after(EventId(EVENTS / 2), 100).await.unwrap();
    assert_eq!(i64::try_from(queued.len()).unwrap(), EVENTS / 2);
    assert!(queued.iter().all(|event| event.body == body(event.id.0)));
    assert!(!path("damaged").exists());
}
