//! Whether a destination is sent to: all that is due, or one delivery at a time as a probe.
//!
//! Two things stop a destination. It refuses us altogether (a revoked key, a deleted channel): then it
//! is paused until somebody mends it. Or sends fail one after the other: then it is out of service for
//! a while. Either way nothing is spent on what cannot arrive, and the first delivery that is taken
//! lets the others follow. Values and the time in, values out.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::backoff::Backoff;
use crate::clock::later;

/// Failures in a row that are an outage.
const FAILURES: u32 = 5;

/// The longest time between two probes in an outage: what comes in after its end must not wait long.
const OUTAGE_PROBE: Duration = Duration::from_mins(1);

/// The first and the longest time between two probes of a paused destination.
const PAUSE_PROBE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(5));

/// How many refused deliveries are remembered over a pause.
const REMEMBERED: usize = 64;

/// Why a destination is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It refuses us.
    Paused,
    /// It does not work.
    Outage,
}

/// The right to send what one lease gives. Every permit is handed back: by [`Circuit::ended`] for
/// each delivery, or by [`Circuit::unused`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Permit {
    /// What is sent before a stop or its end says nothing about what came after.
    epoch: u64,
    /// Whether only one delivery may be sent.
    pub(super) probe: bool,
}

/// What a send says of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It works.
    Taken,
    /// It answered, but did not take this message.
    Declined,
    /// It refuses us altogether.
    Refused,
    /// It does not work now; with how long it asks us to wait.
    Failed(Option<Duration>),
    /// Nothing was sent.
    Unasked,
}

/// What an answer changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    None,
    /// The destination is stopped from now on.
    Stopped(Stop),
    /// It is sent to again.
    Resumed {
        /// What had stopped it.
        why: Stop,
        /// When.
        since: Timestamp,
        /// Whether somebody was told.
        told: bool,
    },
    /// It refuses this delivery, and took others since it last did: the delivery is the reason.
    Alone,
}

#[derive(Clone, Copy, Debug)]
struct Stopped {
    why: Stop,
    since: Timestamp,
    probes: u32,
    next: Timestamp,
    probing: bool,
    told: bool,
}

/// The state of one destination. It outlives reloads of the configuration.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    epoch: u64,
    stopped: Option<Stopped>,
    failures: u32,
    /// The delivery that failed last, and whether another one failed before it.
    failed: Option<i64>,
    several: bool,
    /// Refused in this pause, or in the last one.
    refused: BTreeSet<i64>,
    resumed: Option<Timestamp>,
}

impl Circuit {
    /// The right to send; none while nothing may be sent.
    pub(super) fn ask(&mut self, now: Timestamp) -> Option<Permit> {
        let epoch = self.epoch;
        let Some(stopped) = &mut self.stopped else {
            let probe = false;
            return Some(Permit { epoch, probe });
        };
        if now < stopped.since {
            // The clock was set back: what it said before means nothing any more.
            (stopped.since, stopped.next) = (now, now);
        }
        if stopped.probing || now < stopped.next {
            return None;
        }
        stopped.probing = true;
        Some(Permit { epoch, probe: true })
    }

    /// There was nothing to send.
    pub(super) fn unused(&mut self, permit: Permit) {
        if let Some(stopped) = self.stopped.as_mut()
            && permit.probe
            && permit.epoch == self.epoch
        {
            stopped.probing = false;
        }
    }

    /// When to ask again: none while a probe is under way.
    pub(super) fn next(&self) -> Option<Timestamp> {
        match &self.stopped {
            None => Some(Timestamp::MIN),
            Some(stopped) => (!stopped.probing).then_some(stopped.next),
        }
    }

    /// What stops the destination.
    pub(super) fn stop(&self) -> Option<Stop> {
        self.stopped.map(|stopped| stopped.why)
    }

    /// The time of a pause does not count as age of what waited.
    pub(super) fn aged_from(&self, created: Timestamp) -> Timestamp {
        self.resumed.map_or(created, |resumed| resumed.max(created))
    }

    /// Somebody may have mended it.
    pub(super) fn probe_at_once(&mut self, now: Timestamp) {
        if let Some(stopped) = &mut self.stopped {
            stopped.probes = 0;
            stopped.next = now;
        }
    }

    /// Whether somebody is still to be told of the pause; from now on it counts as told.
    pub(super) fn tell(&mut self) -> bool {
        match &mut self.stopped {
            Some(stopped) if stopped.why == Stop::Paused => {
                !std::mem::replace(&mut stopped.told, true)
            }
            _ => false,
        }
    }

