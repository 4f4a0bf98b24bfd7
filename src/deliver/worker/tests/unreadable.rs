//! Deliveries whose event is gone or damaged.

use super::*;

const ROUTE: &str = "{ to: [peer], group_by: [rule, hostname], group_wait: 10s }";

#[tokio::test]
async fn an_event_that_was_damaged_is_told_by_what_its_incident_knows() {
    let mut bench = Bench::routed(ROUTE, ONE, []);
    for _ in 0..3 {
        bench.event("evil").await;
    }
    let state = bench.folder.path().join("state.db");
    let state = rusqlite::Connection::open(state).unwrap();
    state.busy_timeout(Duration::from_secs(5)).unwrap();
    let damaged = state.execute(
        "UPDATE events SET body = cast('{\"rule\":\"x\"}' AS BLOB)",
        [],
    );
    assert_eq!(damaged.unwrap(), 3);
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!(bench.told(1).await, ["evil"]);
    assert_eq!(bench.asked()[0].count, 3);
    bench.end().await;
}

#[tokio::test]
async fn when_the_latest_event_is_damaged_the_first_one_is_shown() {
    let mut bench = Bench::routed(ROUTE, ONE, []);
    bench.event("evil").await;
    bench.event("evil").await;
    let state = bench.folder.path().join("state.db");
    let state = rusqlite::Connection::open(state).unwrap();
    state.busy_timeout(Duration::from_secs(5)).unwrap();
    let damaged = state.execute("UPDATE events SET body = x'00' WHERE id = 2", []);
    assert_eq!(damaged.unwrap(), 1);
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!(bench.told(1).await, ["evil"]);
    assert_eq!(bench.asked()[0].count, 2);
    bench.end().await;
}
