use super::*;
use crate::incident::State as IncidentState;

const ROUTE: &str = "{ to: [peer], group_by: [rule], group_interval: 10s, repeat_interval: 20m, \
    quiet_after: 1h, reopen_within: 2h }";

impl Bench {
    async fn pass(&mut self, minutes: u64) {
        self.clock.advance(Duration::from_mins(minutes));
        self.pipeline.tick().await.unwrap();
    }

    async fn said(&self, times: usize) -> Vec<(NoticeKind, u64)> {
        let seen = async {
            while self.asked().len() < times {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(20), seen).await;
        seen.expect("it is never said");
        self.delivery(|delivery| delivery.state == DeliveryState::Sent)
            .await;
        let asked = self.asked().into_iter();
        asked.map(|asked| (asked.kind, asked.count)).collect()
    }

    async fn state(&self) -> IncidentState {
        self.store.incidents(1).await.unwrap()[0].state
    }
}

#[tokio::test]
async fn a_quiet_incident_is_closed_with_a_summary_and_reopened_by_a_new_event() {
    use NoticeKind::{Close, Open, Update};
    let mut bench = Bench::routed(ROUTE, ONE, []);
    bench.event("a").await;
    bench.said(1).await;
    bench.event("a").await;
    bench.pass(1).await;
    bench.said(2).await;
    bench.pass(60).await;
    assert_eq!(bench.said(3).await, [(Open, 1), (Update, 2), (Close, 2)]);
    assert_eq!(bench.state().await, IncidentState::Quiet);
    bench.pass(60).await;
    assert_eq!(
        bench.said(3).await.len(),
        3,
        "a quiet incident is said once"
    );
    bench.event("a").await;
    assert_eq!(bench.said(4).await.last(), Some(&(Update, 3)));
    assert_eq!(bench.state().await, IncidentState::Open);
    bench.pass(60).await;
    assert_eq!(bench.said(5).await.last(), Some(&(Close, 3)));
    bench.pass(121).await;
    bench.event("a").await;
    assert_eq!(bench.said(6).await.last(), Some(&(Open, 1)));
    bench.end().await;
}

#[tokio::test]
async fn an_open_incident_is_said_again_after_the_repeat_interval() {
    let mut bench = Bench::routed(ROUTE, ONE, []);
    bench.event("a").await;
    bench.said(1).await;
    bench.pass(19).await;
    assert_eq!(bench.said(1).await.len(), 1);
    bench.pass(1).await;
    assert_eq!(bench.said(2).await[1], (NoticeKind::Update, 1));
    bench.pass(20).await;
    assert_eq!(bench.said(3).await.len(), 3);
    bench.end().await;
}

#[tokio::test]
async fn reminders_may_come_at_twice_the_age_each_time() {
    let route = "{ to: [peer], repeat_interval: 10m, repeat_doubling: true, quiet_after: 24h }";
    let mut bench = Bench::routed(route, ONE, []);
    bench.event("a").await;
    bench.said(1).await;
    let mut said = Vec::new();
    for minute in 1..=100 {
        bench.pass(1).await;
        let deliveries = bench.store.deliveries(None, 99).await.unwrap().len();
        if deliveries > said.len() + 1 {
            bench.said(deliveries).await;
            said.push(minute);
        }
    }
    assert_eq!(said, [10, 20, 40, 80]);
    bench.end().await;
}

#[tokio::test]
async fn an_acknowledged_incident_says_who_has_it_and_reminds_nobody() {
    let mut bench = Bench::routed(ROUTE, ONE, []);
    bench.event("a").await;
    bench.said(1).await;
    let uid = bench.store.incidents(1).await.unwrap()[0].uid;
    let handle = async |bench: &Bench, state| {
        let now = bench.clock.now();
        let by = "kim <!channel>".to_owned();
        bench.store.handle(uid, state, by, now).await.unwrap()
    };
    assert!(handle(&bench, IncidentState::Acknowledged).await);
    assert!(!handle(&bench, IncidentState::Acknowledged).await, "once");
    assert_eq!(bench.said(2).await[1], (NoticeKind::Update, 1));
    bench.pass(30).await;
    bench.event("a").await;
    assert_eq!(bench.said(3).await[2], (NoticeKind::Update, 2));
    assert_eq!(bench.state().await, IncidentState::Acknowledged);
    let handled = bench.store.incidents(1).await.unwrap().remove(0).handled;
    assert_eq!(handled.unwrap().by.raw(), "kim <!channel>");
    bench.pass(30).await;
    assert_eq!(bench.said(3).await.len(), 3, "no reminder");

    assert!(handle(&bench, IncidentState::Closed).await);
    assert_eq!(bench.said(4).await[3], (NoticeKind::Close, 2));
    bench.event("a").await;
    assert_eq!(bench.said(5).await[4], (NoticeKind::Open, 1));
    bench.end().await;
}

#[tokio::test]
async fn an_incident_that_nobody_acknowledges_is_told_to_more_destinations() {
    use NoticeKind::{Open, Update};
    let route = "{ to: [absent], group_by: [rule], group_interval: 10s, quiet_after: 2h, \
        repeat_interval: 0s, escalate: [{ after: 15m, to: [peer] }] }";
    let mut bench = Bench::routed(route, ONE, []);
    bench.event("a").await;
    bench.event("b").await;
    let taken = bench.store.incidents(1).await.unwrap()[0].uid;
    let (by, now) = ("kim".to_owned(), bench.clock.now());
    let state = IncidentState::Acknowledged;
    assert!(bench.store.handle(taken, state, by, now).await.unwrap());
    bench.pass(14).await;
    assert!(bench.asked().is_empty());
    bench.pass(1).await;
    assert_eq!(bench.said(1).await, [(Open, 1)]);
    assert_eq!(bench.asked()[0].rule, "a", "`b` is acknowledged");
    bench.pass(30).await;
    bench.event("a").await;
    assert_eq!(bench.said(2).await[1], (Update, 2));
    let audit = bench
        .store
        .audit(crate::store::Period::default())
        .await
        .unwrap();
    assert!(audit.balanced, "{:?}", audit.problems);
    bench.end().await;
}
