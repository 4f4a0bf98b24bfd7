use super::*;
use crate::event::Priority;
use crate::route::condition::Condition;
use crate::route::{Known, Novelty, Silence, SilenceId};
use crate::store::{Account, Period};

/// The rules of these tests, as if they had fired before.
fn known() -> Known {
    let mut known = Known::default();
    let rules = ["a", "b", "c"].map(|rule| Novelty::Rule(rule.to_owned()));
    for rule in rules {
        known.learn(rule);
    }
    known.learn(Novelty::Workload("node-7".to_owned()));
    known.learn(Novelty::Severity(Priority::Emergency));
    known
}

impl Bench {
    pub(super) async fn silence(&self, when: &str, above_ceiling: bool) -> SilenceId {
        let starts = self.clock.now();
        let silence = Silence {
            id: SilenceId(0),
            when: Condition::parse(when).unwrap(),
            by: "kim".to_owned(),
            comment: "a test".to_owned(),
            starts,
            ends: later(starts, Duration::from_mins(30)),
            above_ceiling,
            hidden: 0,
            ended: false,
            known: known(),
        };
        self.store.add_silence(silence).await.unwrap()
    }

    async fn critical(&mut self, rule: &str) {
        let event = serde_json::json!({
            "rule": rule, "priority": Priority::Critical.name(), "time": "2026-03-01T10:14:59Z",
        });
        let body = event.to_string().into_bytes();
        let now = self.clock.now();
        self.store.append(now, vec![body]).await.unwrap();
        self.pipeline.drain().await.unwrap();
    }

    async fn sent(&self, messages: usize) -> Vec<(String, NoticeKind, u64)> {
        let seen = async {
            while self.asked().len() < messages {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(20), seen).await;
        seen.expect("it is never said");
        let asked = self.asked().into_iter();
        asked
            .map(|asked| (asked.rule, asked.kind, asked.count))
            .collect()
    }
}

fn said(rule: &str, kind: NoticeKind, count: u64) -> (String, NoticeKind, u64) {
    (rule.to_owned(), kind, count)
}

#[tokio::test]
async fn a_silence_hides_and_counts_and_its_end_is_told_with_the_count() {
    use NoticeKind::{Open, Update};
    let mut bench = Bench::start(ONE, []);
    bench.event("a").await;
    bench.sent(1).await;
    bench.silence("rule in (a, b)", false).await;
    for rule in ["a", "a", "b", "c"] {
        bench.event(rule).await;
    }
    assert_eq!(bench.sent(2).await[1], said("c", Open, 1));
    let audit = bench.store.audit(Period::default()).await.unwrap();
    assert!(audit.balanced, "{:?}", audit.problems);
    assert_eq!(audit.fates[&Account::Silenced], 3);
    assert_eq!(bench.store.silences(false).await.unwrap()[0].hidden, 3);

    bench.clock.advance(Duration::from_mins(30));
    bench.pipeline.tick().await.unwrap();
    let mut told = bench.sent(4).await.split_off(2);
    told.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(told, [said("a", Update, 3), said("b", Open, 1)]);
    assert!(bench.store.silences(false).await.unwrap().is_empty());
    assert!(bench.store.silences(true).await.unwrap()[0].ended);
    bench.pipeline.tick().await.unwrap();
    bench.event("b").await;
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!(bench.sent(5).await[4], said("b", Update, 2));
    bench.end().await;
}

#[tokio::test]
async fn a_critical_alert_breaks_through_unless_the_silence_was_made_for_it() {
    let mut bench = Bench::start(ONE, []);
    bench.silence("rule exists", false).await;
    bench.critical("a").await;
    bench.sent(1).await;
    let wide = bench.silence("rule exists", true).await;
    bench.critical("b").await;
    bench.event("c").await;
    assert!(
        bench
            .store
            .expire_silence(wide, bench.clock.now())
            .await
            .unwrap()
    );
    assert!(
        !bench
            .store
            .expire_silence(wide, bench.clock.now())
            .await
            .unwrap()
    );
    bench.pipeline.tick().await.unwrap();
    // `c` was hidden by both; the narrow silence goes on.
    assert_eq!(bench.sent(2).await[1].0, "b");
    assert_eq!(bench.store.next_due("peer").await.unwrap(), None);
    bench.clock.advance(Duration::from_mins(30));
    bench.pipeline.tick().await.unwrap();
    assert_eq!(bench.sent(3).await[2].0, "c");
    bench.end().await;
}

#[tokio::test]
async fn a_new_rule_under_a_silence_is_said_once_with_the_reason() {
    let mut bench = Bench::start(ONE, []);
    bench.silence("rule exists", false).await;
    bench.event("new").await;
    assert_eq!(bench.sent(1).await, [said("new", NoticeKind::Open, 1)]);
    let incident = bench.store.incidents(1).await.unwrap().remove(0);
    let (_, despite) = bench.store.hidden(incident.id.unwrap()).await.unwrap();
    assert_eq!(
        (despite[0].what.as_str(), despite[0].value.raw()),
        ("rule", "new")
    );
    for rule in ["new", "a", "new"] {
        bench.event(rule).await;
    }
    let (hidden, _) = bench.store.hidden(incident.id.unwrap()).await.unwrap();
    assert_eq!((hidden[0].fate.as_str(), hidden[0].events), ("silenced", 2));
    assert_eq!(bench.store.next_due("peer").await.unwrap(), None);
    bench.end().await;
}

#[tokio::test]
async fn an_incident_told_at_the_end_of_a_silence_goes_quiet_with_a_summary() {
    use NoticeKind::{Close, Open};
    let mut bench = Bench::start(ONE, []);
    bench.silence("rule = a", false).await;
    bench.event("a").await;
    bench.clock.advance(Duration::from_mins(30));
    bench.pipeline.tick().await.unwrap();
    assert_eq!(bench.sent(1).await, [said("a", Open, 1)]);
    bench
        .delivery(|delivery| delivery.state == DeliveryState::Sent)
        .await;
    bench.clock.advance(Duration::from_mins(30));
    bench.pipeline.tick().await.unwrap();
    assert_eq!(bench.sent(2).await[1], said("a", Close, 1));
    bench.end().await;
}
