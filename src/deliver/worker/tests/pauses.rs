use super::*;

/// Sensor health goes to a destination of its own.
const ROUTE: &str = "{ to: [peer], group_by: [rule, hostname], group_interval: 10s, \
    routes: [{ health: true, to: [other] }] }";

impl Bench {
    async fn pending(&self, count: usize) {
        let pending = async {
            let wanted = |deliveries: &[Delivery]| {
                let of_peer = deliveries
                    .iter()
                    .filter(|delivery| delivery.destination == "peer");
                of_peer.count() == count
            };
            loop {
                let state = Some(DeliveryState::Pending);
                let found = self.store.deliveries(state, 99).await.unwrap();
                if wanted(&found) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let pending = tokio::time::timeout(Duration::from_secs(20), pending).await;
        pending.expect("never as many");
    }

    async fn asked_times(&self, times: usize) {
        let asked = async {
            while self.asked().len() < times {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let asked = tokio::time::timeout(Duration::from_secs(20), asked).await;
        asked.expect("not asked");
        // What must not be sent has the time to be.
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(self.asked().len(), times);
    }

    /// What Herald said of itself, in the order of the outbox.
    async fn health(&mut self) -> Vec<(String, u64)> {
        self.pipeline.drain().await.unwrap();
        let incidents = self.store.deliveries(None, 99).await.unwrap().into_iter();
        let mut rules: Vec<_> = incidents
            .filter(|delivery| delivery.destination == "other")
            .map(|delivery| delivery.id)
            .collect();
        rules.sort_unstable_by_key(|id| id.0);
        let leased = self
            .store
            .lease("other", later(self.clock.now(), MAX_AGE), 99);
        let leased = leased.await.unwrap().into_iter();
        leased
            .map(|leased| (leased.incident.rule.raw().to_owned(), leased.incident.count))
            .collect()
    }
}

#[tokio::test]
async fn a_destination_that_refuses_us_is_paused_told_once_and_loses_nothing() {
    let mut bench = Bench::routed(
        ROUTE,
        ONE,
        [Answer::Pause, Answer::Pause, Answer::Retry(None)],
    );
    bench.event("a").await;
    bench.asked_times(1).await;
    for rule in ["b", "c", "d"] {
        bench.event(rule).await;
    }
    bench.asked_times(1).await;
    bench.pending(4).await;
    // Long past the age at which a delivery is given up.
    bench.clock.advance(MAX_AGE * 2);
    bench.asked_times(2).await;
    bench.clock.advance(Duration::from_mins(5));
    bench.asked_times(3).await;
    bench.pending(4).await;
    let said = bench.health().await;
    assert_eq!(
        said,
        [("Falco Herald: destination paused: peer".to_owned(), 1)]
    );
    bench.clock.advance(Duration::from_mins(5));
    bench.asked_times(7).await;
    bench.pending(0).await;
    let fates = bench.store.fates().await.unwrap();
    let dead = fates
        .iter()
        .any(|(_, fate, _)| fate.as_deref() == Some("dead"));
    assert!(!dead, "{fates:?}");
    bench.end().await;
}

#[tokio::test]
async fn a_filter_that_refuses_what_one_event_says_pauses_nothing() {
    let mut bench = Bench::routed(ROUTE, ONE, [Answer::Forbid]);
    bench.event("evil").await;
    let peer = |state| move |delivery: &Delivery| delivery.state == state;
    let dead = bench.delivery(peer(DeliveryState::Dead)).await;
    let detail = dead.detail.unwrap();
    assert_eq!(
        detail,
        "as told, but took a notice without text of the event"
    );
    let rules: Vec<_> = bench.asked().into_iter().map(|asked| asked.rule).collect();
    assert_eq!(rules, ["evil", "withheld"]);
    bench.event("next").await;
    bench.asked_times(3).await;
    let said = bench.health().await;
    assert_eq!(
        said,
        [("Falco Herald: delivery given up: peer".to_owned(), 1)]
    );
    bench.end().await;
}

#[tokio::test]
async fn what_herald_says_of_itself_makes_it_say_no_more() {
    let route = "{ to: [absent], routes: [{ health: true, to: [peer], group_interval: 0s }] }";
    let mut bench = Bench::routed(route, ONE, [Answer::Fail, Answer::Pause]);
    for sensor in ["node-1", "node-2"] {
        let output = "Falco on this host has sent nothing";
        let now = bench.clock.now();
        let fields = serde_json::json!({});
        let event =
            crate::event::herald_event("sensor silent", "Warning", sensor, output, &fields, now);
        bench.store.append(now, vec![event]).await.unwrap();
    }
    bench.pipeline.drain().await.unwrap();
    bench.asked_times(2).await;
    let before = *bench.store.latest().borrow();
    bench.clock.advance(Duration::from_mins(1));
    bench.asked_times(3).await;
    bench.pipeline.drain().await.unwrap();
    assert_eq!(*bench.store.latest().borrow(), before);
    bench.end().await;
}

#[tokio::test]
async fn in_an_outage_one_delivery_at_a_time_is_tried() {
    let pace = Pace {
        concurrency: 8,
        ..ONE
    };
    let failures = std::iter::repeat_with(|| Answer::Retry(None)).take(9);
    let mut bench = Bench::routed(ROUTE, pace, failures);
    let rules: Vec<_> = (0..5).map(|rule| format!("r{rule}")).collect();
    for rule in &rules {
        bench.event(rule).await;
    }
    bench.asked_times(5).await;
    for rule in ["x", "y", "z"] {
        bench.event(rule).await;
    }
    bench.asked_times(5).await;
    for probes in 1..=4 {
        bench.clock.advance(Duration::from_mins(1));
        bench.asked_times(5 + probes).await;
    }
    bench.clock.advance(Duration::from_mins(1));
    // The first that is taken lets all others follow.
    bench.pending(0).await;
    bench.end().await;
}
