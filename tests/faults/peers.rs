//! Peers that go wrong, beside one that does not. Faults of SMTP are in `tests/it/mail.rs`.

use std::time::Duration;

use futures_util::FutureExt;

use crate::history::Recovery;
use crate::judge;
use crate::launch::Launch;
use crate::load::{Load, Senders};
use crate::matrix::{Did, Scenario};
use crate::peer::{Mode, Peer};
use crate::rig::{Rig, until};
use crate::service::Service;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "D1",
        "a peer that refuses connections gets everything later",
        |rig| refused(rig).boxed_local(),
    ),
    Scenario::new(
        "D2",
        "a peer that swallows connections delays nobody",
        |rig| black_hole(rig).boxed_local(),
    ),
    Scenario::new(
        "D3",
        "peers that answer too slowly or too much delay nobody",
        |rig| slow(rig).boxed_local(),
    ),
    Scenario::new(
        "D4",
        "peers that fail for a while get everything later",
        |rig| failing(rig).boxed_local(),
    ),
    Scenario::new(
        "D7",
        "a peer that wants other credentials gets everything later",
        |rig| unauthorized(rig).boxed_local(),
    ),
    Scenario::new("D8", "a redirect is never followed", |rig| {
        redirect(rig).boxed_local()
    }),
    Scenario::new(
        "D11",
        "a connection reset in the middle or at the end is tried again",
        |rig| reset(rig).boxed_local(),
    ),
];

/// How much later than without the fault a healthy destination and an answer may be.
pub(crate) const PROMPT: Duration = Duration::from_secs(1);

/// How long the service is watched before the fault.
const CALM: Duration = Duration::from_secs(1);

/// How long a fault lasts, and how long its backlog may take to drain.
const FAULT: Duration = Duration::from_secs(3);
const DRAIN: Duration = Duration::from_secs(20);

const LOAD: Load = Load {
    senders: 4,
    batch: 1,
    groups: 24,
    first_group: 0,
    pause: Duration::from_millis(25),
};

