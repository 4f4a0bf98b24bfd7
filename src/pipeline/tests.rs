//! Whatever comes, wherever it is routed, and however often the process ends: the account balances.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::event::Priority;
use crate::route::condition::Condition;
use crate::route::{Known, Novelty, Silence, SilenceId};
use crate::store::{Account, Attempt, DeliveryId, Outcome, Period};

const PLACES: [&str; 3] = ["a", "b", "c"];

/// What happens next.
#[derive(Clone, Debug)]
enum Happening {
    Events {
        rule: u8,
        host: u8,
        priority: Priority,
        count: u8,
    },
    TakenOver,
    Leased {
        place: usize,
    },
    Finished {
        outcome: u8,
    },
    Silence {
        rule: u8,
        minutes: u8,
    },
    Passed {
        minutes: u8,
    },
    Handled {
        close: bool,
    },
    Restarted,
}

fn happening() -> impl Strategy<Value = Happening> {
    let priority = proptest::sample::select(Priority::ALL.to_vec());
    prop_oneof![
        4 => (0_u8..4, 0_u8..3, priority, 1_u8..20).prop_map(|(rule, host, priority, count)| {
            Happening::Events { rule, host, priority, count }
        }),
        4 => Just(Happening::TakenOver),
        4 => (0..PLACES.len()).prop_map(|place| Happening::Leased { place }),
        4 => (0_u8..3).prop_map(|outcome| Happening::Finished { outcome }),
        1 => (0_u8..4, 1_u8..90).prop_map(|(rule, minutes)| Happening::Silence { rule, minutes }),
        2 => (1_u8..120).prop_map(|minutes| Happening::Passed { minutes }),
        1 => any::<bool>().prop_map(|close| Happening::Handled { close }),
        1 => Just(Happening::Restarted),
    ]
}

/// A routing tree of a root and up to three children.
fn tree() -> impl Strategy<Value = String> {
    let to = proptest::sample::subsequence(PLACES.to_vec(), 1..=PLACES.len());
    let group_by = proptest::sample::subsequence(vec!["rule", "hostname", "proc.name"], 0..=3);
    let when = proptest::sample::select(vec![
        "rule = r1",
        "hostname in (h0, h2)",
        "priority >= error",
        "not rule = r0",
    ]);
    let more = proptest::sample::select(vec![
        "",
        ", mute_time_intervals: [hour]",
        ", active_time_intervals: [hour]",
        ", escalate: [{ after: 10m, to: [b] }, { after: 40m, to: [c] }]",
    ]);
    let child = (when, to.clone(), group_by.clone(), any::<bool>(), more).prop_map(
        |(when, to, group_by, on, more)| {
            let (to, by) = (to.join(", "), group_by.join(", "));
            format!("{{ when: {when:?}, to: [{to}], group_by: [{by}], continue: {on}{more} }}")
        },
    );
    (to, group_by, proptest::collection::vec(child, 0..4)).prop_map(|(to, group_by, children)| {
        let (to, by, children) = (to.join(", "), group_by.join(", "), children.join(", "));
        format!("{{ to: [{to}], group_by: [{by}], routes: [{children}], quiet_after: 30m }}")
    })
}

/// The world begins a quarter of an hour before.
const TIMES: &str = "hour: [{ times: [{ start_time: '10:30', end_time: '11:30' }] }]";

const INHIBIT: &str =
    "[{ source_when: rule = r1, target_when: 'rule in (r0, r2)', equal: [hostname], lasts: 20m }]";

/// Of some rules a silence knows everything, of the others nothing.
fn known(rule: u8) -> Known {
    let mut known = Known::default();
    if rule.is_multiple_of(2) {
        known.learn(Novelty::Rule(format!("r{rule}")));
        known.learn(Novelty::Severity(Priority::Emergency));
        (0..3).for_each(|host| known.learn(Novelty::Workload(format!("h{host}"))));
    }
    known
}

struct World {
    folder: tempfile::TempDir,
    clock: Clock,
    rules: watch::Receiver<Arc<Rules>>,
    store: Store,
    pipeline: Pipeline,
    posted: u64,
    /// Under way.
    leased: VecDeque<DeliveryId>,
}

