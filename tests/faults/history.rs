//! What happened in a scenario, as seen from outside: every POST and every delivery.

use std::time::Duration;

/// How a POST was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    /// Answered with anything but 2xx, or never taken by the socket.
    Refused(u16),
    /// Sent, and the answer never came.
    Unknown,
}

/// One POST. Its events have successive ids and belong to one incident.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    /// Which rule and host the events are of; see `event`.
    pub(crate) group: u32,
    pub(crate) first: u64,
    pub(crate) events: u64,
    pub(crate) critical: bool,
    pub(crate) answer: Answer,
    /// Times are since the scenario began.
    pub(crate) sent: Duration,
    pub(crate) answered: Duration,
}

/// What a peer did with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taking {
    Taken,
    Refused,
    /// Read whole, but the sender cannot know.
    Ambiguous,
}

/// One request that a peer read whole.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) destination: &'static str,
    /// `webhook-id`, the receiver's key against duplicates.
    pub(crate) key: String,
    pub(crate) uid: String,
    /// `None` for what Herald says of itself.
    pub(crate) group: Option<u32>,
    /// The id of the event that the message shows.
    pub(crate) event: Option<u64>,
    pub(crate) count: u64,
    /// The rule, where Herald says something of itself.
    pub(crate) own: Option<String>,
    pub(crate) opens: bool,
    pub(crate) at: Duration,
    pub(crate) taking: Taking,
}

/// What the process used at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Bytes.
    pub(crate) resident: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    /// Bytes of the store's folder.
    pub(crate) store: u64,
}

/// How long the service took until it worked again.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    pub(crate) from: String,
    /// `None`: never.
    pub(crate) took: Option<Duration>,
    pub(crate) limit: Duration,
}

/// What a counter said, and what it must have said.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    pub(crate) name: String,
    pub(crate) said: u64,
    pub(crate) least: u64,
}

/// What `/readyz` said, and whether events were taken.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) during: String,
    pub(crate) said: bool,
    pub(crate) truth: bool,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) posts: Vec<Post>,
    pub(crate) deliveries: Vec<Delivery>,
    /// Events acknowledged and not told in histories of their own: one for each disk that a power cut
    /// could leave.
    pub(crate) lost_in_cuts: u64,
    /// Everybody who must be told of everything in the end.
    pub(crate) destinations: Vec<&'static str>,
    /// Those that no fault touches.
    pub(crate) healthy: Vec<&'static str>,
    /// How long a healthy destination and an answer may take, where that is part of the scenario.
    pub(crate) prompt: Option<Duration>,
    /// Times that the process ended without an orderly stop.
    pub(crate) crashes: u64,
    /// A refused event may have been written all the same: its fsync failed.
    pub(crate) ghosts: bool,
    /// Whether each `audit --json` was balanced.
    pub(crate) audits: Vec<bool>,
    pub(crate) caps: Option<Sample>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) recoveries: Vec<Recovery>,
    pub(crate) counters: Vec<Counter>,
    pub(crate) probes: Vec<Probe>,
}

impl History {
    pub(crate) fn acknowledged(&self) -> u64 {
        let accepted = |post: &&Post| post.answer == Answer::Accepted;
        self.posts
            .iter()
            .filter(accepted)
            .map(|post| post.events)
            .sum()
    }

    /// POSTs that were refused with a status.
    pub(crate) fn refused(&self) -> u64 {
        let refused = |post: &&Post| matches!(post.answer, Answer::Refused(status) if status > 0);
        self.posts.iter().filter(refused).count() as u64
    }
}

/// The event with an id, of a group. A group has a rule and a host of its own.
pub(crate) fn event(group: u32, id: u64, critical: bool) -> String {
    let priority = if critical { "Critical" } else { "Notice" };
    format!(
        "{{\"uuid\":\"0\",\"rule\":\"Fault {group}\",\"priority\":\"{priority}\",\
         \"time\":\"2026-03-01T10:15:00Z\",\"output\":\"x\",\"source\":\"syscall\",\
         \"hostname\":\"node-{group}\",\"output_fields\":{{\"proc.name\":\"sh\",\
         \"proc.cmdline\":\"id-{id}\"}}}}"
    )
}

/// The group of an incident's rule.
pub(crate) fn group(rule: &str) -> Option<u32> {
    rule.strip_prefix("Fault ")?.parse().ok()
}

/// The id of an event, from its command line.
pub(crate) fn id(command_line: &str) -> Option<u64> {
    command_line.strip_prefix("id-")?.parse().ok()
}
