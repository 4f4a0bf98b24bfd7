//! What one sender waits for, and what many senders and incidents cost over time.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::events::{PROBE, Request};
use crate::load::{self, Connection};
use crate::servers::{self, Service};
use crate::sink::Sink;
use crate::subjects::Subjects;
use crate::table::{Row, Spread};
use crate::{ROUNDS, millis};

/// One connection, one event at a time, as Falco sends.
pub(crate) async fn single(subjects: &Subjects) -> Vec<Row> {
    let sink = Sink::start(None).await;
    let mut rows = Vec::new();
    for (name, program) in subjects.all() {
        let (mut waits, mut flushes) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let folder = tempfile::tempdir().unwrap();
            flushes.push(flush(folder.path()));
            let service = Service::start(program, folder.path(), &servers::plain(&sink)).await;
            let request = Request::of_groups(48);
            let length = Duration::from_millis(1_500);
            let load = load::closed(service.address(), &request, 1, length).await;
            waits.push(millis(load.within(0.5)));
        }
        let (wait, flush) = (Spread::of(waits), Spread::of(flushes));
        let goal = flush.median * 1.5 + 0.2;
        let figure = format!("{} ms; one fdatasync {} ms", wait.show(2), flush.show(2));
        rows.push(
            Row::new(format!("one connection, p50{name}"), figure)
                .goal(format!("<= {goal:.2} ms"), wait.median <= goal),
        );
    }
    rows
}

/// The median of one fdatasync after 4 KiB, in milliseconds.
fn flush(folder: &std::path::Path) -> f64 {
    let mut file = std::fs::File::create(folder.join("flush")).unwrap();
    let times = (0..300).map(|_| {
        let began = Instant::now();
        file.write_all(&[7; 4_096]).unwrap();
        file.sync_data().unwrap();
        millis(began.elapsed())
    });
    Spread::of(times).median
}

/// From the POST to the first byte at the destination.
pub(crate) async fn first_byte(subjects: &Subjects) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, program) in subjects.all() {
        let mut sink = Sink::start(Some(PROBE)).await;
        let folder = tempfile::tempdir().unwrap();
        let config = format!("{}  group_wait: 0s\n", servers::plain(&sink));
        let service = Service::start(program, folder.path(), &config).await;
        let mut probe = Request::probe();
        let mut connection = Connection::open(service.address()).await;
        let mut waits = Vec::new();
        for _ in 0..200 {
            let began = Instant::now();
            assert!(connection.post(probe.next()).await);
            let arrived = sink.arrival().await.expect("the probe arrives");
            waits.push(millis(arrived.saturating_duration_since(began)));
        }
        waits.sort_by(f64::total_cmp);
        let (p50, p99) = (waits[100], waits[197]);
        let row = Row::new(
            format!("POST to first byte at the destination{name}"),
            format!("p50 {p50:.1}, p99 {p99:.1} ms"),
        );
        rows.push(row.goal("p50 <= 10, p99 <= 50 ms", p50 <= 10.0 && p99 <= 50.0));
    }
    rows
}

/// Events a second, for how long, and of how many incidents.
const STEADY: (u32, u64, u64) = (5_000, 60, 10_000);

/// 5,000 events a second into 10,000 incidents, with a probe every second.
pub(crate) async fn steady(subjects: &Subjects) -> Vec<Row> {
    let (rate, seconds, incidents) = STEADY;
    let mut rows = Vec::new();
    for (name, program) in subjects.all() {
        let mut sink = Sink::start(Some(PROBE)).await;
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(program, folder.path(), &servers::busy(&sink)).await;
        let request = Request::of_groups(incidents);
        load::open(service.address(), &request, 64, rate, incidents).await;
        service.drained().await;
        sink.quiet().await;
        let before = service.server.usage();
        let probes = async {
            let mut probe = Request::probe();
            let mut connection = Connection::open(service.address()).await;
            let mut longest = Duration::ZERO;
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(seconds - 2) {
                let sent = Instant::now();
                assert!(connection.post(probe.next()).await);
                let arrived = sink.arrival().await;
                longest = longest
                    .max(arrived.map_or(Duration::MAX, |at| at.saturating_duration_since(sent)));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            longest
        };
        let count = u64::from(rate) * seconds;
        let load = load::open(service.address(), &request, 128, rate, count);
        let (load, lag) = tokio::join!(load, probes);
        let after = service.server.usage();
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / load.accepted as f64;
        let growth = after.resident / before.resident;
        let p99 = millis(load.within(0.99));
        let what = format!("{rate} a second for {seconds} s, {incidents} incidents{name}");
        let lag = lag.as_secs_f64();
        let refused = load.refused;
        rows.extend([
            Row::new(
                format!("{what}: from POST to destination, longest"),
                format!("{lag:.2} s"),
            )
            .goal("< 1 s", lag < 1.0),
            Row::new(
                format!("{what}: ack p99"),
                format!("{p99:.1} ms, {refused} refused"),
            )
            .goal("<= 10 ms", p99 <= 10.0 && refused == 0),
            Row::new(format!("{what}: CPU an event"), format!("{cpu:.0} us"))
                .goal("<= 200 us", cpu <= 200.0),
            Row::new(
                format!("{what}: RSS, beside that after {incidents}"),
                format!("{:.0} MiB, {growth:.2} times", after.resident),
            )
            .goal("<= 96 MiB", after.resident <= 96.0),
        ]);
    }
    rows
}
