//! What becomes of incidents when nothing happens.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::later;
use crate::incident::State;
use crate::route::{Route, Timers, Tree};
use crate::store::{Live, TimerStep};

/// What is due now, and when something will be; [`Timestamp::MAX`] for never.
pub(super) fn due(live: Vec<Live>, tree: &Tree, now: Timestamp) -> (Vec<TimerStep>, Timestamp) {
    let mut steps = Vec::new();
    let mut next = Timestamp::MAX;
    let mut wait_for = |time: Timestamp| next = next.min(time);
    for live in live {
        // A route that is gone leaves its incidents to the usual timers, and nobody to tell.
        let route = tree.routes().find(|route| route.id == live.incident.route);
        let timers = route.map_or_else(Timers::default, |route| route.timers);
        let quiet = later(live.incident.last_received, timers.quiet_after);
        let repeat = reminder(&live, timers);
        if quiet <= now {
            steps.extend(step(&live, route, State::Quiet));
        } else if repeat.is_some_and(|repeat| repeat <= now) {
            steps.extend(step(&live, route, live.incident.state));
            wait_for(quiet);
        } else {
            wait_for(repeat.map_or(quiet, |repeat| repeat.min(quiet)));
        }
    }
    (steps, next)
}

/// When an incident that goes on is said again: not while somebody has taken it or a message waits.
fn reminder(live: &Live, timers: Timers) -> Option<Timestamp> {
    let interval = timers.repeat_interval;
    let open = live.incident.state == State::Open && !live.waiting && !interval.is_zero();
    let said = live.said.filter(|_| open)?;
    let age = Duration::try_from(said.duration_since(live.incident.first_received));
    let doubled = age.ok().filter(|_| timers.repeat_doubling);
    Some(later(
        said,
        doubled.map_or(interval, |age| age.max(interval)),
    ))
}

fn step(live: &Live, route: Option<&Route>, state: State) -> Option<TimerStep> {
    Some(TimerStep {
        incident: live.incident.id?,
        last_event: live.incident.last_event,
        severity: live.incident.severity,
        seen: live.incident.state,
        state,
        destinations: route.map(|route| route.to.clone()).unwrap_or_default(),
    })
}
