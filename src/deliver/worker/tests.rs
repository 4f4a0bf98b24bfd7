mod hush;
mod nearby;
mod pauses;
mod refusals;
mod sensors;
mod silences;
mod timers;
mod unreadable;

use std::collections::VecDeque;
use std::sync::Mutex;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::*;
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::deliver::testing::setup;
use crate::deliver::{Destination, Pace, Receipt, SendError, Verdict};
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, Rules};
use crate::store::{Delivery, DeliveryState, Store};

const MAX_AGE: Duration = Duration::from_hours(1);

/// What the destination does with the next notice; without any, it takes it.
#[derive(Debug)]
enum Answer {
    Retry(Option<u64>),
    Fail,
    Refuse,
    Pause,
    Forbid,
    Panic,
    Never,
    HalfWay(&'static str),
}

/// A destination that does as it is told and remembers what it was asked to say.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Asked {
    key: String,
    kind: NoticeKind,
    count: u64,
    remote: Option<String>,
    doubtful: bool,
    /// The rows about what else is known.
    nearby: String,
    rule: String,
    ascii: bool,
}

impl Destination for Scripted {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async {
            self.asked.lock().unwrap().push(Asked {
                key: notice.key.clone(),
                kind: notice.kind,
                count: notice.incident.count,
                remote: notice.remote.clone(),
                rule: notice.incident.rule.raw().to_owned(),
                ascii: notice.report.markdown.is_ascii() && notice.event == b"null",
                doubtful: notice.report.markdown.contains("lost system calls near"),
                nearby: {
                    let rows = notice.report.markdown.lines();
                    let about = |row: &&str| row.contains("Before") || row.contains("History");
                    rows.filter(about).collect::<Vec<_>>().join("\n")
                },
            });
            let answer = self.answers.lock().unwrap().pop_front();
            let failed = |verdict, remote: Option<&str>| {
                Err(SendError {
                    verdict,
                    reason: "as told".to_owned(),
                    remote: remote.map(str::to_owned),
                })
            };
            match answer {
                None => Ok(Receipt {
                    remote: Some("ts-1".to_owned()),
                    detail: "said".to_owned(),
                }),
                Some(Answer::Retry(after)) => {
                    let after = after.map(Duration::from_secs);
                    failed(Verdict::Retry { after }, None)
                }
                Some(Answer::Fail) => failed(Verdict::Fail, None),
                Some(Answer::Refuse) => failed(Verdict::Unacceptable, None),
                Some(Answer::HalfWay(remote)) => {
                    failed(Verdict::Retry { after: None }, Some(remote))
                }
                Some(Answer::Pause) => failed(Verdict::Pause { sure: false }, None),
                Some(Answer::Forbid) => failed(Verdict::Forbidden, None),
                Some(Answer::Panic) => panic!("as told"),
                Some(Answer::Never) => std::future::pending().await,
            }
        })
    }

    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::ZERO,
        }
    }
}

/// A worker over a store of its own, on a clock that stands still.
struct Bench {
    folder: tempfile::TempDir,
    clock: Clock,
    store: Store,
    pipeline: Pipeline,
    peer: Arc<Scripted>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), StoreError>>,
}

impl Bench {
    fn start(pace: Pace, answers: impl IntoIterator<Item = Answer>) -> Self {
        let route = "{ to: [peer], group_by: [rule, hostname], group_interval: 10s }";
        Self::routed(route, pace, answers)
    }

    fn routed(route: &str, pace: Pace, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::ruled(Rules::of(route, "{}", "[]"), pace, answers)
    }

