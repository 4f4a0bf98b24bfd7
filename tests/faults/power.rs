//! C3, C4: power cuts. A log of the disk's writes gives every disk that a cut could leave, and each
//! must hold everything that was acknowledged before.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::StreamExt as _;

use crate::blocklog::{BlockLog, Cut, Record, cuts};
use crate::crash::START;
use crate::history::{Answer, History};
use crate::judge;
use crate::launch::Launch;
use crate::load::Connection;
use crate::matrix::{Did, Scenario};
use crate::peer::Peer;
use crate::rig::{Rig, is_long, rounds, until};
use crate::service::Service;
use crate::volume::{self, Volume};

const TOOLS: &[&str] = &["root", "nbdkit", "nbdfuse", "mkfs.ext4", "mount"];

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "C3 C4",
        name: "a power cut at any write loses nothing that was acknowledged",
        tools: TOOLS,
        control: None,
        run: |rig| honest(rig).boxed_local(),
    },
    Scenario {
        id: "control 1",
        name: "the judge finds an fsync that lies",
        tools: &[
            "root",
            "nbdkit",
            "nbdfuse",
            "mkfs.ext4",
            "mount",
            "eatmydata",
        ],
        control: Some("I1"),
        run: |rig| lying(rig).boxed_local(),
    },
];

/// MiB of the disk.
const SIZE: u64 = 32;

/// Events of the script, sent by as many senders as there are groups.
const EVENTS: u32 = 120;
const GROUPS: u32 = 4;

/// How long a disk's few events may take to be told.
const DRAIN: Duration = Duration::from_secs(10);

/// Disks that are opened side by side.
const ABREAST: usize = 3;

async fn honest(rig: Rig) -> Did {
    let most = match rounds() {
        Some(rounds) if is_long() => rounds as usize,
        _ if is_long() => usize::MAX / 4,
        _ => 18,
    };
    let (rounds, bytes) = cut(&rig, &[], most).await;
    Did {
        rounds,
        what: format!(
            "power cut after any of the writes of {} KiB, within one, and with some of those since the last flush lost",
            bytes / 1024
        ),
    }
}

async fn lying(rig: Rig) -> Did {
    let library = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ]
    .map(|folder| format!("{folder}/libeatmydata.so"))
    .into_iter()
    .find(|path| Path::new(path).exists())
    .unwrap();
    let (rounds, _) = cut(&rig, &[("LD_PRELOAD", library)], 0).await;
    Did {
        rounds,
        what: "power cut under a service whose fsync does nothing".into(),
    }
}

/// Writes a log of the disk under load, then opens what cuts leave; how many, of how many bytes.
async fn cut(rig: &Rig, environment: &[(&'static str, String)], most: usize) -> (u64, u64) {
    // Nobody takes anything before the cut, so that all of it is still to be told.
    let down = Peer::bystander(rig, "good").await;
    down.go_down().await;
    let base = rig.folder().join("base.img");
    volume::format(&base, SIZE);
    let log = BlockLog::start(rig.folder(), &base).await;
    let disk = Volume::mount(&log.file(), &rig.folder().join("disk"));
    let mut launch = Launch::to(&[&down]).on(&disk.store());
    launch.environment.extend(environment.iter().cloned());
    let service = Service::start(rig, &launch).await;
    // When each was acknowledged, as a position in the log.
    let acknowledged = Mutex::new(Vec::new());
    let senders = (0..GROUPS).map(async |group| {
        let mut sender = Connection::default();
        for _ in 0..EVENTS / GROUPS {
            let answer = sender.post(rig, group, 1, false).await;
            rig.require(
                answer == Answer::Accepted,
                "I4",
                format!("{answer:?} before the cut"),
            );
            acknowledged.lock().unwrap().push((group, log.position()));
        }
    });
    futures_util::future::join_all(senders).await;
    let end = log.position();
    service.crash(rig).await;
    drop(disk);
    let records = log.records();
    drop(log);
    let base = std::fs::read(&base).unwrap();
    let acknowledged = acknowledged.into_inner().unwrap();
    let last = Cut::Before(records.partition_point(|record| record.end <= end));
    let first = acknowledged.iter().map(|(_, position)| *position).min();
    let mut cuts = cuts(&records, first.unwrap_or(0)..end, most);
    cuts.push(last);
    let posts = rig.history();
    let rounds = cuts.len() as u64;
    let opened = cuts.into_iter().enumerate().map(|(number, cut)| {
        let (base, records) = (&base, &records);
        let known = remembered(&posts, &acknowledged, cut.position(records));
        async move { open(rig, number, cut, base, records, known).await }
    });
    let mut opened = futures_util::stream::iter(opened).buffer_unordered(ABREAST);
    while opened.next().await.is_some() {}
    // The rig's own history is that of the recording, in which nobody was told anything.
    rig.note(|history| history.crashes += rounds);
    (rounds, end)
}

/// The history as the power cut leaves it: later answers are as good as lost.
fn remembered(posts: &History, acknowledged: &[(u32, u64)], position: u64) -> History {
    let mut known = History::default();
    known.posts.clone_from(&posts.posts);
    let mut left: Vec<usize> = (0..GROUPS)
        .map(|group| {
            let mine = acknowledged
                .iter()
                .filter(|(of, at)| *of == group && *at <= position);
            mine.count()
        })
        .collect();
    for post in &mut known.posts {
        let left = &mut left[post.group as usize];
        if *left == 0 {
            post.answer = Answer::Unknown;
        } else {
            *left -= 1;
        }
    }
    known
}

/// Opens a disk as a cut left it and judges what the service still knows.
async fn open(rig: &Rig, number: usize, cut: Cut, base: &[u8], records: &[Record], known: History) {
    let own = Rig::new(true);
    let image = own.folder().join("disk.img");
    std::fs::write(&image, cut.image(base, records)).unwrap();
    own.note(|history| *history = known);
    let peer = Peer::healthy(&own, "good").await;
    own.note(|history| history.healthy.clear());
    let disk = Volume::mount(&image, &own.folder().join("disk"));
    let launch = Launch::to(&[&peer]).on(&disk.store());
    let from = format!("power cut {number}, {cut:?}");
    let service = Service::recover(&own, &launch, &from, START).await;
    until(DRAIN, async || own.is_told(0..u32::MAX)).await;
    let code = service.terminate().await;
    own.require(code == Some(0), "I6", format!("ended with {code:?}"));
    own.audit().await;
    let lost = judge::lost(&own.history());
    for problem in own.problems() {
        rig.require(
            false,
            problem.invariant,
            format!("{from}: {}", problem.text),
        );
    }
    rig.note(|history| history.lost_in_cuts += lost);
}
