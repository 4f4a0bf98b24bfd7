//! The front door: thousands of half-open connections, bombs and hostile keys beside a good sender.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::FutureExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::history::{Answer, Sample};
use crate::launch::Launch;
use crate::load::Connection;
use crate::matrix::{Did, Scenario};
use crate::peer::Peer;
use crate::rig::{Rig, is_long};
use crate::service::Service;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "door crowd",
        name: "thousands of half-open connections keep no good sender out",
        tools: &["prlimit"],
        control: None,
        run: |rig| crowd(rig).boxed_local(),
    },
    Scenario {
        id: "door bombs",
        name: "gzip bombs and colliding keys delay no good sender",
        tools: &[],
        control: None,
        run: |rig| bombs(rig).boxed_local(),
    },
];

/// Connections wanted.
const CROWD: usize = 10_000;

/// How long a good POST may take.
const GOOD: Duration = Duration::from_secs(1);

/// The same in the short tier, where all trials share the machine. Who is locked out waits for the
/// header time-out of the others, which is still twice as long.
const GOOD_IN_COMPANY: Duration = Duration::from_secs(5);

/// Descriptors that the rest of the tests may need.
const OTHERS: usize = 2_000;

/// Raises this process's limit of descriptors; what it is then.
fn raise_descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    let hard: usize = hard.unwrap_or(1_024);
    let pid = std::process::id().to_string();
    let raised = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--nofile={hard}:{hard}")])
        .status();
    if raised.is_ok_and(|status| status.success()) {
        hard
    } else {
        1_024
    }
}

async fn good(rig: &Rig, connection: &mut Connection, group: u32) -> (Answer, Duration) {
    let began = rig.now();
    let answer = connection.post(rig, group, 1, false).await;
    (answer, rig.now().saturating_sub(began))
}

fn judge_good(rig: &Rig, who: &str, (answer, took): (Answer, Duration)) {
    let limit = if is_long() { GOOD } else { GOOD_IN_COMPANY };
    let holds = answer == Answer::Accepted && took <= limit;
    rig.require(holds, "I4", format!("{who}: {answer:?} after {took:.2?}"));
}

async fn crowd(rig: Rig) -> Did {
    let limit = raise_descriptors();
    let size = CROWD.min(limit.saturating_sub(OTHERS));
    let peer = Peer::healthy(&rig, "good").await;
    let nofile = format!("--nofile={limit}:{limit}");
    let launch = Launch::to(&[&peer]).under(&["prlimit", &nofile]);
    let service = Service::start(&rig, &launch).await;
    let mut kept = Connection::default();
    judge_good(&rig, "the first", good(&rig, &mut kept, 0).await);
    let mut crowd = Vec::new();
    let mut slowest = Duration::ZERO;
    while crowd.len() < size {
        let batch = (0..500).map(async |_| {
            let mut stream = TcpStream::connect(&service.events).await.ok()?;
            let head: &[u8] = b"POST / HTTP/1.1\r\nhost: herald\r\nx-slow: ";
            stream.write_all(head).await.ok()?;
            Some(stream)
        });
        let batch = futures_util::future::join_all(batch).await;
        if batch.iter().all(Option::is_none) {
            break;
        }
        crowd.extend(batch.into_iter().flatten());
        let group = u32::try_from(crowd.len() / 500).unwrap();
        let told = good(&rig, &mut kept, group).await;
        slowest = slowest.max(told.1);
        judge_good(
            &rig,
            &format!("the first sender, {} others", crowd.len()),
            told,
        );
        let fresh = good(&rig, &mut Connection::default(), group).await;
        slowest = slowest.max(fresh.1);
        judge_good(
            &rig,
            &format!("a new sender, {} others", crowd.len()),
            fresh,
        );
        let sample = service.sample();
        rig.note(|history| history.samples.push(sample));
    }
    let reached = crowd.len();
    drop(crowd);
    rig.note(|history| {
        history.caps = Some(Sample {
            resident: 256 << 20,
            descriptors: 4_096 + 200,
            threads: 64,
            store: 1 << 28,
        });
    });
    rig.finish(service).await;
    let text = format!(
        "{reached} half-open connections (descriptor limit {limit}); slowest good POST {slowest:.1?}"
    );
    Did::once(text)
}

/// MiB that a bomb becomes, far beyond what is taken.
const BOMB: usize = 32;

/// Members of an object whose keys are alike.
const KEYS: usize = 4_096;

async fn bombs(rig: Rig) -> Did {
    let peer = Peer::healthy(&rig, "good").await;
    let service = Service::start(&rig, &Launch::to(&[&peer])).await;
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..BOMB {
        bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let keys: Vec<_> = (0..KEYS)
        .map(|number| format!("\"{}{number:012b}\":1", "Aa".repeat(8)))
        .collect();
    let keys = format!(
        "{{\"rule\":\"x\",\"priority\":\"Notice\",\"output\":\"x\",\"output_fields\":{{{}}}}}",
        keys.join(",").replace("01", "BB").replace("10", "Aa")
    );
    let throw = async |headers: &'static [&'static str], body: &[u8]| {
        for _ in 0..5 {
            Connection::default()
                .exchange(&service.events, headers, body)
                .await;
        }
    };
    let mut slowest = Duration::ZERO;
    let good_sender = async {
        let mut connection = Connection::default();
        for group in 0..20 {
            let told = good(&rig, &mut connection, group).await;
            slowest = slowest.max(told.1);
            judge_good(&rig, "a good sender", told);
            let sample = service.sample();
            rig.note(|history| history.samples.push(sample));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::join!(
        throw(&["content-encoding: gzip"], &bomb),
        throw(&["content-encoding: gzip"], &bomb),
        throw(&[], keys.as_bytes()),
        throw(&[], keys.as_bytes()),
        good_sender,
    );
    rig.finish(service).await;
    Did {
        rounds: 20,
        what: format!(
            "bombs of {BOMB} MiB, {KEYS} keys that collide in weak hashes; slowest good POST {slowest:.1?}"
        ),
    }
}
