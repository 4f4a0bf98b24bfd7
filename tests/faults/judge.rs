//! Judges a history by the invariants I1 to I9. Pure: a value in, problems out.

mod delays;

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::history::{Answer, Delivery, History, Post, Taking};
pub(crate) use delays::slowest;
use delays::{isolation, priority};

/// An invariant that did not hold.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) invariant: &'static str,
    pub(crate) text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.text)
    }
}

/// All problems of a history that has come to rest.
pub(crate) fn judge(history: &History) -> Vec<Problem> {
    let mut problems = Vec::new();
    no_loss(history, &mut problems);
    no_invention(history, &mut problems);
    few_duplicates(history, &mut problems);
    isolation(history, &mut problems);
    bounds(history, &mut problems);
    recovery(history, &mut problems);
    loudness(history, &mut problems);
    priority(history, &mut problems);
    order(history, &mut problems);
    problems
}

fn note(problems: &mut Vec<Problem>, invariant: &'static str, text: String) {
    problems.push(Problem { invariant, text });
}

/// Events acknowledged and not told, at the destination where most are.
pub(crate) fn lost(history: &History) -> u64 {
    let posted = posted(history);
    let at = history.destinations.iter().map(|destination| {
        let told = told(history, destination, false);
        let missing = posted.iter().map(|(group, posted)| {
            let told = told.get(group).copied().unwrap_or(0);
            posted.accepted.saturating_sub(told)
        });
        missing.sum()
    });
    at.max().unwrap_or(0) + history.lost_in_cuts
}

/// Deliveries beyond one a key.
pub(crate) fn duplicates(history: &History) -> u64 {
    let keys = keys(history).into_values();
    keys.map(|taken| taken.len().saturating_sub(1) as u64).sum()
}

#[derive(Default)]
struct Posted {
    accepted: u64,
    unknown: u64,
}

fn posted(history: &History) -> HashMap<u32, Posted> {
    let mut groups: HashMap<u32, Posted> = HashMap::new();
    for post in &history.posts {
        let group = groups.entry(post.group).or_default();
        match post.answer {
            Answer::Accepted => group.accepted += post.events,
            Answer::Unknown => group.unknown += post.events,
            Answer::Refused(_) if history.ghosts => group.unknown += post.events,
            Answer::Refused(_) => {}
        }
    }
    groups
}

/// The count that each group was told with; with `all`, also in messages that were not taken.
fn told(history: &History, destination: &str, all: bool) -> HashMap<u32, u64> {
    let mut incidents: HashMap<(u32, &str), u64> = HashMap::new();
    for delivery in &history.deliveries {
        let counts = all || delivery.taking != Taking::Refused;
        if let Some(group) = delivery.group
            && delivery.destination == destination
            && counts
        {
            let count = incidents.entry((group, &delivery.uid)).or_default();
            *count = (*count).max(delivery.count);
        }
    }
    let mut groups = HashMap::new();
    for ((group, _), count) in incidents {
        *groups.entry(group).or_default() += count;
    }
    groups
}

fn no_loss(history: &History, problems: &mut Vec<Problem>) {
    let posted = posted(history);
    for destination in &history.destinations {
        let taken = told(history, destination, false);
        let shown = told(history, destination, true);
        for (group, posted) in &posted {
            let told = taken.get(group).copied().unwrap_or(0);
            if told < posted.accepted {
                let accepted = posted.accepted;
                let text = format!("{destination}: group {group} {told} told of {accepted}");
                note(problems, "I1", text);
            }
            let shown = shown.get(group).copied().unwrap_or(0);
            let most = posted.accepted + posted.unknown;
            if shown > most {
                let text = format!("{destination}: group {group} told {shown}, posted {most}");
                note(problems, "I1", text);
            }
        }
    }
    let unbalanced = history.audits.iter().filter(|balanced| !**balanced).count();
    if unbalanced > 0 {
        note(problems, "I1", format!("{unbalanced} audits not balanced"));
    }
}

