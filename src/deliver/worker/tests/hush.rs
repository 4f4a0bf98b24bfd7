use super::*;
use crate::store::{Account, Period};

const NIGHT: &str = "night: [{ times: [{ start_time: '10:20', end_time: '11:00' }] }]";

impl Bench {
    async fn balanced(&self) -> std::collections::BTreeMap<Account, u64> {
        let audit = self.store.audit(Period::default()).await.unwrap();
        assert!(audit.balanced, "{:?}", audit.problems);
        audit.fates
    }

    async fn tick_after(&mut self, minutes: u64) {
        self.clock.advance(Duration::from_mins(minutes));
        self.pipeline.tick().await.unwrap();
    }

    async fn counts(&self, messages: usize) -> Vec<(String, u64)> {
        let seen = async {
            while self.asked().len() < messages {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(20), seen).await;
        seen.expect("it is never said");
        let asked = self.asked().into_iter();
        asked.map(|asked| (asked.rule, asked.count)).collect()
    }
}

#[tokio::test]
async fn a_muted_route_says_nothing_until_its_interval_ends_and_then_tells_once() {
    let route = "{ to: [peer], group_by: [rule], group_interval: 10s, repeat_interval: 20m, quiet_after: 3h, \
        routes: [{ when: 'rule in (a, b)', mute_time_intervals: [night] }] }";
    let mut bench = Bench::ruled(Rules::of(route, NIGHT, "[]"), ONE, []);
    bench.event("a").await;
    bench.counts(1).await;
    bench.tick_after(6).await;
    for rule in ["a", "b", "b", "c"] {
        bench.event(rule).await;
    }
    assert_eq!(bench.counts(2).await[1], ("c".to_owned(), 1));
    bench.tick_after(38).await;
    assert_eq!(bench.balanced().await[&Account::Muted], 3);
    // 10:59: `c` has been reminded of, the muted ones not.
    assert_eq!(bench.counts(3).await[2], ("c".to_owned(), 1));
    bench.tick_after(1).await;
    let mut told = bench.counts(5).await.split_off(3);
    told.sort();
    assert_eq!(told, [("a".to_owned(), 2), ("b".to_owned(), 2)]);
    bench.tick_after(1).await;
    assert_eq!(bench.store.next_due("peer").await.unwrap(), None);
    bench.end().await;
}

#[tokio::test]
async fn an_incident_that_ends_while_its_route_is_muted_is_closed_when_the_interval_ends() {
    let route = "{ to: [peer], group_by: [rule], quiet_after: 20m, \
        routes: [{ mute_time_intervals: [night] }] }";
    let mut bench = Bench::ruled(Rules::of(route, NIGHT, "[]"), ONE, []);
    bench.event("a").await;
    bench.counts(1).await;
    bench.tick_after(25).await;
    assert_eq!(bench.asked().len(), 1);
    bench.tick_after(20).await;
    bench.counts(2).await;
    assert_eq!(bench.asked()[1].kind, NoticeKind::Close);
    bench.end().await;
}

#[tokio::test]
async fn a_route_is_said_only_in_its_active_intervals() {
    let route = "{ to: [peer], group_by: [rule], \
        routes: [{ when: rule = a, active_time_intervals: [night] }] }";
    let mut bench = Bench::ruled(Rules::of(route, NIGHT, "[]"), ONE, []);
    bench.event("a").await;
    bench.tick_after(4).await;
    assert!(bench.asked().is_empty());
    bench.tick_after(1).await;
    assert_eq!(bench.counts(1).await, [("a".to_owned(), 1)]);
    bench.end().await;
}

#[tokio::test]
async fn a_source_makes_its_targets_superfluous_for_a_while() {
    let route = "{ to: [peer], group_by: [rule, hostname], group_interval: 10s }";
    let inhibit =
        "[{ source_when: rule = a, target_when: rule = b, equal: [hostname], lasts: 10m }]";
    let mut bench = Bench::ruled(Rules::of(route, "{}", inhibit), ONE, []);
    bench.event("b").await;
    bench.counts(1).await;
    bench.event("a").await;
    bench.event("b").await;
    bench.event_on("node-8", "b").await;
    let said = bench.counts(3).await.split_off(1);
    assert_eq!(said, [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    assert_eq!(bench.balanced().await[&Account::Inhibited], 1);
    bench.tick_after(10).await;
    bench.event("b").await;
    assert_eq!(bench.counts(4).await[3], ("b".to_owned(), 3));
    bench.end().await;
}

#[tokio::test]
async fn what_was_inhibited_or_muted_is_new_under_a_silence_still() {
    let route = "{ to: [peer], group_by: [rule], routes: [{ when: rule = muted, mute_time_intervals: [night] }] }";
    let inhibit = "[{ source_when: rule = a, target_when: rule = new, lasts: 10m }]";
    let mut bench = Bench::ruled(Rules::of(route, NIGHT, inhibit), ONE, []);
    bench.silence("rule in (new, muted)", false).await;
    bench.event("a").await;
    bench.counts(1).await;
    bench.event("new").await;
    assert_eq!(bench.balanced().await[&Account::Inhibited], 1);
    bench.tick_after(10).await;
    bench.event("new").await;
    assert_eq!(bench.counts(2).await[1], ("new".to_owned(), 2));
    // It breaks through the silence, and not through the night.
    bench.event("muted").await;
    assert_eq!(bench.balanced().await[&Account::Muted], 1);
    bench.end().await;
}
