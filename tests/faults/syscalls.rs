//! Faults at single system calls, by strace.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Semaphore;

use crate::crash::START;
use crate::history::{Answer, Counter, Probe, Recovery};
use crate::launch::Launch;
use crate::load::{Connection, Load, Senders};
use crate::matrix::{Did, Scenario};
use crate::peer::Peer;
use crate::rig::{PATIENCE, Rig, is_long, until};
use crate::service::Service;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "C2",
        name: "kill -9 at any system call of a write loses nothing that was acknowledged",
        tools: &["strace"],
        control: None,
        run: |rig| kills(rig).boxed_local(),
    },
    Scenario {
        id: "C7 once",
        name: "an fsync that fails once is never acknowledged and ends the process",
        tools: &["strace"],
        control: None,
        run: |rig| broken(rig, "40").boxed_local(),
    },
    Scenario {
        id: "C7 always",
        name: "an fsync that fails for good is never acknowledged and ends the process",
        tools: &["strace"],
        control: None,
        run: |rig| broken(rig, "40+").boxed_local(),
    },
    Scenario {
        id: "C10 0.2 s",
        name: "an fsync of 200 ms slows answers and loses nothing",
        tools: &["strace"],
        control: None,
        run: |rig| slow(rig, Duration::from_millis(200)).boxed_local(),
    },
    Scenario {
        id: "C10 5 s",
        name: "a long fsync is answered 503 in time and piles nothing up",
        tools: &["strace"],
        control: None,
        run: |rig| {
            let delay = Duration::from_secs(if is_long() { 30 } else { 5 });
            slow(rig, delay).boxed_local()
        },
    },
];

/// Which of them SQLite calls depends on how it was built.
const SYNC: &str = "fsync,fdatasync";

/// The calls by which a store writes, and at which of each kind the process dies in the short tier.
const POINTS: &[(&str, &[u32])] = &[
    ("pwrite64", &[3, 20, 60, 120, 250]),
    (SYNC, &[1, 2, 6, 20, 45]),
    ("ftruncate", &[1]),
    ("unlink", &[1]),
];

/// Events of the script.
const SCRIPT: u32 = 50;

/// Service processes side by side.
const ABREAST: usize = 2;

/// A strace that becomes the service, which keeps its process id. (With `--seccomp-bpf` it would
/// inject no signals.)
fn strace<'a>(expressions: &'a [&'a str]) -> Vec<&'a str> {
    let mut words = vec!["strace", "-D", "-f", "-o", "/dev/null"];
    for expression in expressions {
        words.extend(["-e", expression]);
    }
    words
}

async fn kills(rig: Rig) -> Did {
    let peer = Peer::start(&rig, "good").await;
    let places = Semaphore::new(ABREAST);
    let case = async |number: u32, call: &'static str, at: u32| {
        let _place = places.acquire().await.unwrap();
        kill_at(&rig, &peer, number, call, at).await
    };
    let (mut rounds, mut kills) = (0, 0);
    if is_long() {
        for (call, _) in POINTS {
            for at in 1.. {
                rounds += 1;
                if !case(rounds, call, at).await {
                    break;
                }
                kills += 1;
            }
        }
    } else {
        let points = POINTS
            .iter()
            .flat_map(|(call, at)| at.iter().map(move |at| (*call, *at)));
        let cases = points
            .zip(1..)
            .map(|((call, at), number)| case(number, call, at));
        for killed in futures_util::future::join_all(cases).await {
            rounds += 1;
            kills += u32::from(killed);
        }
    }
    let few = format!("only {kills} kills in {rounds} rounds");
    rig.require(kills * 4 >= rounds * 3, "I6", few);
    rig.settle().await;
    Did {
        rounds: rounds.into(),
        what: format!(
            "SIGKILL at the n-th pwrite64, fsync, ftruncate, unlink of start, {SCRIPT} events and stop: {kills} kills"
        ),
    }
}

/// Runs the script with a kill in it, then starts again; whether the kill came.
async fn kill_at(rig: &Rig, peer: &Peer, number: u32, call: &str, at: u32) -> bool {
    let trace = format!("trace={call}");
    let inject = format!("inject={call}:signal=SIGKILL:when={at}");
    let own = rig.apart(&number.to_string());
    let launch = Launch::to(&[peer]);
    let under = launch.clone().under(&strace(&[&trace, &inject]));
    let mut killed = true;
    if let Ok(mut service) = Service::try_start(&own, &under).await {
        let mut sender = Connection::default();
        for step in 0..SCRIPT {
            let group = number * 4 + step % 4;
            if sender.post(&own, group, 1, false).await != Answer::Accepted {
                break;
            }
        }
        service.signal("TERM");
        killed = service.ended().await != Some(0);
    }
    rig.note(|history| history.crashes += u64::from(killed));
    let from = format!("SIGKILL at {call} {at}");
    let service = Service::recover(&own, &launch, &from, START).await;
    let groups = number * 4..number * 4 + 4;
    until(PATIENCE, async || rig.is_told(groups.clone())).await;
    let code = service.terminate().await;
    rig.require(
        code == Some(0),
        "I6",
        format!("{from}: ended with {code:?}"),
    );
    own.audit().await;
    killed
}