impl World {
    fn new(tree: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-03-01T10:15:00Z".parse().unwrap());
        let rules = Rules::of(tree, TIMES, INHIBIT);
        let rules = watch::Sender::new(Arc::new(rules)).subscribe();
        let store = Store::open(folder.path(), &clock).unwrap();
        let pipeline = Pipeline::new(
            store.clone(),
            clock.clone(),
            rules.clone(),
            Metrics::default(),
        );
        Self {
            folder,
            clock,
            rules,
            store,
            pipeline,
            posted: 0,
            leased: VecDeque::new(),
        }
    }

    async fn happen(self, happening: Happening) -> Self {
        let mut world = self;
        let now = world.clock.now();
        match happening {
            Happening::Events {
                rule,
                host,
                priority,
                count,
            } => {
                let event = serde_json::json!({
                    "rule": format!("r{rule}"), "hostname": format!("h{host}"), "time": now.to_string(),
                    "priority": priority.name(), "output_fields": { "proc.name": "sh" },
                });
                let events = vec![event.to_string().into_bytes(); usize::from(count)];
                world.store.append(now, events).await.unwrap();
                world.posted += u64::from(count);
            }
            Happening::TakenOver => world.pipeline.drain().await.unwrap(),
            Happening::Leased { place } => {
                let leased = world.store.lease(PLACES[place], now, 3).await.unwrap();
                world
                    .leased
                    .extend(leased.into_iter().map(|leased| leased.id));
            }
            Happening::Finished { outcome } => world.finish(outcome).await,
            Happening::Silence { rule, minutes } => {
                let silence = Silence {
                    id: SilenceId(0),
                    when: Condition::parse(&format!("rule = r{rule}")).unwrap(),
                    by: "kim".to_owned(),
                    comment: String::new(),
                    starts: now,
                    ends: later(now, Duration::from_mins(minutes.into())),
                    above_ceiling: minutes % 2 == 0,
                    hidden: 0,
                    ended: false,
                    known: known(rule),
                };
                world.store.add_silence(silence).await.unwrap();
            }
            Happening::Passed { minutes } => {
                world.clock.advance(Duration::from_mins(minutes.into()));
                world.pipeline.tick().await.unwrap();
            }
            Happening::Handled { close } => {
                let state = if close {
                    incident::State::Closed
                } else {
                    incident::State::Acknowledged
                };
                for incident in world.store.incidents(1).await.unwrap() {
                    let by = "kim".to_owned();
                    world
                        .store
                        .handle(incident.uid, state, by, now)
                        .await
                        .unwrap();
                }
            }
            Happening::Restarted => world = world.restart().await,
        }
        world
    }

    /// What is under way longest arrives, is to be tried again, or is given up.
    async fn finish(&mut self, outcome: u8) {
        let now = self.clock.now();
        let Some(delivery) = self.leased.pop_front() else {
            return;
        };
        let attempt = Attempt {
            delivery,
            started: now,
            finished: now,
            outcome: match outcome {
                0 => Outcome::Sent,
                1 => Outcome::Retry(later(now, Duration::from_mins(1))),
                _ => Outcome::Dead,
            },
            detail: String::new(),
            report: String::new(),
            remote: None,
        };
        self.store.finish(attempt).await.unwrap();
    }

    async fn restart(self) -> Self {
        let Self {
            folder,
            clock,
            rules,
            store,
            pipeline,
            posted,
            ..
        } = self;
        store.close().await;
        drop((store, pipeline));
        let store = Store::open(folder.path(), &clock).unwrap();
        let pipeline = Pipeline::new(
            store.clone(),
            clock.clone(),
            rules.clone(),
            Metrics::default(),
        );
        Self {
            folder,
            clock,
            rules,
            store,
            pipeline,
            posted,
            leased: VecDeque::new(),
        }
    }

    async fn check(&self) {
        let audit = self.store.audit(Period::default()).await.unwrap();
        assert!(audit.balanced, "{:?}", audit.problems);
        assert_eq!(audit.received, self.posted);
        assert_eq!(audit.fates.values().sum::<u64>(), self.posted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn received_is_the_sum_of_fates_whatever_happens(
        tree in tree(),
        happenings in proptest::collection::vec(happening(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(&tree);
            for happening in happenings {
                world = world.happen(happening).await;
                world.check().await;
            }
            world.pipeline.drain().await.unwrap();
            world.check().await;
            let audit = world.store.audit(Period::default()).await.unwrap();
            assert_eq!(audit.fates.get(&Account::Queued), None);
        });
    }
}
