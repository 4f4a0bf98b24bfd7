//! Storms, long queues, and the size of what is kept.

use std::time::{Duration, Instant};

use crate::events::{PROBE, Request};
use crate::load::{self, Connection};
use crate::servers::{self, Service};
use crate::sink::Sink;
use crate::subjects::Subjects;
use crate::table::Row;

/// Events of a storm.
const STORM: u64 = 100_000;

/// A fresh critical incident in the middle of a storm.
pub(crate) async fn critical(subjects: &Subjects) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, program) in subjects.all() {
        let mut sink = Sink::start(Some(PROBE)).await;
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(program, folder.path(), &servers::busy(&sink)).await;
        let address = service.address().to_owned();
        let request = Request::storm();
        // As fast as they are taken.
        let storm = load::open(&address, &request, 64, u32::MAX, STORM);
        let probe = async {
            while request.sent() < STORM / 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let mut connection = Connection::open(&address).await;
            let sent = Instant::now();
            assert!(connection.post(Request::probe().next()).await);
            let arrived = sink.arrival().await.expect("the probe arrives");
            arrived.saturating_duration_since(sent).as_secs_f64()
        };
        let (_, took) = tokio::join!(storm, probe);
        let what = format!("critical amid a storm of {STORM}{name}");
        let row = Row::new(what, format!("{took:.2} s to its destination"));
        rows.push(row.goal("<= 2 s", took <= 2.0));
    }
    rows
}

/// A start with a queue.
pub(crate) async fn start(subjects: &Subjects) -> Vec<Row> {
    let sink = Sink::start(None).await;
    let config = servers::plain(&sink);
    let mut rows = Vec::new();
    for (name, program) in subjects.all() {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(program, folder.path(), &config).await;
        let request = Request::of_groups(48);
        let posts = (0..8).map(|_| {
            let (mut request, address) = (request.clone(), service.address().to_owned());
            tokio::spawn(async move {
                let mut connection = Connection::open(&address).await;
                for _ in 0..50 {
                    assert!(connection.post(&request.batch(400)).await);
                }
            })
        });
        for post in posts.collect::<Vec<_>>() {
            post.await.unwrap();
        }
        service.server.kill();
        let began = Instant::now();
        let service = Service::start(program, folder.path(), &config).await;
        let ready = began.elapsed().as_secs_f64();
        let (mut from, mut since) = (None, Instant::now());
        let (queued, rate) = loop {
            let left = service.backlog().await.unwrap_or_default();
            if from.is_none() && left > 0 {
                (from, since) = (Some(left), Instant::now());
            }
            if let (Some(from), 0) = (from, left) {
                break (from, from as f64 / since.elapsed().as_secs_f64());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let what = format!("start with {queued} queued{name}");
        rows.extend([
            Row::new(format!("{what}: ready"), format!("{ready:.2} s")).goal("< 2 s", ready < 2.0),
            Row::new(format!("{what}: drained"), format!("{rate:.0} a second"))
                .goal(">= 15000", rate >= 15_000.0),
        ]);
    }
    rows
}

/// What there is at a time.
struct Point {
    size: u64,
    cost: f64,
}

/// The cost of an event as the store fills, and as incidents pile up.
pub(crate) async fn growth(subjects: &Subjects) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, program) in subjects.all() {
        let sink = Sink::start(None).await;
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(program, folder.path(), &servers::plain(&sink)).await;
        let request = Request::storm();
        let mut stored = Vec::new();
        let mut early = 0.0;
        for size in [1_000, 10_000, 30_000, 100_000, 300_000, 600_000, 1_000_000] {
            stored.push(grow(&service, &request, size).await);
            if size == 10_000 {
                early = service.server.usage().resident;
            }
        }
        let late = service.server.usage().resident;
        drop(service.server);
        let mib = servers::store_size(folder.path()) as f64 / 1_048_576.0;

        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(program, folder.path(), &servers::plain(&sink)).await;
        let mut open = Vec::new();
        for size in [10, 100, 1_000, 10_000, 100_000] {
            // Opening them is not what is measured.
            let request = Request::of_groups(size);
            load::open(service.address(), &request, 64, u32::MAX, size).await;
            service.drained().await;
            let point = grow(&service, &request, size + 20_000).await;
            open.push(Point { size, ..point });
        }
        write_points(&stored, &open);
        let factor = |points: &[Point]| points.last().unwrap().cost / points[1].cost;
        let (by_events, by_incidents) = (factor(&stored), factor(&open));
        rows.extend([
            Row::new(
                format!("cost of an event at 1,000,000 stored, beside 10,000{name}"),
                format!("{by_events:.2} times"),
            )
            .goal("flat (<= 1.3)", by_events <= 1.3),
            Row::new(
                format!("cost of an event at 100,000 open incidents, beside 100{name}"),
                format!("{by_incidents:.2} times"),
            )
            .goal("flat (<= 1.3)", by_incidents <= 1.3),
            Row::new(
                format!("store after 1,000,000 of one storm{name}"),
                format!("{mib:.0} MiB"),
            )
            .goal("<= 300 MiB", mib <= 300.0),
            Row::new(
                format!("RSS after 1,000,000 events, beside 10,000{name}"),
                format!("{late:.0} MiB, {:.2} times", late / early),
            )
            .goal(
                "<= 1.1 times, <= 96 MiB",
                late <= early * 1.1 && late <= 96.0,
            ),
        ]);
    }
    rows
}

/// Sends until `size` were sent; the CPU that an event has cost, in microseconds.
async fn grow(service: &Service, request: &Request, size: u64) -> Point {
    let (before, sent) = (service.server.usage(), request.sent());
    let count = size.saturating_sub(sent);
    load::open(service.address(), request, 64, u32::MAX, count).await;
    service.drained().await;
    let used = service.server.usage().cpu.saturating_sub(before.cpu);
    Point {
        size,
        cost: used.as_secs_f64() * 1e6 / count as f64,
    }
}

/// For `tests/bench/plot.py`.
fn write_points(stored: &[Point], open: &[Point]) {
    let pairs = |points: &[Point]| -> Vec<_> {
        points
            .iter()
            .map(|point| (point.size, point.cost))
            .collect()
    };
    let points = serde_json::json!({ "stored": pairs(stored), "open": pairs(open) });
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/target/growth.json");
    std::fs::write(file, points.to_string()).unwrap();
}
