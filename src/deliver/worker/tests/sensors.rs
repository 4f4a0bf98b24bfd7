use super::*;
use crate::store::{Account, Period};

const ROUTE: &str = "{ to: [absent], group_interval: 10s, quiet_after: 48h, repeat_interval: 0s, \
    routes: [{ health: true, to: [peer] }] }";

impl Bench {
    async fn snapshot(&mut self, host: &str, lost: u64) {
        let event = serde_json::json!({
            "rule": "Falco internal: metrics snapshot", "priority": "Informational",
            "time": "2026-03-01T10:14:59Z", "source": "internal", "hostname": host,
            "output": "Falco metrics snapshot", "output_fields": { "scap.n_drops": lost },
        });
        let now = self.clock.now();
        self.store
            .append(now, vec![event.to_string().into_bytes()])
            .await
            .unwrap();
        self.pipeline.drain().await.unwrap();
    }

    async fn passes(&mut self, minutes: u64) {
        self.clock.advance(Duration::from_mins(minutes));
        self.pipeline.tick().await.unwrap();
        self.pipeline.drain().await.unwrap();
    }

    pub(super) async fn told(&self, messages: usize) -> Vec<String> {
        let seen = async {
            while self.asked().len() < messages {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(20), seen).await;
        seen.expect("it is never said");
        self.asked().into_iter().map(|asked| asked.rule).collect()
    }
}

#[tokio::test]
async fn a_sensor_that_misses_three_snapshots_is_told_and_so_is_its_return() {
    let mut bench = Bench::routed(ROUTE, ONE, []);
    for minutes in [0, 15, 15] {
        bench.passes(minutes).await;
        bench.snapshot("node-1", 0).await;
    }
    // It sends nothing at even intervals: its silence means nothing.
    bench.event_on("node-2", "a").await;
    bench.passes(44).await;
    assert!(bench.asked().is_empty());
    bench.passes(1).await;
    assert_eq!(bench.told(1).await, ["Falco Herald: sensor silent"]);
    bench.passes(60).await;
    assert_eq!(bench.asked().len(), 1, "once");
    bench.snapshot("node-1", 0).await;
    bench.passes(1).await;
    assert_eq!(bench.told(2).await[1], "Falco Herald: sensor silent");
    assert_eq!(
        (bench.asked()[1].kind, bench.asked()[1].count),
        (NoticeKind::Update, 2)
    );
    let audit = bench.store.audit(Period::default()).await.unwrap();
    assert!(audit.balanced, "{:?}", audit.problems);
    assert_eq!(audit.fates[&Account::Unrouted], 4, "snapshots without loss");
    bench.end().await;
}

#[tokio::test]
async fn a_snapshot_is_said_when_more_was_lost_than_before() {
    let mut bench = Bench::routed(ROUTE, ONE, []);
    for lost in [0, 0, 7, 7] {
        bench.snapshot("node-1", lost).await;
    }
    assert_eq!(bench.told(1).await, ["Falco internal: metrics snapshot"]);
    assert_eq!(bench.asked()[0].count, 1);
    bench.snapshot("node-1", 8).await;
    bench.clock.advance(Duration::from_secs(10));
    bench.told(2).await;
    assert_eq!(bench.asked()[1].count, 2);
    bench.end().await;
}

#[tokio::test]
async fn with_a_limit_every_host_is_expected_to_send() {
    let mut rules = Rules::of(ROUTE, "{}", "[]");
    rules.silent_after = Some(Duration::from_hours(6));
    let mut bench = Bench::ruled(rules, ONE, []);
    bench.event_on("node-2", "a").await;
    bench.passes(359).await;
    assert!(bench.asked().is_empty());
    bench.passes(1).await;
    bench.told(1).await;
    assert_eq!(bench.store.sensors().await.unwrap().len(), 1);
    // A host that is gone for good is forgotten with its events.
    bench.store.prune(bench.clock.now()).await.unwrap();
    assert!(bench.store.sensors().await.unwrap().is_empty());
    bench.end().await;
}
