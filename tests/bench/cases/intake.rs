//! How many events a second are taken, beside a handler that does nothing, Alertmanager, and a
//! receiver by hand.

use std::time::{Duration, Instant};

use crate::ROUNDS;
use crate::events::Request;
use crate::load::{self, Load};
use crate::process::Server;
use crate::servers::{self, Service};
use crate::sink::Sink;
use crate::subjects::Subjects;
use crate::table::{Row, Spread};

/// A burst ends before the second step has to stop stepping back.
const BURST: Duration = Duration::from_millis(600);

/// Long enough that what piles up at first is small beside what has gone through.
const SUSTAINED: Duration = Duration::from_secs(8);

/// Before anything is measured: connections, pages, code.
const WARM: Duration = Duration::from_millis(400);

async fn warm(address: &str, request: &Request, connections: usize) {
    load::closed(address, request, connections, WARM).await;
}

async fn bare(connections: usize, length: Duration) -> Load {
    let server = servers::baseline().await;
    let request = Request::of_groups(48);
    warm(&server.address, &request, connections).await;
    load::closed(&server.address, &request, connections, length).await
}

/// What the other servers do, for as long as a burst.
async fn other(server: Option<Server>, request: Request, connections: usize) -> Option<f64> {
    let server = server?;
    warm(&server.address, &request, connections).await;
    let load = load::closed(&server.address, &request, connections, BURST).await;
    Some(load.rate())
}

#[derive(Default)]
struct Round {
    ratio: Vec<f64>,
    rate: Vec<f64>,
    p99: Vec<f64>,
    bare: Vec<f64>,
    alertmanager: Vec<f64>,
    by_hand: Vec<f64>,
}

/// Bursts.
pub(crate) async fn burst(subjects: &Subjects) -> Vec<Row> {
    let sink = Sink::start(None).await;
    let mut rows = Vec::new();
    for (connections, goal, p99_goal, times) in [(64, 0.30, 10.0, 3.0), (256, 0.45, 20.0, 4.0)] {
        let mut rounds: Vec<Round> = subjects.all().map(|_| Round::default()).collect();
        for _ in 0..ROUNDS {
            let bare = bare(connections, BURST).await.rate();
            for ((_, program), round) in subjects.all().zip(&mut rounds) {
                let folder = tempfile::tempdir().unwrap();
                let service = Service::start(program, folder.path(), &servers::plain(&sink)).await;
                let request = Request::of_groups(48);
                warm(service.address(), &request, connections).await;
                service.drained().await;
                let load = load::closed(service.address(), &request, connections, BURST).await;
                assert_eq!(load.refused, 0, "events were refused");
                round.bare.push(bare);
                round.rate.push(load.rate());
                round.ratio.push(load.rate() / bare);
                round.p99.push(load.within(0.99).as_secs_f64() * 1e3);
            }
            let folder = tempfile::tempdir().unwrap();
            let server = servers::alertmanager(folder.path()).await;
            let peer = other(server, Request::to_alertmanager(), connections).await;
            let hand = other(
                servers::by_hand().await,
                Request::of_groups(48),
                connections,
            )
            .await;
            for round in &mut rounds {
                let rate = round.rate.last().copied().unwrap_or_default();
                round.alertmanager.extend(peer.map(|peer| rate / peer));
                round.by_hand.extend(hand.map(|hand| rate / hand));
            }
        }
        for ((name, _), round) in subjects.all().zip(rounds) {
            let (ratio, p99) = (Spread::of(round.ratio), Spread::of(round.p99));
            let (rate, bare) = (Spread::of(round.rate), Spread::of(round.bare));
            let what = format!("burst, {connections} connections{name}");
            let figure = format!(
                "{} of the bare handler ({:.0} of {:.0} a second)",
                ratio.show(2),
                rate.median,
                bare.median
            );
            rows.push(Row::new(&what, figure).goal(format!(">= {goal}"), ratio.median >= goal));
            let figure = format!("{} ms", p99.show(1));
            rows.push(
                Row::new(format!("{what}, p99"), figure)
                    .goal(format!("<= {p99_goal} ms"), p99.median <= p99_goal),
            );
            for (peer, figures, goal) in [
                ("Alertmanager", round.alertmanager, Some(times)),
                ("FastAPI by hand", round.by_hand, None),
            ] {
                if figures.is_empty() {
                    println!("skipped: {peer} is not installed; see tests/bench/install");
                    continue;
                }
                let times = Spread::of(figures);
                let row = Row::new(
                    format!("{what}, beside {peer}"),
                    format!("{} times its rate", times.show(1)),
                );
                rows.push(match goal {
                    Some(goal) => row.goal(format!(">= {goal}"), times.median >= goal),
                    None => row,
                });
            }
        }
    }
    rows
}

/// Accepted and through the second step, while both go on.
pub(crate) async fn sustained(subjects: &Subjects) -> Vec<Row> {
    let sink = Sink::start(None).await;
    let mut rows = Vec::new();
    for (connections, goal) in [(64, 0.18), (256, 0.32)] {
        let mut ratios: Vec<_> = subjects.all().map(|_| Vec::new()).collect();
        let mut rates = ratios.clone();
        let mut written = ratios.clone();
        let mut cpu = ratios.clone();
        for _ in 0..ROUNDS {
            let bare = bare(connections, BURST * 2).await.rate();
            for (place, (_, program)) in subjects.all().enumerate() {
                let folder = tempfile::tempdir().unwrap();
                let service = Service::start(program, folder.path(), &servers::plain(&sink)).await;
                let request = Request::of_groups(48);
                warm(service.address(), &request, connections).await;
                service.drained().await;
                let (before, began) = (service.server.usage(), Instant::now());
                let load = load::closed(service.address(), &request, connections, SUSTAINED).await;
                let left = service.backlog().await.unwrap_or(u64::MAX);
                let through = load.accepted.saturating_sub(left) as f64;
                let rate = through / began.elapsed().as_secs_f64();
                service.drained().await;
                let after = service.server.usage();
                rates[place].push(rate);
                ratios[place].push(rate / bare);
                let bytes = (after.written - before.written) as f64 / load.accepted as f64;
                written[place].push(bytes / request.body_len());
                let cost = after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6;
                cpu[place].push(cost / load.accepted as f64);
            }
        }
        for (place, (name, _)) in subjects.all().enumerate() {
            let what = format!("sustained, {connections} connections{name}");
            let ratio = Spread::of(ratios[place].clone());
            let rate = Spread::of(rates[place].clone());
            let figure = format!(
                "{} of the bare handler ({:.0} a second), {:.0} us CPU an event",
                ratio.show(2),
                rate.median,
                Spread::of(cpu[place].clone()).median
            );
            rows.push(Row::new(&what, figure).goal(format!(">= {goal}"), ratio.median >= goal));
            let bytes = Spread::of(written[place].clone());
            let row = Row::new(
                format!("{what}, bytes written"),
                format!("{} times the body", bytes.show(1)),
            );
            rows.push(if connections == 64 {
                row.goal("<= 5", bytes.median <= 5.0)
            } else {
                row
            });
        }
    }
    rows
}
