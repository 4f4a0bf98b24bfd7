use super::*;

#[tokio::test]
async fn a_report_says_that_its_sensor_lost_events_nearby() {
    let mut bench = Bench::start(ONE, []);
    bench
        .event_on("node-7", "Falco internal: syscall event drop")
        .await;
    bench.event_on("node-7", "a").await;
    bench.event_on("node-8", "a").await;
    while bench.asked().len() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let doubtful: Vec<_> = bench.asked().iter().map(|asked| asked.doubtful).collect();
    assert_eq!(doubtful, [false, true, false]);
    bench.end().await;
}

impl Bench {
    async fn in_pod(&mut self, rule: &str, pod: &str, priority: &str) {
        let event = serde_json::json!({
            "rule": rule, "priority": priority, "time": "2026-03-01T10:14:59Z", "source": "syscall",
            "output_fields": {
                "k8s.ns.name": "web", "k8s.pod.name": pod, "container.image.repository": "acme/shop",
            },
        });
        let now = self.clock.now();
        let body = event.to_string().into_bytes();
        self.store.append(now, vec![body]).await.unwrap();
        self.pipeline.drain().await.unwrap();
    }
}

#[tokio::test]
async fn a_report_tells_what_happened_before_at_the_same_pod_and_whether_the_rule_is_new() {
    let route = "{ to: [peer], group_by: [rule, k8s.pod.name], routes: \
        [{ when: priority <= notice, to: [elsewhere] }] }";
    let mut bench = Bench::routed(route, ONE, []);
    bench.in_pod("too old", "shop-1", "Notice").await;
    bench.clock.advance(Duration::from_mins(16));
    // Of a route that this destination never hears of.
    bench.in_pod("package manager", "shop-1", "Notice").await;
    bench.in_pod("package manager", "shop-1", "Notice").await;
    bench.in_pod("<!here> `x`", "shop-1", "Informational").await;
    bench.in_pod("elsewhere", "shop-2", "Notice").await;
    bench.clock.advance(Duration::from_mins(5));
    bench.in_pod("shell", "shop-1", "Critical").await;
    bench.tried(1).await;
    bench.clock.advance(Duration::from_mins(5));
    bench.in_pod("shell", "shop-2", "Critical").await;
    while bench.asked().len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let told: Vec<_> = bench
        .asked()
        .into_iter()
        .map(|asked| asked.nearby)
        .collect();
    insta::assert_snapshot!(told.join("\n\n"));
    bench.end().await;
}
