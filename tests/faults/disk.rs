//! Disks that are full or broken, on a small ext4 of the test's own.

use std::time::Duration;

use futures_util::FutureExt;

use crate::crash::START;
use crate::history::{Answer, Counter, Probe, Recovery, event};
use crate::launch::Launch;
use crate::load::{Connection, Load, Senders, get};
use crate::matrix::{Did, Scenario};
use crate::peer::Peer;
use crate::rig::{PATIENCE, Rig, until};
use crate::service::Service;
use crate::volume::Volume;
use crate::wire::header;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "C6",
        name: "a full disk refuses loudly, keeps room for critical events, and recovers by itself",
        tools: &["root", "mkfs.ext4", "mount"],
        control: None,
        run: |rig| full(rig).boxed_local(),
    },
    Scenario {
        id: "C11",
        name: "a disk that takes no more writes is never acknowledged to",
        tools: &["root", "python3", "mkfs.ext4", "mount"],
        control: None,
        run: |rig| read_only(rig).boxed_local(),
    },
];

/// MiB of the disk.
const SIZE: u64 = 64;

/// Groups of the probes, apart from those of the load.
const NOTICE: u32 = 500;
const CRITICAL: u32 = 600;

const LOAD: Load = Load {
    senders: 4,
    batch: 4,
    groups: 24,
    first_group: 0,
    pause: Duration::from_millis(20),
};

/// How long a change of the room may go unnoticed.
const NOTICED: Duration = Duration::from_secs(10);

async fn full(rig: Rig) -> Did {
    let peer = Peer::healthy(&rig, "good").await;
    let mut volume = Volume::new(rig.folder(), SIZE);
    let launch = Launch::to(&[&peer]).on(&volume.store());
    let mut service = Service::start(&rig, &launch).await;
    let senders = Senders::start(&rig, LOAD);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut sender = Connection::default();

    // The last 5% are for what is critical.
    volume.fill((SIZE << 20) / 40);
    let closed = until(NOTICED, async || is_refused(&rig, &mut sender).await).await;
    let text = "with 2.5% of room a notice was never refused";
    rig.require(closed.is_some(), "I8", text);
    let critical = sender.post(&rig, CRITICAL, 1, true).await;
    let text = format!("with 2.5% of room a critical event was {critical:?}");
    rig.require(critical == Answer::Accepted, "I8", text);

    volume.fill(0);
    let closed = until(NOTICED, async || is_refused(&rig, &mut sender).await).await;
    let text = "on a full disk a notice was never refused";
    rig.require(closed.is_some(), "I7", text);
    while_full(&rig, &service, &mut sender).await;
    let running = service.is_running();
    rig.require(running, "I6", "the process ended on a full disk");
    if !running {
        rig.listens_at(None);
        senders.stop().await;
        rig.note(|history| history.crashes += 1);
        volume.empty();
        let service = Service::recover(&rig, &launch, "a full disk", START).await;
        rig.finish(service).await;
        return Did::once("a full disk ended the process; emptied, restarted");
    }
    senders.stop().await;
    let least = rig.history().refused();
    let name = "falco_herald_events_lost_total{reason=\"disk_full\"";
    let said = service.metric(name).await;
    rig.note(|history| {
        let name = name.to_owned();
        history.counters.push(Counter { name, said, least });
    });

    volume.empty();
    with_room_again(&rig, &mut sender).await;
    rig.finish(service).await;
    Did::once(format!(
        "64 MiB ext4 filled to 2.5% and to 0 under load, then emptied; {least} requests refused"
    ))
}

async fn is_refused(rig: &Rig, sender: &mut Connection) -> bool {
    let answer = sender.post(rig, NOTICE, 1, false).await;
    // Nobody listens when the process has ended, which is found out later.
    matches!(answer, Answer::Refused(503 | 0))
}

async fn while_full(rig: &Rig, service: &Service, sender: &mut Connection) {
    let body = event(NOTICE, rig.take_ids(1), false);
    let head = sender.ask(&service.events, &[], body.as_bytes()).await;
    let head = head.unwrap_or_default();
    let polite = !header(&head, "retry-after").is_empty()
        && header(&head, "connection").eq_ignore_ascii_case("close");
    rig.require(polite, "I7", format!("the refusal is {head:?}"));
    let critical = sender.post(rig, CRITICAL, 1, true).await;
    let ready = get(&service.events, "/readyz").await;
    let (status, reason) = ready.unwrap_or_default();
    let text = format!("/readyz says {reason:?}");
    rig.require(reason.contains("reason"), "I7", text);
    rig.note(|history| {
        history.probes.push(Probe {
            during: "a full disk".into(),
            said: status == 200,
            truth: critical == Answer::Accepted,
        });
    });
}

async fn with_room_again(rig: &Rig, sender: &mut Connection) {
    let took = until(NOTICED, async || {
        sender.post(rig, NOTICE, 1, false).await == Answer::Accepted
    })
    .await;
    rig.note(|history| {
        let from = "a full disk".to_owned();
        let limit = NOTICED;
        history.recoveries.push(Recovery { from, took, limit });
    });
    let is_told = || {
        rig.note(|history| {
            let mut own = history
                .deliveries
                .iter()
                .filter_map(|told| told.own.as_deref());
            own.any(|rule| rule.contains("events were lost"))
        })
    };
    let told = until(NOTICED, async || is_told()).await;
    let text = "nobody was told that events were lost";
    rig.require(told.is_some(), "I7", text);
}

async fn read_only(rig: Rig) -> Did {
    let peer = Peer::start(&rig, "good").await;
    let volume = Volume::new(rig.folder(), SIZE);
    let launch = Launch::to(&[&peer]).on(&volume.store());
    let mut service = Service::start(&rig, &launch).await;
    let senders = Senders::start(&rig, LOAD);
    tokio::time::sleep(Duration::from_millis(500)).await;
    volume.shut_down();
    let mut unready = false;
    let noticed = until(PATIENCE, async || {
        let running = service.is_running();
        unready = !running || !service.is_ready().await;
        unready
    })
    .await;
    rig.require(
        noticed.is_some(),
        "I7",
        "ready on a disk that takes no writes",
    );
    let ended = until(Duration::from_secs(5), async || !service.is_running()).await;
    rig.listens_at(None);
    senders.stop().await;
    let code = if ended.is_some() {
        service.ended().await
    } else {
        None
    };
    service.crash(&rig).await;
    // What was not acknowledged may be in the journal all the same.
    rig.note(|history| history.ghosts = true);
    volume.unmount();
    volume.mount_again();
    let service = Service::recover(&rig, &launch, "a disk without writes", START).await;
    rig.finish(service).await;
    Did::once(format!(
        "ext4 shuts down under load: unready {unready}, exit {code:?}; mounted anew, restart"
    ))
}
