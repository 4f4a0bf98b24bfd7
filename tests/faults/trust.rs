//! Peers whose certificates or names are wrong.

use futures_util::FutureExt;

use crate::certificates::Authority;
use crate::launch::{Launch, RETRIES, write_config};
use crate::matrix::{Did, Scenario};
use crate::peers::{PROMPT, beside, drain, launch, send_meanwhile, start};
use crate::rig::{Rig, until};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "D9",
        "a peer with wrong TLS gets nothing before it is right",
        |rig| tls(rig).boxed_local(),
    ),
    Scenario::new("D10", "a name that does not exist delays nobody", |rig| {
        no_such_name(rig).boxed_local()
    }),
];

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