    fn ruled(rules: Rules, pace: Pace, answers: impl IntoIterator<Item = Answer>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-03-01T10:15:00Z".parse().unwrap());
        let store = Store::open(folder.path(), &clock).unwrap();
        let rules = watch::Sender::new(Arc::new(rules)).subscribe();
        let pipeline = Pipeline::new(store.clone(), clock.clone(), rules, Metrics::default());
        let peer = Arc::new(Scripted::default());
        peer.answers.lock().unwrap().extend(answers);
        let configured = Configured {
            name: "peer".to_owned(),
            destination: Arc::clone(&peer) as Arc<dyn Destination>,
            pace,
            max_age: MAX_AGE,
            retry: Backoff::try_new(Duration::from_secs(2), Duration::from_mins(10)).unwrap(),
        };
        let setup = setup(vec![configured.clone()]);
        let shared = Shared {
            store: store.clone(),
            clock: clock.clone(),
            metrics: Metrics::default(),
            setup: Arc::new(setup),
            circuit: Arc::default(),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(configured, shared, stop.clone()));
        Self {
            folder,
            clock,
            store,
            pipeline,
            peer,
            stop,
            task,
        }
    }

    /// Receives an event of `rule` and takes it over.
    async fn event(&mut self, rule: &str) {
        self.event_on("node-7", rule).await;
    }

    async fn event_on(&mut self, host: &str, rule: &str) {
        let event = serde_json::json!({
            "rule": rule, "priority": "Warning", "time": "2026-03-01T10:14:59Z",
            "source": "syscall", "hostname": host, "output_fields": { "proc.name": "sh" },
        });
        let now = self.clock.now();
        let body = event.to_string().into_bytes();
        self.store.append(now, vec![body]).await.unwrap();
        self.pipeline.drain().await.unwrap();
    }

