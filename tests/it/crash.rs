use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::sink::Sink;
use crate::support::{Service, api, client, event, until};

/// Kill rounds under load. Each restarts on the same store.
const ROUNDS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_events_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let config = format!(
        "destinations: {{ hook: {{ webhook: {{ url: '{}' }} }} }}\nroute: {{ to: [hook], group_by: [rule], group_interval: 100ms }}\n",
        hook.url
    );
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let tried = Arc::new(AtomicUsize::new(0));
    for round in 0..ROUNDS {
        let service = Service::start(folder.path(), &config);
        let senders: Vec<_> = (0..8)
            .map(|_| {
                let (acknowledged, tried) = (Arc::clone(&acknowledged), Arc::clone(&tried));
                let url = format!("http://{}/", service.events);
                tokio::spawn(async move {
                    let client = client();
                    loop {
                        let number = tried.fetch_add(1, Ordering::Relaxed);
                        let post = client.post(&url).body(event("storm", number));
                        match post.send().await {
                            Ok(answer) if answer.status() == 200 => {
                                acknowledged.fetch_add(1, Ordering::Relaxed);
                            }
                            _ => break,
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(200 + 90 * round as u64)).await;
        service.kill();
        for sender in senders {
            sender.await.unwrap();
        }
    }
    let acknowledged = acknowledged.load(Ordering::Relaxed) as u64;
    let tried = tried.load(Ordering::Relaxed) as u64;
    assert!(acknowledged > 100, "{acknowledged}");
    let service = Service::start(folder.path(), &config);
    // An event whose answer was lost may be there: at most one a sender and round.
    until("every acknowledged event is accounted for", async || {
        let fates = api(&service, "fates").await;
        let settled = fates
            .as_array()
            .unwrap()
            .iter()
            .filter(|fate| !fate["fate"].is_null());
        let told: u64 = settled.map(|fate| fate["events"].as_u64().unwrap()).sum();
        told >= acknowledged
    })
    .await;
    let incidents = api(&service, "incidents").await;
    let counts = incidents.as_array().unwrap().iter();
    let counted: u64 = counts
        .map(|incident| incident["count"].as_u64().unwrap())
        .sum();
    assert!(
        (acknowledged..=tried).contains(&counted),
        "{acknowledged} <= {counted} <= {tried}"
    );
    until("the last message holds the count", async || {
        let last = hook.taken();
        let counts = last
            .iter()
            .map(|taken| taken.body["data"]["incident"]["count"].as_u64());
        counts.max().flatten() == Some(counted)
    })
    .await;
}

/// Posts until an answer is not 200; how many were.
async fn post_until_refused(service: &Service, rule: &str) -> u64 {
    let mut accepted = 0;
    loop {
        let post = client().post(format!("http://{}/", service.events));
        match post.body(event(rule, 1)).send().await {
            Ok(answer) if answer.status() == 200 => accepted += 1,
            _ => return accepted,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_is_never_acknowledged_and_ends_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let config = "route: { to: [console], group_by: [rule], group_interval: 0s }\n";
    // Writes beyond this size fail with EFBIG, an I/O error that SQLite cannot mend.
    let limit = "trap '' XFSZ; ulimit -f 4096";
    let mut service = Service::start_after(folder.path(), config, limit);
    let accepted = post_until_refused(&service, "storm").await;
    assert!(accepted > 10, "{accepted}");
    let ready = client().get(format!("http://{}/readyz", service.events));
    if let Ok(answer) = ready.send().await {
        assert_eq!(answer.status(), 503);
    }
    until("the process has ended", async || {
        service.child.try_wait().unwrap().is_some()
    })
    .await;
    let code = service.child.wait().unwrap().code();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    let service = Service::start(folder.path(), config);
    until("what was acknowledged is there", async || {
        let incidents = api(&service, "incidents").await;
        // The event whose answer was refused may have been written all the same.
        incidents[0]["count"]
            .as_u64()
            .is_some_and(|count| count == accepted || count == accepted + 1)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_with_a_stuck_peer_ends_in_time_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stuck = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!(
        "destinations: {{ hook: {{ webhook: {{ url: 'http://{}' }} }} }}\nroute: {{ to: [hook], group_by: [rule], group_interval: 0s }}\n",
        stuck.local_addr().unwrap()
    );
    let service = Service::start(folder.path(), &config);
    let (accepted, began) = {
        let post = post_until_refused(&service, "storm");
        let stop = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            service.signal("TERM");
            std::time::Instant::now()
        };
        tokio::join!(post, stop)
    };
    assert!(accepted > 10, "{accepted}");
    assert_eq!(service.exit_code(), Some(0));
    let took = began.elapsed();
    assert!((5..25).contains(&took.as_secs()), "{took:?}");
    let service = Service::start(folder.path(), &config);
    until("what was acknowledged is there", async || {
        let incidents = api(&service, "incidents").await;
        incidents[0]["count"].as_u64() == Some(accepted)
    })
    .await;
}
