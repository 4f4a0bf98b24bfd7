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