/// A healthy peer and others.
pub(crate) async fn beside(rig: &Rig, names: &[&'static str]) -> Vec<Peer> {
    let mut peers = vec![Peer::healthy(rig, "good").await];
    for name in names {
        peers.push(Peer::start(rig, name).await);
    }
    peers
}

/// Starts a service and finds out how prompt it is before the fault begins.
pub(crate) async fn start(rig: &Rig, launch: &Launch) -> Service {
    let service = Service::start(rig, launch).await;
    let load = Load {
        first_group: 1_000,
        ..LOAD
    };
    let senders = Senders::start(rig, load);
    tokio::time::sleep(CALM).await;
    senders.stop().await;
    rig.settle().await;
    rig.note(|history| {
        let usual = judge::slowest(history);
        history.prompt = Some(usual + PROMPT);
    });
    service
}

/// Sends for as long as a fault lasts.
pub(crate) async fn send_meanwhile(rig: &Rig) {
    let senders = Senders::start(rig, LOAD);
    tokio::time::sleep(FAULT).await;
    senders.stop().await;
}

/// Notes how long the backlog takes to drain, and ends.
pub(crate) async fn drain(rig: &Rig, service: Service, from: &str) {
    let took = until(DRAIN, async || rig.is_told(0..u32::MAX)).await;
    rig.note(|history| {
        let from = from.to_owned();
        let recovery = Recovery {
            from,
            took,
            limit: DRAIN,
        };
        history.recoveries.push(recovery);
    });
    rig.measure(&service);
    let code = service.terminate().await;
    rig.require(code == Some(0), "I6", format!("ended with {code:?}"));
    rig.audit().await;
}

pub(crate) fn launch(peers: &[Peer]) -> Launch {
    Launch::to(&peers.iter().collect::<Vec<_>>())
}

/// Peers in these modes, which work again after a while.
async fn modes(rig: Rig, modes: &[(&'static str, Mode)], what: &str) -> Did {
    let names: Vec<_> = modes.iter().map(|(name, _)| *name).collect();
    let peers = beside(&rig, &names).await;
    let service = start(&rig, &launch(&peers)).await;
    let requests = || peers.iter().skip(1).map(Peer::requests).sum::<u64>();
    let before = requests();
    for (peer, (_, mode)) in peers.iter().skip(1).zip(modes) {
        peer.set(mode.clone());
    }
    send_meanwhile(&rig).await;
    let requests = requests() - before;
    for peer in &peers {
        peer.set(Mode::Well);
    }
    drain(&rig, service, what).await;
    Did::once(format!("{what}; {requests} requests meanwhile"))
}

async fn refused(rig: Rig) -> Did {
    let peers = beside(&rig, &["down"]).await;
    let service = start(&rig, &launch(&peers)).await;
    peers[1].go_down().await;
    send_meanwhile(&rig).await;
    peers[1].come_back().await;
    drain(&rig, service, "connections refused").await;
    Did::once("connection refused for 3 s")
}

async fn black_hole(rig: Rig) -> Did {
    let peers = beside(&rig, &["hole"]).await;
    let service = start(&rig, &launch(&peers)).await;
    let hole = peers[1].black_hole().await;
    send_meanwhile(&rig).await;
    drop(hole);
    peers[1].come_back().await;
    drain(&rig, service, "a black hole").await;
    Did::once("connections neither taken nor refused for 3 s")
}

async fn slow(rig: Rig) -> Did {
    let ill = [
        ("silent", Mode::Silent),
        ("drip", Mode::Drip),
        ("endless", Mode::Endless),
        ("lingering", Mode::Lingering),
    ];
    modes(
        rig,
        &ill,
        "no answer, one byte a second, an endless body, an answer without end",
    )
    .await
}

async fn failing(rig: Rig) -> Did {
    let answer = |status| Mode::Answer(status, String::new());
    let ill = [
        ("s500", answer(500)),
        ("s502", answer(502)),
        ("s503", answer(503)),
    ];
    modes(rig, &ill, "500, 502, 503 for 3 s").await
}

async fn reset(rig: Rig) -> Did {
    let ill = [("early", Mode::ResetEarly), ("late", Mode::ResetLate)];
    modes(rig, &ill, "reset after the head, and after the request").await
}

async fn unauthorized(rig: Rig) -> Did {
    let statuses = [("s401", 401), ("s403", 403), ("s404", 404), ("s410", 410)];
    let names = statuses.map(|(name, _)| name);
    let peers = beside(&rig, &names).await;
    let service = start(&rig, &launch(&peers)).await;
    for (peer, (_, status)) in peers.iter().skip(1).zip(statuses) {
        peer.set(Mode::Answer(status, String::new()));
    }
    send_meanwhile(&rig).await;
    for peer in &peers {
        peer.set(Mode::Well);
    }
    // What an administrator does after mending it.
    service.signal("HUP");
    drain(&rig, service, "401, 403, 404, 410").await;
    Did::once("401, 403, 404, 410 for 3 s, then mended and reloaded")
}

const SENT: &str = ",outcome=\"sent\"";

async fn redirect(rig: Rig) -> Did {
    let mut peers = beside(&rig, &[]).await;
    let elsewhere = Peer::bystander(&rig, "elsewhere").await;
    let statuses = [("s301", 301), ("s302", 302), ("s307", 307), ("s308", 308)];
    for (name, _) in statuses {
        peers.push(Peer::bystander(&rig, name).await);
    }
    let service = start(&rig, &launch(&peers)).await;
    let attempts = async |peer: &Peer, outcome: &str| {
        let name = peer.name;
        let family = "falco_herald_delivery_attempts_total";
        let labels = format!("{family}{{destination=\"{name}\"{outcome}");
        service.metric(&labels).await
    };
    let mut before = Vec::new();
    for peer in peers.iter().skip(1) {
        before.push(attempts(peer, "").await);
    }
    for (peer, (_, status)) in peers.iter().skip(1).zip(statuses) {
        let port = elsewhere.port;
        peer.set(Mode::Answer(
            status,
            format!("location: http://127.0.0.1:{port}/\r\n"),
        ));
    }
    // What was on its way arrives yet.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut sent = Vec::new();
    for peer in peers.iter().skip(1) {
        sent.push(attempts(peer, SENT).await);
    }
    send_meanwhile(&rig).await;
    let followed = elsewhere.requests();
    rig.require(
        followed == 0,
        "I4",
        format!("followed {followed} redirects"),
    );
    for (peer, (sent, all)) in peers.iter().skip(1).zip(sent.into_iter().zip(before)) {
        let sent = attempts(peer, SENT).await - sent;
        let counted = attempts(peer, "").await - all;
        let text = format!("{}: {sent} sent, {counted} counted", peer.name);
        rig.require(sent == 0 && counted > 0, "I7", text);
    }
    rig.finish(service).await;
    Did::once("301, 302, 307, 308 to another peer")
}
