//! D5: 429 with every kind of `Retry-After`.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::FutureExt;

use crate::matrix::{Did, Scenario};
use crate::peer::{Mode, Peer};
use crate::peers::{beside, drain, launch, send_meanwhile, start};
use crate::rig::Rig;

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "D5",
    name: "Retry-After is honoured between a second and an hour",
    tools: &[],
    control: None,
    run: |rig| too_many(rig).boxed_local(),
}];

/// Names, values, and the shortest time to the next attempt of a message in milliseconds.
const WAITS: &[(&str, Option<&str>, u64)] = &[
    ("seconds", Some("2"), 2_000),
    ("zero", Some("0"), 1_000),
    ("negative", Some("-5"), 50),
    ("past", Some("Sun, 01 Mar 2020 10:15:00 GMT"), 50),
    ("garbage", Some("soon"), 50),
    ("none", None, 50),
];

/// Values that mean an hour here.
const FOREVER: &[(&str, &str)] = &[
    ("large", "1000000000"),
    ("date", "Sun, 01 Mar 2122 10:15:00 GMT"),
];

async fn too_many(rig: Rig) -> Did {
    let names: Vec<_> = WAITS.iter().map(|(name, ..)| *name).collect();
    let mut peers = beside(&rig, &names).await;
    for (name, _) in FOREVER {
        peers.push(Peer::bystander(&rig, name).await);
    }
    let service = start(&rig, &launch(&peers)).await;
    let asked_of_patient = || {
        let patient = peers.iter().rev().take(FOREVER.len());
        patient.map(Peer::requests).sum::<u64>()
    };
    let before = asked_of_patient();
    let values = WAITS.iter().map(|(_, value, _)| *value);
    let values = values.chain(FOREVER.iter().map(|(_, value)| Some(*value)));
    for (peer, value) in peers.iter().skip(1).zip(values) {
        let line = value.map_or(String::new(), |value| format!("retry-after: {value}\r\n"));
        peer.set(Mode::Answer(429, line));
    }
    send_meanwhile(&rig).await;
    let mut shortest: HashMap<&str, Duration> = HashMap::new();
    let mut last: HashMap<(&str, String), Duration> = HashMap::new();
    for told in rig.history().deliveries {
        if let Some(before) = last.insert((told.destination, told.key), told.at) {
            let wait = shortest.entry(told.destination).or_insert(Duration::MAX);
            *wait = (*wait).min(told.at.saturating_sub(before));
        }
    }
    let forever = FOREVER.iter().map(|(name, _)| (*name, None, 3_600_000));
    for (name, _, least) in WAITS.iter().copied().chain(forever) {
        if let Some(wait) = shortest.get(name) {
            let text = format!("{name}: tried again after {wait:.1?}, want {least} ms");
            rig.require(wait.as_millis() + 20 >= u128::from(least), "I3", text);
        }
    }
    let patient = asked_of_patient() - before;
    for peer in &peers {
        peer.set(Mode::Well);
    }
    drain(&rig, service, "429").await;
    Did::once(format!(
        "429 with Retry-After in seconds, as dates, 0, -5, 10^9, garbage, none; {patient} requests to two peers that asked for an hour"
    ))
}