    /// Telling did not work.
    pub(super) fn untold(&mut self) {
        if let Some(stopped) = &mut self.stopped {
            stopped.told = false;
        }
    }

    /// Takes an answer to a delivery in. `jitter` in 0..1.
    pub(super) fn ended(
        &mut self,
        permit: Permit,
        delivery: i64,
        answer: Answer,
        now: Timestamp,
        schedule: (Backoff, f64),
    ) -> Turn {
        if permit.epoch != self.epoch {
            return Turn::None;
        }
        match self.stopped {
            None => self.answered(delivery, answer, now, schedule),
            Some(stopped) if permit.probe => self.probed(stopped, delivery, answer, now, schedule),
            // The others that were under way when the destination was stopped.
            Some(_) => Turn::None,
        }
    }

    fn answered(
        &mut self,
        delivery: i64,
        answer: Answer,
        now: Timestamp,
        schedule: (Backoff, f64),
    ) -> Turn {
        match answer {
            Answer::Unasked => Turn::None,
            Answer::Taken | Answer::Declined => {
                self.works(delivery);
                Turn::None
            }
            Answer::Refused if self.refused.contains(&delivery) => {
                self.works(delivery);
                Turn::Alone
            }
            Answer::Refused => {
                self.refused.clear();
                self.refused.insert(delivery);
                self.stop_for(Stop::Paused, now, None, schedule)
            }
            Answer::Failed(after) => {
                self.failures = self.failures.saturating_add(1);
                let before = self.failed.replace(delivery);
                self.several |= before.is_some_and(|before| before != delivery);
                // One delivery that fails again and again says little of the destination.
                if self.failures < FAILURES || !self.several {
                    return Turn::None;
                }
                self.stop_for(Stop::Outage, now, after, schedule)
            }
        }
    }

    fn probed(
        &mut self,
        mut stopped: Stopped,
        delivery: i64,
        answer: Answer,
        now: Timestamp,
        schedule: (Backoff, f64),
    ) -> Turn {
        stopped.probing = false;
        let works = match answer {
            Answer::Taken => true,
            // It may look at the message before it looks at who sends it.
            Answer::Declined => stopped.why == Stop::Outage,
            Answer::Refused | Answer::Failed(_) | Answer::Unasked => false,
        };
        if works {
            self.epoch += 1;
            self.stopped = None;
            self.works(delivery);
            if stopped.why == Stop::Paused {
                self.resumed = Some(now);
            }
            let Stopped {
                why, since, told, ..
            } = stopped;
            return Turn::Resumed { why, since, told };
        }
        if answer == Answer::Refused {
            if self.refused.len() < REMEMBERED {
                self.refused.insert(delivery);
            }
            if stopped.why == Stop::Outage {
                return self.stop_for(Stop::Paused, now, None, schedule);
            }
        }
        if answer != Answer::Unasked {
            let after = match answer {
                Answer::Failed(after) => after,
                _ => None,
            };
            stopped.probes = stopped.probes.saturating_add(1);
            stopped.next = later(now, wait(stopped.why, stopped.probes, after, schedule));
        }
        self.stopped = Some(stopped);
        Turn::None
    }

    fn works(&mut self, delivery: i64) {
        self.refused.remove(&delivery);
        self.failures = 0;
        self.failed = None;
        self.several = false;
    }

    fn stop_for(
        &mut self,
        why: Stop,
        now: Timestamp,
        after: Option<Duration>,
        schedule: (Backoff, f64),
    ) -> Turn {
        self.epoch += 1;
        self.stopped = Some(Stopped {
            why,
            since: now,
            probes: 0,
            next: later(now, wait(why, 0, after, schedule)),
            probing: false,
            told: false,
        });
        Turn::Stopped(why)
    }
}

/// How long to wait after `probes` probes that were not taken.
fn wait(
    why: Stop,
    probes: u32,
    after: Option<Duration>,
    (retry, jitter): (Backoff, f64),
) -> Duration {
    let (first, most) = PAUSE_PROBE;
    match why {
        Stop::Outage => {
            let usual = retry.delay(probes + 1, jitter, None).min(OUTAGE_PROBE);
            usual.max(after.map_or(Duration::ZERO, |_| retry.delay(1, 0.0, after)))
        }
        Stop::Paused => {
            let full = first.saturating_mul(1 << probes.min(10)).min(most);
            full.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 10.0).max(first)
        }
    }
}

#[cfg(test)]
mod tests;
