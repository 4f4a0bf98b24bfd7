//! Signals, and outputs that nobody reads.

use std::time::{Duration, Instant};

use futures_util::FutureExt;

use crate::crash::START;
use crate::history::Recovery;
use crate::launch::{Launch, Output};
use crate::load::{Connection, Load, Senders};
use crate::matrix::{Did, Scenario};
use crate::peer::{Mode, Peer};
use crate::process::LOAD;
use crate::rig::{PATIENCE, Rig, is_long, until};
use crate::service::Service;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "S1",
        "a stop under load with a stuck peer ends in time",
        |rig| stop(rig).boxed_local(),
    ),
    Scenario::new(
        "S1 twice",
        "a second signal ends the process at once",
        |rig| stop_twice(rig).boxed_local(),
    ),
    Scenario::new(
        "S2",
        "a process that was stopped for a while says nothing false",
        |rig| pause(rig).boxed_local(),
    ),
    Scenario::new("S3 closed", "closed outputs disturb nothing", |rig| {
        outputs(rig, Output::Closed).boxed_local()
    }),
    Scenario::new(
        "S3 full",
        "a log that nobody reads disturbs nothing",
        |rig| outputs(rig, Output::Unread).boxed_local(),
    ),
];

/// Everything under way at the stop has this long.
const STOP: Duration = Duration::from_secs(25);

async fn stuck(rig: &Rig) -> (Vec<Peer>, Launch) {
    let peers = vec![
        Peer::healthy(rig, "good").await,
        Peer::start(rig, "stuck").await,
    ];
    peers[1].set(Mode::Silent);
    let entries = peers[0].entry("retry_initial: 100ms") + &peers[1].entry("timeout: 5m");
    let launch = Launch::with(&entries, &[&peers[0], &peers[1]]);
    (peers, launch)
}

async fn stop(rig: Rig) -> Did {
    let (peers, launch) = stuck(&rig).await;
    let service = Service::start(&rig, &launch).await;
    let senders = Senders::start(&rig, LOAD);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    let code = service.terminate().await;
    let took = began.elapsed();
    rig.listens_at(None);
    senders.stop().await;
    let text = format!("ended with {code:?} after {took:.1?}");
    rig.require(
        code == Some(0) && took <= STOP + Duration::from_millis(500),
        "I6",
        text,
    );
    peers[1].set(Mode::Well);
    // The sends that were cut are ambiguous, which their taking says already.
    let service = Service::recover(&rig, &launch, "a stop", START).await;
    rig.finish(service).await;
    Did::once(format!(
        "SIGTERM under load with a peer that never answers: exit after {took:.1?}"
    ))
}

async fn stop_twice(rig: Rig) -> Did {
    let (peers, launch) = stuck(&rig).await;
    let mut service = Service::start(&rig, &launch).await;
    let senders = Senders::start(&rig, LOAD);
    tokio::time::sleep(Duration::from_millis(500)).await;
    service.signal("TERM");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    service.signal("TERM");
    let code = service.ended().await;
    let took = began.elapsed();
    rig.listens_at(None);
    senders.stop().await;
    let text = format!("ended with {code:?} after {took:.1?}");
    rig.require(took < Duration::from_secs(2), "I6", text);
    peers[1].set(Mode::Well);
    rig.note(|history| history.crashes += 1);
    let service = Service::recover(&rig, &launch, "two signals", START).await;
    rig.finish(service).await;
    Did::once(format!(
        "SIGTERM twice under load: exit {code:?} after {took:.1?}"
    ))
}

async fn pause(rig: Rig) -> Did {
    let peer = Peer::start(&rig, "good").await;
    let service = Service::start(&rig, &Launch::to(&[&peer])).await;
    let senders = Senders::start(&rig, LOAD);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let length = Duration::from_secs(if is_long() { 60 } else { 10 });
    service.signal("STOP");
    tokio::time::sleep(length).await;
    service.signal("CONT");
    // What was under way has outlasted its time-out: as ambiguous as a crash.
    rig.note(|history| history.crashes += 1);
    let accepted = |rig: &Rig| rig.note(|history| history.acknowledged());
    let before = accepted(&rig);
    let took = until(PATIENCE, async || accepted(&rig) > before).await;
    rig.note(|history| {
        let from = "SIGCONT".to_owned();
        let limit = Duration::from_secs(2);
        history.recoveries.push(Recovery { from, took, limit });
    });
    senders.stop().await;
    rig.finish(service).await;
    rig.require_nothing_of_itself();
    Did::once(format!("SIGSTOP for {length:?}, SIGCONT"))
}

async fn outputs(rig: Rig, output: Output) -> Did {
    let peer = Peer::healthy(&rig, "good").await;
    let launch = Launch::to(&[&peer]).output(output);
    let mut service = Service::start(&rig, &launch).await;
    // Each delivery is a line of the log: enough to fill a pipe.
    let load = Load {
        groups: 600,
        pause: Duration::ZERO,
        ..LOAD
    };
    let senders = Senders::start(&rig, load);
    tokio::time::sleep(Duration::from_secs(3)).await;
    senders.stop().await;
    Connection::default().post(&rig, 1_000, 1, true).await;
    rig.settle().await;
    rig.require(service.is_running(), "I6", "the process ended");
    rig.finish(service).await;
    Did::once(format!("standard output and error {output:?}"))
}