fn no_invention(history: &History, problems: &mut Vec<Problem>) {
    let mut ranges: HashMap<u32, Vec<&Post>> = HashMap::new();
    for post in &history.posts {
        ranges.entry(post.group).or_default().push(post);
    }
    for posts in ranges.values_mut() {
        posts.sort_by_key(|post| post.first);
    }
    let mut wrong = 0;
    let mut text = String::new();
    for delivery in &history.deliveries {
        let (Some(group), Some(event)) = (delivery.group, delivery.event) else {
            continue;
        };
        let posts = ranges.get(&group).map_or(&[][..], Vec::as_slice);
        let after = posts.partition_point(|post| post.first <= event);
        let before = after.checked_sub(1).and_then(|last| posts.get(last));
        if before.is_none_or(|post| event >= post.first + post.events) {
            wrong += 1;
            text = format!("{wrong} told that nobody posted, such as {group}/{event}");
        }
    }
    if wrong > 0 {
        note(problems, "I2", text);
    }
}

/// What was taken, or may have been, by destination and key.
fn keys(history: &History) -> HashMap<(&'static str, &str), Vec<&Delivery>> {
    let mut keys: HashMap<_, Vec<_>> = HashMap::new();
    for delivery in &history.deliveries {
        if delivery.taking != Taking::Refused {
            let key = (delivery.destination, delivery.key.as_str());
            keys.entry(key).or_default().push(delivery);
        }
    }
    keys
}

fn few_duplicates(history: &History, problems: &mut Vec<Problem>) {
    for ((destination, key), taken) in keys(history) {
        let ambiguous = taken.iter().filter(|one| one.taking == Taking::Ambiguous);
        let most = 1 + history.crashes + ambiguous.count() as u64;
        if taken.len() as u64 > most {
            let text = format!("{destination}: {key} taken {} times", taken.len());
            note(problems, "I3", text);
        }
        if taken
            .iter()
            .any(|one| Some(&one.uid) != taken.first().map(|first| &first.uid))
        {
            note(
                problems,
                "I3",
                format!("{destination}: {key} is of two incidents"),
            );
        }
    }
}

fn bounds(history: &History, problems: &mut Vec<Problem>) {
    let Some(caps) = history.caps else { return };
    let peak = |of: fn(&crate::history::Sample) -> u64| history.samples.iter().map(of).max();
    for (name, peak, cap) in [
        ("resident bytes", peak(|s| s.resident), caps.resident),
        ("descriptors", peak(|s| s.descriptors), caps.descriptors),
        ("threads", peak(|s| s.threads), caps.threads),
        ("store bytes", peak(|s| s.store), caps.store),
    ] {
        match peak {
            Some(peak) if peak <= cap => {}
            Some(peak) => note(problems, "I5", format!("{peak} {name}, cap {cap}")),
            None => note(problems, "I5", format!("{name} never measured")),
        }
    }
}

fn recovery(history: &History, problems: &mut Vec<Problem>) {
    for recovery in &history.recoveries {
        let from = &recovery.from;
        match recovery.took {
            Some(took) if took <= recovery.limit => {}
            Some(took) => note(problems, "I6", format!("{took:.1?} after {from}")),
            None => note(problems, "I6", format!("never after {from}")),
        }
    }
}

fn loudness(history: &History, problems: &mut Vec<Problem>) {
    for counter in &history.counters {
        if counter.said < counter.least {
            let (name, said, least) = (&counter.name, counter.said, counter.least);
            note(problems, "I7", format!("{name} says {said}, want {least}"));
        }
    }
    for probe in &history.probes {
        if probe.said != probe.truth {
            let (said, during) = (probe.said, &probe.during);
            note(problems, "I7", format!("ready said {said} during {during}"));
        }
    }
}

/// Counts never go down and the opening comes first; a repetition counts where it came first.
fn order(history: &History, problems: &mut Vec<Problem>) {
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    let mut last: HashMap<(&str, &str), u64> = HashMap::new();
    for delivery in &history.deliveries {
        if delivery.taking == Taking::Refused || delivery.group.is_none() {
            continue;
        }
        let destination = delivery.destination;
        if !seen.insert((destination, &delivery.key)) {
            continue;
        }
        let uid = delivery.uid.as_str();
        let before = last.insert((destination, uid), delivery.count);
        if before.is_none() && !delivery.opens {
            note(
                problems,
                "I9",
                format!("{destination}: {uid} begins with an update"),
            );
        }
        if let Some(before) = before
            && before > delivery.count
        {
            let count = delivery.count;
            note(
                problems,
                "I9",
                format!("{destination}: {uid} {before}, then {count}"),
            );
        }
    }
}
