//! Disks that are full or broken, on a small ext4 of the test's own.

use std::time::Duration;

use futures_util::FutureExt;

use crate::crash::START;
use crate::history::{Answer, Counter, Probe, Recovery, event};
use crate::load::{Connection, Load, Senders, get};
use crate::matrix::{Did, Scenario};
use crate::peer::{Peer, header};
use crate::rig::{PATIENCE, Rig, until};
use crate::service::{Launch, Service};
use crate::volume::Volume;

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

async fn full(rig: Rig) -> Did {
    let peer = Peer::healthy(&rig, "good").await;
    let mut volume = Volume::new(rig.folder(), SIZE);
    let launch = Launch::to(&[&peer]).on(&volume.store());
    let mut service = Service::start(&rig, &launch).await;
    let senders = Senders::start(&rig, LOAD);
    tokio::time::sleep(Duration::from_millis(500)).await;

    // The last 5% are for what is critical.
    volume.fill((SIZE << 20) / 40);
    let mut sender = Connection::default();
    let refused = async |sender: &mut Connection| {
        let answer = sender.post(&rig, NOTICE, 1, false).await;
        // Nobody listens when the process has ended, which is found out below.
        matches!(answer, Answer::Refused(503 | 0))
    };
    let closed = until(Duration::from_secs(8), async || refused(&mut sender).await).await;
    rig.require(
        closed.is_some(),
        "I8",
        "with 2.5% of room a notice was never refused",
    );
    let critical = sender.post(&rig, CRITICAL, 1, true).await;
    let text = format!("with 2.5% of room a critical event was {critical:?}");
    rig.require(critical == Answer::Accepted, "I8", text);

    volume.fill(0);
    let full = until(Duration::from_secs(8), async || refused(&mut sender).await).await;
    rig.require(
        full.is_some(),
        "I7",
        "on a full disk a notice was never refused",
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    let first = rig.take_ids(1);
    let body = event(NOTICE, first, false);
    let head = sender
        .ask(&service.events, &[], body.as_bytes())
        .await
        .unwrap_or_default();
    let polite = !header(&head, "retry-after").is_empty()
        && header(&head, "connection").eq_ignore_ascii_case("close");
    rig.require(polite, "I7", format!("the refusal is {head:?}"));
    let ready = get(&service.events, "/readyz").await;
    let reason = ready.clone().unwrap_or_default().1;
    rig.require(
        reason.contains("reason"),
        "I7",
        format!("/readyz says {reason:?}"),
    );
    rig.note(|history| {
        history.probes.push(Probe {
            during: "a full disk".into(),
            said: ready.is_some_and(|(status, _)| status == 200),
            truth: false,
        });
    });
    rig.require(
        service.is_running(),
        "I6",
        "the process ended on a full disk",
    );
    if !service.is_running() {
        rig.listens_at(None);
        senders.stop().await;
        rig.note(|history| history.crashes += 1);
        volume.empty();
        let service = Service::recover(&rig, &launch, "a full disk", START).await;
        rig.finish(service).await;
        return Did::once("a full disk ended the process; emptied, restarted");
    }
    senders.stop().await;
    let lost = rig.history().refused();
    let said = service
        .metric("falco_herald_events_lost_total{reason=\"disk_full\"")
        .await;
    rig.note(|history| {
        let name = "falco_herald_events_lost_total{reason=\"disk_full\"}".into();
        history.counters.push(Counter {
            name,
            said,
            least: lost,
        });
    });

    volume.empty();
    let limit = Duration::from_secs(10);
    let accepts = async |sender: &mut Connection| {
        sender.post(&rig, NOTICE, 1, false).await == Answer::Accepted
    };
    let took = until(limit, async || accepts(&mut sender).await).await;
    rig.note(|history| {
        let from = "a full disk".to_owned();
        history.recoveries.push(Recovery { from, took, limit });
    });
    let is_told = || {
        rig.note(|history| {
            let own = history
                .deliveries
                .iter()
                .filter_map(|told| told.own.as_deref());
            own.into_iter()
                .any(|rule| rule.contains("events were lost"))
        })
    };
    let told = until(limit, async || is_told()).await;
    rig.require(
        told.is_some(),
        "I7",
        "nobody was told that events were lost",
    );
    rig.finish(service).await;
    Did::once(format!(
        "64 MiB ext4 filled to 2.5% and to 0 under load, then emptied; {lost} requests refused"
    ))
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
