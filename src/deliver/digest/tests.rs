use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::*;
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::deliver::testing::setup;
use crate::deliver::{Destination, Notice, Pace};
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, Rules};
use crate::store::{Account, Audit, DeliveryState, Period, Store};

/// Takes digests, and does with the next one as it is told.
#[derive(Debug)]
struct Board {
    schedule: Schedule,
    answers: Mutex<VecDeque<Verdict>>,
    /// Keys and reports, those that were not taken included.
    asked: Mutex<Vec<(String, Report)>>,
}

impl Destination for Board {
    fn send<'a>(&'a self, _: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        panic!("an incident is told by itself");
    }

    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::ZERO,
        }
    }

    fn digests(&self) -> Option<(&dyn Digests, &Schedule)> {
        Some((self, &self.schedule))
    }
}

impl Digests for Board {
    fn send<'a>(
        &'a self,
        report: &'a Report,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Receipt, SendError>> {
        let asked = (key.to_owned(), report.clone());
        self.asked.lock().unwrap().push(asked);
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(std::future::ready(answer.map_or_else(
            || Ok(Receipt::default()),
            |verdict| {
                Err(SendError {
                    verdict,
                    reason: "as told".to_owned(),
                    remote: None,
                })
            },
        )))
    }
}

struct Bench {
    folder: tempfile::TempDir,
    clock: Clock,
    store: Store,
    pipeline: Pipeline,
    board: Arc<Board>,
    metrics: Metrics,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), StoreError>>,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-03-01T10:15:00Z".parse().unwrap());
        Self::on(folder, clock, &[]).await
    }

    async fn on(folder: tempfile::TempDir, clock: Clock, answers: &[Verdict]) -> Self {
        let store = Store::open(folder.path(), &clock).unwrap();
        let rules = Rules::of(
            "{ to: [board], group_by: [rule], group_interval: 0s }",
            "{}",
            "[]",
        );
        let rules = watch::Sender::new(Arc::new(rules)).subscribe();
        let metrics = Metrics::default();
        let pipeline = Pipeline::new(store.clone(), clock.clone(), rules, Metrics::default());
        let board = Arc::new(Board {
            schedule: "daily at 06:00, 18:00".parse().unwrap(),
            answers: Mutex::new(answers.iter().copied().collect()),
            asked: Mutex::default(),
        });
        let configured = Configured {
            name: "board".to_owned(),
            destination: Arc::clone(&board) as Arc<dyn Destination>,
            pace: board.pace(),
            max_age: Duration::from_hours(1),
            retry: Backoff::try_new(Duration::from_secs(2), Duration::from_mins(10)).unwrap(),
        };
        let setup = setup(vec![configured.clone()]);
        let shared = Shared {
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            setup: Arc::new(setup),
            circuit: Arc::default(),
        };
        // What comes before a destination is first seen is not its business.
        store.told("board", clock.now()).await.unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(configured, shared, stop.clone()));
        Self {
            folder,
            clock,
            store,
            pipeline,
            board,
            metrics,
            stop,
            task,
        }
    }

    /// The same store after a restart.
    async fn again(self, answers: &[Verdict]) -> Self {
        let (folder, clock) = (self.folder, self.clock);
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.store.close().await;
        drop((self.pipeline, self.store));
        Self::on(folder, clock, answers).await
    }

    async fn events(&mut self, count: usize) {
        let event = serde_json::json!({
            "rule": "Shell", "priority": "Critical", "time": "2026-03-01T10:14:59Z",
            "source": "syscall", "output_fields": { "proc.name": "sh" },
        });
        let bodies = vec![event.to_string().into_bytes(); count];
        self.store.append(self.clock.now(), bodies).await.unwrap();
        self.pipeline.drain().await.unwrap();
    }

    /// The titles of what was said, once so much was said and recorded.
    async fn said(&self, times: usize) -> Vec<String> {
        for _ in 0..20_000 {
            let asked = self.asked();
            let told = self.store.told("board", self.clock.now()).await.unwrap();
            if asked.len() == times && told.until == self.clock.now() {
                return asked.into_iter().map(|(_, report)| report.title).collect();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("it is not told");
    }

    /// Lets time pass, minute by minute, until so much was said; the time of the last of it.
    async fn tried(&self, times: usize) -> String {
        for _ in 0..3_000 {
            let asked = self.asked();
            if asked.len() == times {
                return asked[times - 1].1.lead.clone();
            }
            self.clock.advance(Duration::from_mins(1));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("it is not tried");
    }

    fn asked(&self) -> Vec<(String, Report)> {
        self.board.asked.lock().unwrap().clone()
    }

    async fn audit(&self) -> Audit {
        self.store.audit(Period::default()).await.unwrap()
    }

    fn passes(&self, hours: u64) {
        self.clock.advance(Duration::from_hours(hours));
    }
}

#[tokio::test]
async fn what_is_routed_to_a_digest_waits_for_it_and_is_told_once() {
    let mut bench = Bench::start().await;
    bench.events(3).await;
    assert_eq!(bench.audit().await.fates, [(Account::Waiting, 3)].into());
    bench.passes(8);
    let told = "Shift handover: 1 critical incident waits, 3 events";
    assert_eq!(bench.said(1).await, [told]);
    assert!(
        bench.board.asked.lock().unwrap()[0]
            .1
            .markdown
            .contains("| sent |")
    );
    let audit = bench.audit().await;
    assert!(audit.balanced, "{:?}", audit.problems);
    assert_eq!(
        audit.fates,
        [(Account::Sent, 1), (Account::Folded, 2)].into()
    );
    bench.events(2).await;
    bench.passes(12);
    let again = "Shift handover: 1 critical incident waits, 2 events";
    assert_eq!(bench.said(2).await, [told, again]);
    let delivered = bench.store.deliveries(Some(DeliveryState::Sent), 10).await;
    assert_eq!(delivered.unwrap().len(), 2);
}

#[tokio::test]
async fn what_comes_while_a_digest_is_sent_waits_for_the_next() {
    let mut bench = Bench::start().await;
    bench.events(3).await;
    let told = bench.store.told("board", bench.clock.now()).await.unwrap();
    let shift = bench.store.shift("board", told).await.unwrap();
    assert_eq!(shift.audit.received, 3);
    bench.events(2).await;
    let told = Told {
        until: bench.clock.now(),
        event: shift.audit.last,
    };
    bench
        .store
        .tell("board", told, String::new())
        .await
        .unwrap();
    let audit = bench.audit().await;
    assert!(audit.balanced, "{:?}", audit.problems);
    assert_eq!(audit.fates[&Account::Waiting], 2);
    bench.passes(8);
    bench.said(1).await;
    let audit = bench.audit().await;
    assert!(audit.balanced, "{:?}", audit.problems);
    assert_eq!(audit.fates.get(&Account::Waiting), None);
}

#[tokio::test]
async fn a_digest_that_is_not_taken_is_tried_again_as_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual("2026-03-01T10:15:00Z".parse().unwrap());
    let soon = Verdict::Retry { after: None };
    let mut bench = Bench::on(folder, clock, &[soon, Verdict::Fail, soon]).await;
    bench.events(1).await;
    bench.tried(1).await;
    bench.tried(2).await;
    assert_eq!(bench.audit().await.fates, [(Account::Waiting, 1)].into());
    // A failure for good is not tried again before the next time.
    let next = bench.tried(3).await;
    assert!(next.contains("to 2026-03-02 06:0"), "{next}");
    bench.tried(4).await;
    let asked = bench.asked();
    assert!(asked.iter().all(|(key, _)| *key == asked[0].0));
    while bench.audit().await.fates != [(Account::Sent, 1)].into() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_board_that_refuses_us_is_asked_soon_again_and_somebody_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual("2026-03-01T10:15:00Z".parse().unwrap());
    let refuses = Verdict::Pause { sure: true };
    let bench = Bench::on(folder, clock, &[refuses, refuses]).await;
    let mut latest = bench.store.latest();
    let before = *latest.borrow_and_update();
    bench.tried(1).await;
    latest.changed().await.unwrap();
    let paused = || {
        let text = bench.metrics.render().unwrap();
        text.contains("destination_paused{destination=\"board\"} 1")
    };
    assert!(paused());
    bench.clock.advance(Duration::from_secs(30));
    bench.tried(2).await;
    let told = bench.store.inbox_after(before, 9).await.unwrap();
    let told = String::from_utf8(told[0].body.clone()).unwrap();
    assert!(told.contains("destination paused: board"), "{told}");
    bench.clock.advance(Duration::from_mins(1));
    bench.tried(3).await;
    while paused() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_digest_that_was_missed_is_made_up_for_after_a_restart() {
    let mut bench = Bench::start().await;
    bench.events(1).await;
    let bench = bench.again(&[]).await;
    bench.passes(72);
    let bench = bench.again(&[]).await;
    let said = bench.said(1).await;
    assert_eq!(said, ["Shift handover: 1 critical incident waits, 1 event"]);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_costs_the_digest_and_not_the_process() {
    let mut bench = Bench::start().await;
    bench.events(1).await;
    let state = rusqlite::Connection::open(bench.folder.path().join("state.db")).unwrap();
    let labels = |labels: &str| {
        let changed = state.execute("UPDATE incidents SET labels = ?1", [labels]);
        assert_eq!(changed.unwrap(), 1);
    };
    labels("not JSON");
    let dead = || {
        let text = bench.metrics.render().unwrap();
        let lines = text.lines();
        let mut dead = lines.filter(|line| line.contains("outcome=\"dead\""));
        dead.any(|line| line.contains("attempts_total") && line.ends_with(" 1"))
    };
    bench.passes(8);
    while !dead() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(bench.asked().is_empty());
    labels("[]");
    bench.tried(1).await;
}
