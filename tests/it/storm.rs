//! Storms: few messages, exact counts, and a fresh alert that gets through.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::sink::{Sink, Taken};
use crate::support::{Service, api, client, event, until};

/// Events of the storm. `HERALD_STORM=100000` is the size that the service is made for; the default
/// keeps a debug build within seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "how large is the runner's choice"
)]
fn size() -> u64 {
    let size = std::env::var("HERALD_STORM").ok();
    size.map_or(10_000, |size| size.parse().unwrap())
}

const KEYS: u64 = 50;

/// Events in one request.
const CHUNK: u64 = 100;

const INTERVAL: Duration = Duration::from_secs(1);

fn config(hook: &Sink) -> String {
    format!(
        "destinations: {{ hook: {{ webhook: {{ url: '{}' }} }} }}\n\
         route: {{ to: [hook], group_by: [rule, hostname], group_interval: {}s, watch: [proc.name] }}\n",
        hook.url,
        INTERVAL.as_secs()
    )
}

/// An event of one of the keys, in an order without pattern.
fn noise(number: u64) -> String {
    let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    serde_json::json!({
        "rule": "Noise", "priority": "Notice", "time": "2026-03-01T10:15:00Z", "source": "syscall",
        "output": "x", "hostname": format!("node-{}", key % KEYS),
        "output_fields": { "proc.name": "sh", "proc.pid": number },
    })
    .to_string()
}

/// Posts a chunk; whether it was acknowledged.
async fn post(events: &str, first: u64) -> bool {
    let chunk: Vec<_> = (first..first + CHUNK).map(noise).collect();
    let post = client().post(format!("http://{events}/"));
    let answer = post.body(format!("[{}]", chunk.join(","))).send().await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

fn count(taken: &Taken) -> u64 {
    taken.body["data"]["incident"]["count"].as_u64().unwrap()
}

/// The count in the last message of each incident.
fn last_counts(hook: &Sink) -> HashMap<String, u64> {
    let mut counts = HashMap::new();
    for taken in hook.taken() {
        let incident = &taken.body["data"]["incident"];
        if incident["rule"] == "Noise" {
            let uid = incident["uid"].as_str().unwrap().to_owned();
            counts.insert(uid, count(&taken));
        }
    }
    counts
}

/// What `audit --json` prints about the store of a service that has ended.
fn audit(folder: &Path) -> Value {
    let audit = Command::new(env!("CARGO_BIN_EXE_falco-herald"))
        .args(["audit", "--json", "--config"])
        .arg(folder.join("herald.yaml"))
        .output()
        .unwrap();
    assert!(audit.status.success(), "{audit:?}");
    serde_json::from_slice(&audit.stdout).unwrap()
}

fn sum_of_fates(audit: &Value) -> u64 {
    let fates = audit["fates"].as_object().unwrap().values();
    fates.map(|events| events.as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_is_few_messages_with_exact_counts_and_lets_a_fresh_alert_through() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let service = Service::start(folder.path(), &config(&hook));
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let senders: Vec<_> = (0..8)
        .map(|_| {
            let (next, events) = (Arc::clone(&next), service.events.clone());
            tokio::spawn(async move {
                loop {
                    let first = next.fetch_add(CHUNK, Ordering::Relaxed);
                    if first >= size() {
                        return;
                    }
                    assert!(post(&events, first).await);
                }
            })
        })
        .collect();
    while next.load(Ordering::Relaxed) < size() / 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let fresh = client().post(format!("http://{}/", service.events));
    assert_eq!(
        fresh.body(event("Fresh", 1)).send().await.unwrap().status(),
        200
    );
    let posted = Instant::now();
    until("the fresh alert is told", async || {
        let is_fresh = |taken: &Taken| taken.body["data"]["incident"]["rule"] == "Fresh";
        hook.taken().iter().any(is_fresh)
    })
    .await;
    let fresh = posted.elapsed();
    for sender in senders {
        sender.await.unwrap();
    }
    until("the last messages hold every event", async || {
        last_counts(&hook).values().sum::<u64>() == size()
    })
    .await;
    let took = began.elapsed();
    println!(
        "{} events in {took:?}, the fresh one after {fresh:?}",
        size()
    );
    assert!(fresh < Duration::from_secs(2), "{fresh:?}");
    assert_eq!(last_counts(&hook).len() as u64, KEYS);

    // The first, one per power of ten, one per interval.
    let per_key = 2 + u64::from((size() / KEYS).ilog10()) + took.as_secs() / INTERVAL.as_secs();
    let messages = hook.taken().len() as u64;
    assert!(messages <= KEYS * per_key + 1, "{messages} messages");
    let running = api(&service, "audit").await;
    assert_eq!(running["balanced"], true, "{running}");
    assert_eq!(service.terminate(), Some(0));
    let audit = audit(folder.path());
    assert_eq!(audit["balanced"], true, "{audit}");
    assert_eq!(audit["received"], size() + 1);
    assert_eq!(sum_of_fates(&audit), size() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_through_crashes_keeps_its_account() {
    let kills = if size() < 100_000 { 4 } else { 20 };
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let (mut acknowledged, mut tried) = (0, 0);
    for _ in 0..kills {
        let service = Service::start(folder.path(), &config(&hook));
        let limit = size() / kills;
        let events = service.events.clone();
        let sender = tokio::spawn(async move {
            let mut sent = 0;
            // Until the process is gone.
            while post(&events, sent).await {
                sent += CHUNK;
                if sent >= limit {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            sent
        });
        tokio::time::sleep(Duration::from_millis(400)).await;
        service.kill();
        let sent = sender.await.unwrap();
        acknowledged += sent;
        tried += sent + CHUNK;
    }
    let service = Service::start(folder.path(), &config(&hook));
    let counted = async || {
        let audit = api(&service, "audit").await;
        assert_eq!(audit["balanced"], true, "{audit}");
        audit["received"].as_u64().unwrap()
    };
    let received = counted().await;
    assert!(
        (acknowledged..=tried).contains(&received),
        "{acknowledged} {received} {tried}"
    );
    until("the last messages hold every event", async || {
        last_counts(&hook).values().sum::<u64>() == received
    })
    .await;
    assert_eq!(service.terminate(), Some(0));
    let audit = audit(folder.path());
    assert_eq!(
        (sum_of_fates(&audit), received),
        (received, counted_in(&audit))
    );
}

fn counted_in(audit: &Value) -> u64 {
    audit["received"].as_u64().unwrap()
}

/// 1,000 POSTs, and the counts that were told of them.
async fn thousand(body: impl Fn(usize) -> String) -> Vec<u64> {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let service = Service::start(folder.path(), &config(&hook));
    for number in 0..1_000 {
        let post = client().post(format!("http://{}/", service.events));
        assert_eq!(post.body(body(number)).send().await.unwrap().status(), 200);
    }
    until("the thousandth event is told", async || {
        hook.taken().iter().any(|taken| count(taken) == 1_000)
    })
    .await;
    let incidents = api(&service, "incidents").await;
    assert_eq!(incidents.as_array().unwrap().len(), 1);
    hook.taken().iter().map(count).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_posts_of_one_event_or_of_one_that_differs_in_its_pid_read_1000() {
    let same = thousand(|_| event("same", 1)).await;
    let by_pid =
        thousand(|pid| event("same", 1).replace("\"sh\"", &format!("\"sh\",\"proc.pid\":{pid}")));
    for counts in [same, by_pid.await] {
        assert_eq!(counts.last(), Some(&1_000));
        assert!(counts.len() < 40, "{counts:?}");
    }
}
