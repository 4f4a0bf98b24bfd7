//! What becomes of incidents when nothing happens.

use std::time::Duration;

use jiff::Timestamp;

use crate::classify::Nature;
use crate::clock::later;
use crate::incident::State;
use crate::route::{Route, Timers, Tree};
use crate::store::{Live, TimerStep};

/// Time intervals begin and end at full minutes.
const MINUTE: i64 = 60;

/// What is due now, and when something will be; [`Timestamp::MAX`] for never.
pub(super) fn due(live: Vec<Live>, tree: &Tree, now: Timestamp) -> (Vec<TimerStep>, Timestamp) {
    let mut steps = Vec::new();
    let mut next = Timestamp::MAX;
    for live in live {
        // A route that is gone leaves its incidents to the usual timers, and nobody to tell.
        let route = tree.get(&live.incident.route);
        let timers = route.map_or_else(Timers::default, |route| route.timers);
        let muted = route.is_some_and(|route| route.is_muted(now));
        let quiet = later(live.incident.last_received, timers.quiet_after);
        if quiet <= now {
            steps.extend(step(&live, route, State::Quiet, muted));
            continue;
        }
        next = next.min(quiet);
        if live.incident.state != State::Open || live.incident.hushed {
            continue;
        }
        if muted {
            next = next.min(next_minute(now));
            continue;
        }
        let escalation = route.and_then(|route| escalation(&live, route));
        let repeat = reminder(&live, timers);
        match (escalation, repeat) {
            (Some((at, count, to)), _) if at <= now => {
                let step = step(&live, None, State::Open, false);
                steps.extend(step.map(|step| TimerStep {
                    escalate: Some((count, to)),
                    ..step
                }));
            }
            (_, Some(repeat)) if repeat <= now => {
                steps.extend(step(&live, route, State::Open, false));
            }
            (escalation, repeat) => {
                let escalation = escalation.map(|(at, ..)| at);
                next = escalation
                    .into_iter()
                    .chain(repeat)
                    .fold(next, Timestamp::min);
            }
        }
    }
    (steps, next)
}

/// The start of the next minute, at which a time interval may end.
pub(super) fn next_minute(now: Timestamp) -> Timestamp {
    let second = (now.as_second().div_euclid(MINUTE) + 1) * MINUTE;
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

/// When an incident that nobody has acknowledged is told to more destinations, which time that is, and
/// to which.
fn escalation(live: &Live, route: &Route) -> Option<(Timestamp, u32, Vec<String>)> {
    let done = live.incident.escalated;
    let step = route.escalate.get(usize::try_from(done).ok()?)?;
    let at = later(live.incident.opened, step.after);
    (live.incident.nature != Nature::Test).then(|| (at, done + 1, step.to.clone()))
}

/// When an incident that goes on is said again: not while a message waits.
fn reminder(live: &Live, timers: Timers) -> Option<Timestamp> {
    let interval = timers.repeat_interval;
    let said = live.said.filter(|_| !live.waiting && !interval.is_zero())?;
    let age = Duration::try_from(said.duration_since(live.incident.first_received));
    let doubled = age.ok().filter(|_| timers.repeat_doubling);
    Some(later(
        said,
        doubled.map_or(interval, |age| age.max(interval)),
    ))
}

/// A change of state, said where the route says it; later, when the route is muted. What a silence
/// hides is said when it ends.
fn step(live: &Live, route: Option<&Route>, state: State, muted: bool) -> Option<TimerStep> {
    let incident = &live.incident;
    let told = route.filter(|_| !muted && !incident.hushed);
    Some(TimerStep {
        incident: incident.id?,
        last_event: incident.last_event,
        seen: incident.state,
        state,
        destinations: told.map_or_else(Vec::new, |route| route.destinations(incident.escalated)),
        muted: muted && live.said.is_some(),
        escalate: None,
    })
}
