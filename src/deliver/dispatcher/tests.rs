use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::*;
use crate::backoff::Backoff;
use crate::deliver::testing::setup;
use crate::deliver::{
    Configured, Destination, DestinationConfig, Digests, Notice, Pace, Receipt, Schedule,
    SendError, configure,
};
use crate::report::Report;

#[test]
fn only_deliveries_without_a_destination_are_orphans() {
    let console = configure("console", &DestinationConfig::console(), &Clock::system());
    let setup = setup(vec![console.unwrap()]);
    let pending = vec![("console".to_owned(), 2), ("gone".to_owned(), 3)];
    let orphans: Vec<_> = orphans(pending, &setup).collect();
    assert_eq!(orphans, [("gone".to_owned(), 3)]);
}

/// Takes a digest when the gate gives a permit.
#[derive(Debug)]
struct Gated {
    schedule: Schedule,
    asked: AtomicUsize,
    gate: Semaphore,
}

impl Destination for Gated {
    fn send<'a>(&'a self, _: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        panic!("an incident is told by itself");
    }

    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::ZERO,
        }
    }

    fn digests(&self) -> Option<(&dyn Digests, &Schedule)> {
        Some((self, &self.schedule))
    }
}

impl Digests for Gated {
    fn send<'a>(&'a self, _: &'a Report, _: &'a str) -> BoxFuture<'a, Result<Receipt, SendError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            self.gate.acquire().await.unwrap().forget();
            Ok(Receipt::default())
        })
    }
}

#[tokio::test]
async fn a_reload_while_a_digest_is_sent_does_not_send_it_twice() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual("2026-03-01T10:15:00Z".parse().unwrap());
    let store = Store::open(folder.path(), &clock).unwrap();
    let gated = Arc::new(Gated {
        schedule: "daily at 06:00".parse().unwrap(),
        asked: AtomicUsize::new(0),
        gate: Semaphore::new(0),
    });
    let configured = || Configured {
        name: "board".to_owned(),
        destination: Arc::clone(&gated) as Arc<dyn Destination>,
        pace: gated.pace(),
        max_age: Duration::from_hours(1),
        retry: Backoff::default(),
    };
    store.told("board", clock.now()).await.unwrap();
    clock.advance(Duration::from_hours(24));
    let config = watch::Sender::new(Arc::new(setup(vec![configured()])));
    let metrics = Metrics::default();
    let dispatcher = Dispatcher::new(store.clone(), clock.clone(), metrics, config.subscribe());
    let stop = CancellationToken::new();
    let running = tokio::spawn(dispatcher.run(stop.clone()));
    let pause = || tokio::time::sleep(Duration::from_millis(1));
    while gated.asked.load(Ordering::SeqCst) == 0 {
        pause().await;
    }
    config.send_replace(Arc::new(setup(vec![configured()])));
    // The new round has the time to begin.
    for _ in 0..50 {
        pause().await;
    }
    gated.gate.add_permits(9);
    while store.told("board", clock.now()).await.unwrap().until < clock.now() {
        pause().await;
    }
    for _ in 0..50 {
        pause().await;
    }
    assert_eq!(gated.asked.load(Ordering::SeqCst), 1);
    stop.cancel();
    running.await.unwrap().unwrap();
}