async fn broken(rig: Rig, when: &'static str) -> Did {
    let peer = Peer::start(&rig, "good").await;
    let launch = Launch::to(&[&peer]);
    let inject = format!("inject={SYNC}:error=EIO:when={when}");
    let under = launch
        .clone()
        .under(&strace(&[&format!("trace={SYNC}"), &inject]));
    let mut service = Service::start(&rig, &under).await;
    let senders = Senders::start(&rig, Load::default());
    let ended = until(PATIENCE, async || !service.is_running()).await;
    let code = service.ended().await;
    rig.require(ended.is_some(), "I6", "the process lives on after EIO");
    rig.require(
        code.is_some_and(|code| code != 0),
        "I7",
        format!("ended with {code:?}"),
    );
    let log = service.log.lock().unwrap().join("\n");
    rig.require(
        log.contains("cannot write"),
        "I7",
        "the log does not say why it ended",
    );
    drop(service);
    rig.listens_at(None);
    senders.stop().await;
    rig.note(|history| {
        history.crashes += 1;
        history.ghosts = true;
    });
    let service = Service::recover(&rig, &launch, "EIO", START).await;
    rig.finish(service).await;
    Did::once(format!(
        "fsync fails with EIO at call {when}: exit {code:?}, restart"
    ))
}

/// From the moment when the disk must have had its turn, an answer may take no longer.
const ANSWER: Duration = Duration::from_secs(2);

async fn slow(rig: Rig, delay: Duration) -> Did {
    let peer = Peer::start(&rig, "good").await;
    let launch = Launch::to(&[&peer]);
    // The calls of the start are spared. Every thread counts its own.
    let micros = delay.as_micros();
    let stretch = if delay > Duration::from_secs(1) {
        "60..61"
    } else {
        "30+"
    };
    let inject = format!("inject={SYNC}:delay_enter={micros}:when={stretch}");
    let under = launch
        .clone()
        .under(&strace(&[&format!("trace={SYNC}"), &inject]));
    let service = Service::start(&rig, &under).await;
    let before = service.sample();
    let senders = Senders::start(&rig, Load::default());
    let fault = Duration::from_secs(3) + delay.min(Duration::from_secs(30)) * 2;
    let ends = rig.now() + fault;
    let mut unready = false;
    let mut pile = 0;
    while rig.now() < ends {
        unready |= !service.is_ready().await;
        pile = pile.max(service.sample().threads.saturating_sub(before.threads));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let patience = PATIENCE.max(delay * 3);
    let recovered = until(patience, async || {
        let Some(since) = rig.now().checked_sub(Duration::from_secs(1)) else {
            return false;
        };
        rig.note(|history| {
            let mut late = history
                .posts
                .iter()
                .rev()
                .take_while(|post| post.sent > since);
            late.any(|post| post.answer == Answer::Accepted)
        })
    })
    .await;
    senders.stop().await;
    let (slowest, refused) = rig.note(|history| {
        history.recoveries.push(Recovery {
            from: format!("fsync of {delay:?}"),
            took: recovered,
            limit: patience,
        });
        let took = history
            .posts
            .iter()
            .map(|post| post.answered.saturating_sub(post.sent));
        (took.max().unwrap_or_default(), history.refused())
    });
    let name = "falco_herald_requests_total{outcome=\"unavailable\"".to_owned();
    let said = service.metric(&name).await;
    rig.note(|history| {
        let least = refused;
        history.counters.push(Counter { name, said, least });
    });
    rig.require(
        slowest <= ANSWER,
        "I4",
        format!("an answer took {slowest:.1?}"),
    );
    rig.require(pile <= 32, "I5", format!("{pile} threads piled up"));
    if delay > Duration::from_secs(2) {
        rig.require(refused > 0, "I4", "nothing was answered 503");
        rig.note(|history| {
            history.probes.push(Probe {
                during: format!("an fsync of {delay:?}"),
                said: !unready,
                truth: refused == 0,
            });
            // What was answered 503 may still be written when the disk comes back.
            history.ghosts = true;
        });
    }
    rig.finish(service).await;
    let slowest = slowest.as_secs_f32();
    Did::once(format!(
        "fsync takes {delay:?}: slowest answer {slowest:.1} s, {refused} refused"
    ))
}
