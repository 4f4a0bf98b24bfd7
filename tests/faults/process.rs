//! Limits, reloads, poison and a second process.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpStream;

use crate::cgroup::Cgroup;
use crate::crash::START;
use crate::history::{Answer, Counter, Recovery};
use crate::launch::{Launch, write_config};
use crate::load::{Connection, Load, Senders};
use crate::matrix::{Did, Scenario};
use crate::peer::{Mode, Peer};
use crate::rig::{Rig, until};
use crate::service::Service;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "F1",
        "too few descriptors disturb the store never and others only briefly",
        |rig| descriptors(rig).boxed_local(),
    )
    .needing(&["prlimit"]),
    Scenario::new(
        "M1",
        "ten times too much fits into 256 MiB, and critical events get through",
        |rig| memory(rig).boxed_local(),
    ),
    Scenario::new("G2", "a second process on the same store refuses", |rig| {
        second(rig).boxed_local()
    }),
    Scenario::new(
        "R1",
        "reloads under load, half of them broken, lose nothing",
        |rig| reloads(rig).boxed_local(),
    ),
    Scenario::new(
        "P1",
        "poison events in the middle of load stop nobody",
        |rig| poison(rig).boxed_local(),
    ),
];

/// The group of a critical event in the middle.
const CRITICAL: u32 = 600;

pub(crate) const LOAD: Load = Load {
    senders: 8,
    batch: 1,
    groups: 24,
    first_group: 0,
    pause: Duration::from_millis(10),
};

async fn descriptors(rig: Rig) -> Did {
    let peer = Peer::healthy(&rig, "good").await;
    let launch = Launch::to(&[&peer]).under(&["prlimit", "--nofile=64:64"]);
    let service = Service::start(&rig, &launch).await;
    let mut kept = Connection::default();
    kept.post(&rig, 0, 1, true).await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        // Some may be sent away at once.
        crowd.extend(TcpStream::connect(&service.events).await);
    }
    for group in 0..10 {
        // The sender that was there before goes on, and what it sends is stored.
        let answer = kept.post(&rig, group, 1, false).await;
        rig.require(
            answer == Answer::Accepted,
            "I4",
            format!("the first sender got {answer:?}"),
        );
    }
    drop(crowd);
    let limit = Duration::from_secs(5);
    let took = until(limit, async || {
        Connection::default().post(&rig, 20, 1, false).await == Answer::Accepted
    })
    .await;
    let log = service.log.lock().unwrap().join("\n");
    let failed = log.lines().find(|line| line.contains("cannot write"));
    rig.require(
        failed.is_none(),
        "I6",
        format!("the store failed: {failed:?}"),
    );
    rig.note(|history| {
        let from = "too few descriptors".to_owned();
        history.recoveries.push(Recovery { from, took, limit });
    });
    rig.finish(service).await;
    Did::once("64 descriptors, 100 idle connections")
}

