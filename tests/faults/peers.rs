//! Peers that go wrong, beside one that does not. Faults of SMTP are in `tests/it/mail.rs`.

use std::time::Duration;

use futures_util::FutureExt;

use crate::certificates::Authority;
use crate::history::Recovery;
use crate::judge;
use crate::load::{Load, Senders};
use crate::matrix::{Did, Scenario};
use crate::peer::{Mode, Peer};
use crate::rig::{Rig, until};
use crate::service::{Launch, RETRIES, Service, write_config};

macro_rules! scenario {
    ($id:literal, $name:literal, $run:expr) => {
        Scenario {
            id: $id,
            name: $name,
            tools: &[],
            control: None,
            run: |rig| $run(rig).boxed_local(),
        }
    };
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario!(
        "D1",
        "a peer that refuses connections gets everything later",
        refused
    ),
    scenario!(
        "D2",
        "a peer that swallows connections delays nobody",
        black_hole
    ),
    scenario!(
        "D3",
        "peers that answer too slowly or too much delay nobody",
        slow
    ),
    scenario!(
        "D4",
        "peers that fail for a while get everything later",
        failing
    ),
    scenario!(
        "D7",
        "a peer that wants other credentials gets everything later",
        unauthorized
    ),
    scenario!("D8", "a redirect is never followed", redirect),
    scenario!(
        "D9",
        "a peer with wrong TLS gets nothing before it is right",
        tls
    ),
    scenario!(
        "D10",
        "a name that does not exist delays nobody",
        no_such_name
    ),
    scenario!(
        "D11",
        "a connection reset in the middle or at the end is tried again",
        reset
    ),
];

/// How much later than without the fault a healthy destination and an answer may be.
const PROMPT: Duration = Duration::from_secs(1);

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
    for (peer, (_, status)) in peers.iter().skip(1).zip(statuses) {
        let port = elsewhere.port;
        peer.set(Mode::Answer(
            status,
            format!("location: http://127.0.0.1:{port}/\r\n"),
        ));
    }
    let attempts = async |peer: &Peer, outcome: &str| {
        let name = peer.name;
        let family = "falco_herald_delivery_attempts_total";
        let labels = format!("{family}{{destination=\"{name}\"{outcome}");
        service.metric(&labels).await
    };
    let mut before = Vec::new();
    for peer in peers.iter().skip(1) {
        before.push((attempts(peer, SENT).await, attempts(peer, "").await));
    }
    send_meanwhile(&rig).await;
    let followed = elsewhere.requests();
    rig.require(
        followed == 0,
        "I4",
        format!("followed {followed} redirects"),
    );
    for (peer, (sent, all)) in peers.iter().skip(1).zip(before) {
        let sent = attempts(peer, SENT).await - sent;
        let counted = attempts(peer, "").await - all;
        let text = format!("{}: {sent} sent, {counted} counted", peer.name);
        rig.require(sent == 0 && counted > 0, "I7", text);
    }
    rig.finish(service).await;
    Did::once("301, 302, 307, 308 to another peer")
}

async fn tls(rig: Rig) -> Did {
    let authority = Authority::new();
    let other = Authority::new();
    let trusted = rig.folder().join("ca.pem");
    std::fs::write(&trusted, authority.pem()).unwrap();
    let peers = beside(&rig, &["expired", "name", "stranger", "stall"]).await;
    let wrong = [
        Some(authority.acceptor("127.0.0.1", true)),
        Some(authority.acceptor("elsewhere.test", false)),
        Some(other.acceptor("127.0.0.1", false)),
        // Plain, so that it waits for a head that never ends.
        None,
    ];
    let mut entries = peers[0].entry(RETRIES);
    let right = || Some(authority.acceptor("127.0.0.1", false));
    for peer in peers.iter().skip(1) {
        peer.speak_tls(right());
        let port = peer.port;
        entries += &peer.entry_at(&format!("https://127.0.0.1:{port}/hunter2"), RETRIES);
    }
    let trusted = trusted.to_str().unwrap();
    let launch = Launch::with(&entries, &peers.iter().collect::<Vec<_>>())
        .with_variable("SSL_CERT_FILE", trusted);
    let service = start(&rig, &launch).await;
    let told = || {
        rig.note(|history| {
            let told = history
                .deliveries
                .iter()
                .filter(|told| told.destination != "good");
            told.count()
        })
    };
    let before = told();
    for (peer, acceptor) in peers.iter().skip(1).zip(wrong) {
        peer.speak_tls(acceptor);
        // Connections that are open already go on as they began.
        peer.go_down().await;
        peer.come_back().await;
    }
    send_meanwhile(&rig).await;
    let told = told() - before;
    rig.require(told == 0, "I4", format!("{told} messages over wrong TLS"));
    for peer in peers.iter().skip(1) {
        peer.speak_tls(right());
    }
    let log = service.log.lock().unwrap().join("\n");
    rig.require(
        log.contains("certificate is not trusted"),
        "I7",
        "the log does not say why",
    );
    rig.require(
        !log.contains("hunter2"),
        "I7",
        "the log has an address in it",
    );
    drain(&rig, service, "wrong TLS").await;
    Did::once(
        "certificate expired, of another name, of an unknown authority; handshake without answer",
    )
}

async fn no_such_name(rig: Rig) -> Did {
    let peers = beside(&rig, &["nowhere"]).await;
    let right = launch(&peers);
    let service = start(&rig, &right).await;
    let wrong = peers[0].entry(RETRIES) + &peers[1].entry_at("http://nowhere.invalid:1/", RETRIES);
    let wrong = Launch::with(&wrong, &peers.iter().collect::<Vec<_>>());
    for (number, launch) in [(1, wrong), (2, right)] {
        let file = rig.folder().join("herald.yaml");
        write_config(&file, &rig.store(), &launch.config);
        service.signal("HUP");
        let reloads = async || service.metric("falco_herald_config_reloads_total").await;
        let reloaded = until(PROMPT, async || reloads().await >= number).await;
        rig.require(reloaded.is_some(), "I6", "no reload");
        if number == 1 {
            send_meanwhile(&rig).await;
        }
    }
    drain(&rig, service, "a name that does not exist").await;
    Did::once("name that does not exist, then mended by a reload")
}