    /// The newest delivery, once it is as `wanted`.
    async fn delivery(&self, wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        let seen = async {
            loop {
                let deliveries = self.store.deliveries(None, 1).await.unwrap();
                match deliveries.into_iter().next().filter(&wanted) {
                    Some(delivery) => return delivery,
                    None => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen)
            .await
            .expect("the delivery never gets there")
    }

    async fn tried(&self, attempts: u32) -> Delivery {
        let idle = |delivery: &Delivery| delivery.state != DeliveryState::Sending;
        self.delivery(|delivery| delivery.attempts == attempts && idle(delivery))
            .await
    }

    async fn waits(&self) -> Duration {
        let due = self.store.next_due("peer").await.unwrap().unwrap();
        Duration::try_from(due.duration_since(self.clock.now())).unwrap()
    }

    fn asked(&self) -> Vec<Asked> {
        self.peer.asked.lock().unwrap().clone()
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

const ONE: Pace = Pace {
    concurrency: 1,
    interval: Duration::ZERO,
};

#[tokio::test]
async fn a_failure_is_tried_again_later_and_later_with_the_same_key() {
    let mut bench = Bench::start(ONE, [Answer::Retry(None), Answer::Retry(None)]);
    bench.event("a").await;
    for (attempt, doubled) in [(1, 2), (2, 4)] {
        let delivery = bench.tried(attempt).await;
        assert_eq!(delivery.state, DeliveryState::Pending);
        assert_eq!(delivery.detail.as_deref(), Some("as told"));
        let wait = bench.waits().await;
        let full = Duration::from_secs(doubled);
        assert!((full / 2..=full).contains(&wait), "{wait:?} of {full:?}");
        bench.clock.advance(wait);
    }
    assert_eq!(bench.tried(3).await.state, DeliveryState::Sent);
    let asked = bench.asked();
    assert!(asked.iter().all(|again| *again == asked[0]), "{asked:?}");
    bench.end().await;
}

#[tokio::test]
async fn what_the_peer_asks_for_is_waited_for_within_an_hour() {
    let mut bench = Bench::start(
        ONE,
        [Answer::Retry(Some(120)), Answer::Retry(Some(1_000_000))],
    );
    bench.event("a").await;
    bench.tried(1).await;
    assert_eq!(bench.waits().await, Duration::from_mins(2));
    bench.clock.advance(Duration::from_mins(2));
    bench.tried(2).await;
    assert_eq!(bench.waits().await, Duration::from_hours(1));
    bench.end().await;
}

#[tokio::test]
async fn a_delivery_that_keeps_failing_is_given_up_at_its_age_and_can_be_revived() {
    let mut bench = Bench::start(ONE, [Answer::Retry(None), Answer::Retry(None)]);
    bench.event("a").await;
    bench.tried(1).await;
    bench.clock.advance(MAX_AGE);
    let dead = bench.tried(2).await;
    assert_eq!(dead.state, DeliveryState::Dead);
    let fates = bench.store.fates().await.unwrap();
    assert_eq!(fates, [("peer".to_owned(), Some("dead".to_owned()), 1)]);

    assert!(bench.store.retry(dead.id, bench.clock.now()).await.unwrap());
    bench
        .delivery(|delivery| delivery.state == DeliveryState::Sent)
        .await;
    let fates = bench.store.fates().await.unwrap();
    let total: u64 = fates.iter().map(|(_, _, events)| events).sum();
    assert_eq!((total, fates[0].1.as_deref() == Some("dead")), (1, false));
    bench.end().await;
}

#[tokio::test]
async fn a_refusal_is_final_and_the_next_incident_is_said() {
    let mut bench = Bench::start(ONE, [Answer::Fail]);
    bench.event("a").await;
    assert_eq!(bench.tried(1).await.state, DeliveryState::Dead);
    bench.event("b").await;
    bench
        .delivery(|delivery| delivery.state == DeliveryState::Sent)
        .await;
    bench.end().await;
}

#[tokio::test]
async fn a_panic_costs_one_attempt() {
    let mut bench = Bench::start(ONE, [Answer::Panic]);
    bench.event("a").await;
    let delivery = bench.tried(1).await;
    assert_eq!(delivery.state, DeliveryState::Pending);
    assert!(delivery.detail.unwrap().contains("panicked"));
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(bench.tried(2).await.state, DeliveryState::Sent);
    bench.end().await;
}

#[tokio::test]
async fn what_already_stands_at_the_destination_is_handed_to_the_next_attempt() {
    let mut bench = Bench::start(ONE, [Answer::HalfWay("head")]);
    bench.event("a").await;
    bench.tried(1).await;
    bench.clock.advance(Duration::from_secs(2));
    bench.tried(2).await;
    let remotes: Vec<_> = bench
        .asked()
        .into_iter()
        .map(|asked| asked.remote)
        .collect();
    assert_eq!(remotes, [None, Some("head".to_owned())]);
    bench.end().await;
}

#[tokio::test]
async fn later_events_become_one_update_after_the_group_interval() {
    let mut bench = Bench::start(ONE, []);
    bench.event("a").await;
    bench.tried(1).await;
    for _ in 0..3 {
        bench.event("a").await;
    }
    assert_eq!(bench.waits().await, Duration::from_secs(10));
    assert_eq!(bench.asked().len(), 1);
    bench.clock.advance(Duration::from_secs(10));
    bench.tried(1).await;
    let asked = bench.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[1].kind, asked[1].count), (NoticeKind::Update, 4));
    assert_eq!(asked[1].remote.as_deref(), Some("ts-1"));
    bench.end().await;
}

#[tokio::test]
async fn a_pace_is_kept_between_incidents() {
    let pace = Pace {
        concurrency: 4,
        interval: Duration::from_secs(1),
    };
    let mut bench = Bench::start(pace, []);
    for rule in ["a", "b", "c"] {
        bench.event(rule).await;
    }
    for said in 1..=3 {
        let sent = async || {
            let deliveries = bench.store.deliveries(Some(DeliveryState::Sent), 9).await;
            deliveries.unwrap().len()
        };
        while sent().await < said {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(bench.asked().len(), said);
        bench.clock.advance(Duration::from_secs(1));
    }
    bench.end().await;
}

#[tokio::test]
async fn a_stuck_send_holds_only_its_own_place() {
    let pace = Pace {
        concurrency: 2,
        interval: Duration::ZERO,
    };
    let mut bench = Bench::start(pace, [Answer::Never]);
    bench.event("a").await;
    bench
        .delivery(|delivery| delivery.state == DeliveryState::Sending)
        .await;
    bench.event("b").await;
    bench
        .delivery(|delivery| delivery.state == DeliveryState::Sent)
        .await;
    bench.task.abort();
    assert_eq!(bench.asked().len(), 2);
}
