//! The digest: what a shift hands over to the next, rendered from a template like a report.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::Value;

use super::context::{View, name_of, ours, phrase, web_link};
use super::humanize::times::{between, duration};
use super::phrase::Phrase;
use super::tuning::{self, Tuning};
use super::{Nearby, Subject};
use crate::classify::Alert;
use crate::event::Priority;
use crate::incident::Incident;
use crate::store::{Account, Failing, Noise, Sensor, Shift};

/// Silences, destinations and sensors that are listed; the digest says how many more there are.
const LISTED: usize = 30;

/// What a digest is about.
#[derive(Debug)]
pub struct Handover<'a> {
    /// What happened.
    pub shift: &'a Shift,
    /// The latest alert of each example in [`Shift::noisiest`], in the same order; none where there
    /// is no example or it cannot be read.
    pub examples: Vec<Option<Alert>>,
    /// Sensors that have fallen silent.
    pub silent: Vec<Sensor>,
    /// A signed link for each incident in [`Shift::unhandled`], in the same order.
    pub links: Vec<Option<String>>,
    /// The zone in which times are told.
    pub zone: &'a TimeZone,
    /// When it is told.
    pub now: Timestamp,
}

impl Handover<'_> {
    /// For subjects: the figures that decide whether to read on.
    pub(super) fn title(&self) -> String {
        let waiting = match self.shift.unhandled_count {
            0 => "nothing critical waits".to_owned(),
            1 => "1 critical incident waits".to_owned(),
            count => format!("{} critical incidents wait", thousands(count)),
        };
        let events = counted(self.shift.audit.received, "event");
        format!("Shift handover: {waiting}, {events}")
    }

    pub(super) fn lead(&self) -> String {
        format!(
            "{} from {} to {}.",
            counted(self.shift.audit.received, "event"),
            self.moment(self.shift.since),
            self.moment(self.now)
        )
    }

    /// The severity of the worst that waits.
    pub(super) fn severity(&self) -> Priority {
        let worst = self.shift.unhandled.first();
        worst.map_or(Priority::Informational, |incident| incident.severity)
    }

    fn moment(&self, at: Timestamp) -> String {
        let zoned = at.to_zoned_datetime(self.zone.clone());
        zoned.strftime("%Y-%m-%d %H:%M %Z").to_string()
    }

    fn age(&self, at: Timestamp) -> Value {
        ours(duration(between(at, self.now)))
    }

    /// The context of the template.
    pub(super) fn context(&self) -> Value {
        let shift = self.shift;
        let audit = &shift.audit;
        let more = |of: usize| of.saturating_sub(LISTED);
        minijinja::context! {
            title => ours(self.title()),
            from => ours(self.moment(shift.since)),
            to => ours(self.moment(self.now)),
            lasted => self.age(shift.since),
            received => ours(counted(audit.received, "event")),
            fates => fates(&audit.fates),
            total => ours(thousands(audit.received)),
            balanced => audit.balanced,
            problems => audit.problems.iter().map(|problem| phrase(Phrase::of_value(problem.as_str()))).collect::<Vec<_>>(),
            opened => opened(&shift.opened),
            live => ours(counted(shift.live, "incident")),
            one_lives => shift.live == 1,
            unhandled => shift.unhandled.iter().zip(&self.links).map(|(incident, link)| self.unhandled(incident, link.as_deref())).collect::<Vec<_>>(),
            unhandled_more => shift.unhandled_count.saturating_sub(shift.unhandled.len() as u64),
            noisiest => shift.noisiest.iter().zip(&self.examples).map(|(noise, example)| self.noise(noise, example.as_ref())).collect::<Vec<_>>(),
            silenced => shift.silenced.iter().take(LISTED).map(|(silence, events)| minijinja::context! {
                comment => phrase(Phrase::of_value(silence.comment.raw())),
                by => phrase(Phrase::of_value(silence.by.raw())),
                ends => ours(self.moment(silence.ends)),
                over => silence.ends <= self.now,
                events => ours(thousands(*events)),
            }).collect::<Vec<_>>(),
            silenced_more => more(shift.silenced.len()),
            dead => failing(&shift.dead),
            retrying => failing(&shift.retrying),
            silent => self.silent.iter().take(LISTED).map(|sensor| minijinja::context! {
                hostname => phrase(Phrase::of_value(sensor.hostname.as_str())),
                last => ours(self.moment(sensor.last)),
                age => self.age(sensor.last),
            }).collect::<Vec<_>>(),
            silent_more => more(self.silent.len()),
        }
    }

    fn unhandled(&self, incident: &Incident, link: Option<&str>) -> Value {
        minijinja::context! {
            severity => ours(incident.severity.name()),
            name => phrase(name_of(incident)),
            age => self.age(incident.opened),
            state => ours(incident.state.name()),
            alerts => ours(thousands(incident.count)),
            url => web_link(link),
        }
    }

    fn noise(&self, noise: &Noise, example: Option<&Alert>) -> Value {
        let incident = noise.example.as_ref().map(|(incident, _)| incident);
        let tuning = match (incident, example) {
            (Some(incident), Some(alert)) if alert.event.rule == noise.rule => {
                let nearby = Nearby::default();
                tuning::propose(&View::new(&Subject {
                    incident,
                    latest: alert,
                    first: alert,
                    incident_url: None,
                    nearby: &nearby,
                    now: self.now,
                }))
            }
            _ => Tuning::None("No change is proposed: no event of it is stored any more."),
        };
        minijinja::context! {
            rule => phrase(Phrase::new().name(noise.rule.raw())),
            alerts => ours(counted(noise.alerts, "alert")),
            incidents => ours(counted(noise.incidents, "incident")),
            tuning => tuning.to_value(),
        }
    }
}

