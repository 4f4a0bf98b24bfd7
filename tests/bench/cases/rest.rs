//! What it takes to do nothing, and what the pure core takes.

use std::time::{Duration, Instant};

use crate::ROUNDS;
use crate::sample::{RULES, bodies};
use crate::servers::{self, Service};
use crate::sink::Sink;
use crate::subjects::Subjects;
use crate::table::{Row, Spread};
use crate::work::Work;

/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(20);

/// A service that nobody sends to.
pub(crate) async fn idle(subjects: &Subjects) -> Vec<Row> {
    let sink = Sink::start(None).await;
    let bare = servers::baseline().await.usage().resident;
    let mut rows = Vec::new();
    for (name, program) in subjects.all() {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(program, folder.path(), &servers::plain(&sink)).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = service.server.usage();
        tokio::time::sleep(IDLE).await;
        let after = service.server.usage();
        let cpu = after.cpu.saturating_sub(before.cpu).as_millis();
        let waits = after.waits.saturating_sub(before.waits) as f64 / IDLE.as_secs_f64();
        let resident = after.resident;
        let size = std::fs::metadata(program).unwrap().len() as f64 / 1e6;
        rows.extend([
            Row::new(
                format!("idle{name}: RSS"),
                format!("{resident:.1} MiB; bare handler {bare:.1}"),
            )
            .goal("<= 5 times bare", resident <= bare * 5.0),
            Row::new(
                format!("idle{name}: CPU in {} s", IDLE.as_secs()),
                format!("{cpu} ms, {waits:.1} wake-ups a second"),
            )
            .goal("none to measure", cpu <= 20),
            Row::new(format!("binary{name}"), format!("{size:.1} MB"))
                .goal("<= 20 MB", size <= 20.0),
        ]);
    }
    rows
}

/// The pure core, in this process.
pub(crate) fn core() -> Vec<Row> {
    let work = Work::over(bodies());
    let mut rows = Vec::new();
    for (name, step) in Work::steps() {
        let events = if name == "report" { 1 } else { RULES.len() };
        let times = (0..ROUNDS * 4).map(|_| {
            let began = Instant::now();
            let mut count = 0;
            while began.elapsed() < Duration::from_millis(50) {
                step(&work);
                count += events;
            }
            began.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap())
        });
        let micros = Spread::of(times);
        let row = Row::new(
            format!("{name}, in this process"),
            format!("{} us", micros.show(1)),
        );
        rows.push(match name {
            "core" => row.goal("<= 15 us an event", micros.median <= 15.0),
            "report" => row.goal("<= 250 us", micros.median <= 250.0),
            _ => row,
        });
    }
    rows
}
