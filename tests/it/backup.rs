//! Backup under load, and what the copy knows.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{Service, api, client, event, until};

const CONFIG: &str = "route: { to: [console], group_by: [rule], group_interval: 100ms }\n";

fn backup(folder: &Path, to: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_falco-herald"))
        .args(["backup", "--config"])
        .arg(folder.join("herald.yaml"))
        .arg(to)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_every_event_that_was_acknowledged_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), CONFIG);
    let (acknowledged, tried) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (acknowledged, tried) = (Arc::clone(&acknowledged), Arc::clone(&tried));
            let url = format!("http://{}/", service.events);
            tokio::spawn(async move {
                loop {
                    let number = tried.fetch_add(1, Ordering::SeqCst);
                    let number = usize::try_from(number).unwrap();
                    let post = client().post(&url).body(event("storm", number));
                    match post.send().await {
                        Ok(answer) if answer.status() == 200 => {
                            acknowledged.fetch_add(1, Ordering::SeqCst);
                        }
                        _ => return,
                    }
                }
            })
        })
        .collect();
    until("there is load", async || {
        acknowledged.load(Ordering::SeqCst) > 200
    })
    .await;

    let copy = tempfile::tempdir().unwrap();
    let before = acknowledged.load(Ordering::SeqCst);
    let saved = backup(folder.path(), &copy.path().join("store"));
    assert!(saved.status.success(), "{saved:?}");
    let during = acknowledged.load(Ordering::SeqCst) - before;
    println!(
        "{} ({during} events came meanwhile)",
        String::from_utf8_lossy(&saved.stdout).trim()
    );
    assert!(during > 0, "nothing came in while it was copied");
    let again = backup(folder.path(), &copy.path().join("store"));
    assert!(
        !again.status.success(),
        "an earlier backup is not overwritten"
    );
    service.kill();
    for sender in senders {
        sender.await.unwrap();
    }

    let restored = Service::start(copy.path(), CONFIG);
    let mut found = serde_json::Value::Null;
    until("what was queued is taken over", async || {
        found = api(&restored, "audit").await;
        found["fates"]["queued"].is_null()
    })
    .await;
    assert_eq!(found["balanced"], true, "{found}");
    let received = found["received"].as_u64().unwrap();
    let tried = tried.load(Ordering::SeqCst);
    assert!(
        (before..=tried).contains(&received),
        "{before} <= {received} <= {tried}"
    );
    let post = client().post(format!("http://{}/", restored.events));
    assert_eq!(
        post.body(event("new", 1)).send().await.unwrap().status(),
        200
    );
}
