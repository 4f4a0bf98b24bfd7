//! Crashes: `kill -9` at random under load, and a start with a long queue.

use std::time::Duration;

use futures_util::FutureExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::history::Recovery;
use crate::launch::Launch;
use crate::load::{Connection, Load, Senders};
use crate::matrix::{Did, Scenario};
use crate::peer::{Mode, Peer};
use crate::rig::{Rig, is_long, rounds};
use crate::service::Service;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "C1",
        name: "kill -9 at random under load loses nothing that was acknowledged",
        tools: &[],
        control: None,
        run: |rig| kills(rig).boxed_local(),
    },
    Scenario {
        id: "C1 queue",
        name: "a start with a long queue is ready at once",
        tools: &[],
        control: None,
        run: |rig| long_queue(rig).boxed_local(),
    },
];

/// How long a start may take, whatever the crash left.
pub(crate) const START: Duration = Duration::from_secs(if cfg!(debug_assertions) { 4 } else { 2 });

/// When the process is killed, in milliseconds after it listens.
const LIFE: std::ops::Range<u64> = 50..900;

async fn kills(rig: Rig) -> Did {
    let good = Peer::healthy(&rig, "good").await;
    let flaky = Peer::start(&rig, "flaky").await;
    flaky.set(Mode::Flaky(10));
    let launch = Launch::to(&[&good, &flaky]);
    let load = Load {
        batch: if is_long() { 40 } else { 4 },
        ..Load::default()
    };
    let senders = Senders::start(&rig, load);
    let rounds = u64::from(rounds().unwrap_or(if is_long() { 1_000 } else { 20 }));
    let seed: u64 = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..rounds {
        let name = format!("kill {round} of seed {seed}");
        let service = Service::recover(&rig, &launch, &name, START).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(LIFE))).await;
        service.crash(&rig).await;
    }
    senders.stop().await;
    let service = Service::recover(&rig, &launch, "the last kill", START).await;
    rig.finish(service).await;
    let acknowledged = rig.note(|history| history.acknowledged());
    if is_long() {
        let text = format!("only {acknowledged} acknowledged");
        rig.require(acknowledged >= 1_000 * rounds, "I1", text);
    }
    Did {
        rounds,
        what: "kill -9 at random, 8 senders, one of two destinations answers 10% with 503".into(),
    }
}

/// Events in the queue, and in one request.
const QUEUE: (u64, u64) = (100_000, 8_000);

async fn long_queue(rig: Rig) -> Did {
    let peer = Peer::bystander(&rig, "good").await;
    let launch = Launch::to(&[&peer]);
    let service = Service::start(&rig, &launch).await;
    let (events, batch) = QUEUE;
    // What the second step takes over meanwhile comes on top.
    let posts = (0..events.div_ceil(batch) + 5).map(async |_| {
        Connection::default().post(&rig, 0, batch, false).await;
    });
    futures_util::future::join_all(posts).await;
    let queued = service.metric("falco_herald_inbox_backlog").await;
    service.crash(&rig).await;
    let service = Service::recover(&rig, &launch, "a kill with a long queue", START).await;
    let took = rig.note(|history| {
        history
            .recoveries
            .last()
            .and_then(|Recovery { took, .. }| *took)
    });
    let took = took.unwrap_or_default().as_secs_f32();
    service.crash(&rig).await;
    rig.audit().await;
    Did::once(format!(
        "start with {queued} queued events: ready after {took:.1} s"
    ))
}