async fn memory(rig: Rig) -> Did {
    let peer = Peer::healthy(&rig, "good").await;
    peer.set(Mode::Slow(Duration::from_millis(100)));
    let group = Cgroup::with_memory(256 << 20);
    let mut launch = Launch::to(&[&peer]);
    if let Some(group) = &group {
        launch = launch.under(&["sh", "-c", "echo $$ >\"$0\"; exec \"$@\"", &group.procs()]);
    }
    let mut service = Service::start(&rig, &launch).await;
    let load = Load {
        batch: 100,
        groups: 200,
        pause: Duration::ZERO,
        ..LOAD
    };
    let senders = Senders::start(&rig, load);
    let ends = rig.now() + Duration::from_secs(5);
    let mut posted = false;
    while rig.now() < ends {
        let sample = service.sample();
        rig.note(|history| history.samples.push(sample));
        if !posted && rig.now() + Duration::from_secs(3) > ends {
            posted = true;
            Connection::default().post(&rig, CRITICAL, 1, true).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    senders.stop().await;
    rig.require(service.is_running(), "I5", "the process was killed");
    rig.finish(service).await;
    let peak = rig.note(|history| history.samples.iter().map(|s| s.resident >> 20).max());
    let by = if group.is_some() { "cgroup" } else { "watched" };
    Did::once(format!(
        "8 senders of 100 events, a peer of 100 ms, 256 MiB ({by}): peak {} MiB",
        peak.unwrap_or(0)
    ))
}

async fn second(rig: Rig) -> Did {
    let peer = Peer::healthy(&rig, "good").await;
    let launch = Launch::to(&[&peer]);
    let service = Service::start(&rig, &launch).await;
    let senders = Senders::start(&rig, LOAD);
    let other = rig.apart("second");
    let second = Service::try_start(&other, &launch.clone().on(&rig.store())).await;
    let text = second.err().unwrap_or_else(|| "it started".to_owned());
    rig.require(
        text.contains("in use") || text.contains("another"),
        "I6",
        text.clone(),
    );
    tokio::time::sleep(Duration::from_millis(500)).await;
    senders.stop().await;
    rig.finish(service).await;
    Did::once("a second process on the store of a running one")
}

/// How many reloads are asked for.
const RELOADS: u64 = 30;

async fn reloads(rig: Rig) -> Did {
    let peer = Peer::healthy(&rig, "good").await;
    let launch = Launch::to(&[&peer]);
    let service = Service::start(&rig, &launch).await;
    let senders = Senders::start(&rig, LOAD);
    let family = "falco_herald_config_reloads_total";
    for number in 1..=RELOADS {
        let config = match number % 4 {
            0 => launch.config.replace("200ms", "300ms"),
            1 => launch.config.replace("group_by", "group_bi"),
            2 => launch.config.clone(),
            // Half written.
            _ => launch
                .config
                .chars()
                .take(launch.config.len() / 2)
                .collect(),
        };
        write_config(&rig.folder().join("herald.yaml"), &rig.store(), &config);
        service.signal("HUP");
        // By outcome: the service also looks at the file by itself, and counts that too.
        let outcome = if number % 2 == 0 {
            "applied"
        } else {
            "refused"
        };
        let name = format!("{family}{{outcome=\"{outcome}\"");
        let so_far = number.div_ceil(2);
        let counted = async || service.metric(&name).await >= so_far;
        let counted = until(START, counted).await;
        rig.require(
            counted.is_some(),
            "I7",
            format!("reload {number} was not counted"),
        );
    }
    for outcome in ["applied", "refused"] {
        let name = format!("{family}{{outcome=\"{outcome}\"");
        let said = service.metric(&name).await;
        let least = RELOADS / 2;
        rig.note(|history| history.counters.push(Counter { name, said, least }));
    }
    senders.stop().await;
    write_config(
        &rig.folder().join("herald.yaml"),
        &rig.store(),
        &launch.config,
    );
    rig.finish(service).await;
    Did {
        rounds: RELOADS,
        what: "SIGHUP under load; unknown keys and half-written files in between".into(),
    }
}

async fn poison(rig: Rig) -> Did {
    let peer = Peer::healthy(&rig, "good").await;
    let mut service = Service::start(&rig, &Launch::to(&[&peer])).await;
    let senders = Senders::start(&rig, LOAD);
    let mut sender = Connection::default();
    let mut posted = 0;
    for file in ["hostile-events.ndjson", "hostile-fields.ndjson"] {
        let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
        for line in std::fs::read_to_string(path).unwrap().lines() {
            sender.exchange(&service.events, &[], line.as_bytes()).await;
            posted += 1;
        }
    }
    senders.stop().await;
    Connection::default().post(&rig, CRITICAL, 1, true).await;
    rig.settle().await;
    rig.require(service.is_running(), "I6", "the process ended");
    rig.finish(service).await;
    Did::once(format!("{posted} hostile events in the middle of load"))
}