/// What became of the events, in words; the sum of the numbers is that of all events.
fn fates(fates: &BTreeMap<Account, u64>) -> Vec<Value> {
    let words = |account| match account {
        Account::Sent => "a message was sent because of it",
        Account::Folded => "counted in a message that was sent",
        Account::Waiting => "its message waits, or is tried again",
        Account::Dead => "its message was given up",
        Account::Silenced => "a silence hid it",
        Account::Inhibited => "another alert made it superfluous",
        Account::Muted => "a time interval hid it",
        Account::Unrouted => "no route leads it anywhere",
        Account::Undecodable => "accepted, but could not be read later",
        Account::Queued => "stored, not yet taken over",
    };
    let row = |(account, events): (&Account, &u64)| {
        minijinja::context! {
            name => ours(account.name()),
            words => ours(words(*account)),
            events => ours(thousands(*events)),
        }
    };
    fates.iter().map(row).collect()
}

/// `3 incidents: 1 Critical, 2 Warning`.
fn opened(opened: &[(Priority, u64)]) -> Value {
    let all: u64 = opened.iter().map(|(_, count)| count).sum();
    let parts: Vec<_> = opened
        .iter()
        .map(|(severity, count)| format!("{} {severity}", thousands(*count)))
        .collect();
    let sum = counted(all, "incident");
    ours(if parts.is_empty() {
        sum
    } else {
        format!("{sum} ({})", parts.join(", "))
    })
}

fn failing(failing: &[Failing]) -> Vec<Value> {
    let row = |failing: &Failing| {
        minijinja::context! {
            destination => phrase(Phrase::of_value(failing.destination.as_str())),
            deliveries => ours(counted(failing.deliveries, "message")),
            events => ours(counted(failing.events, "event")),
            reason => phrase(Phrase::of_value(failing.reason.as_str())),
        }
    };
    failing.iter().take(LISTED).map(row).collect()
}

/// `1 event`, `12,345 events`.
fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(count))
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests;
