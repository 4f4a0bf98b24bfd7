//! I4 and I8: who had to wait.

use std::collections::HashMap;
use std::time::Duration;

use super::{Problem, note};
use crate::history::{Answer, History, Post, Taking};

/// How late a critical event may be told in a flood.
const URGENT: Duration = Duration::from_secs(10);

/// When each group was first told at a destination.
fn first_told(history: &History, destination: &str) -> HashMap<u32, Duration> {
    let mut first: HashMap<u32, Duration> = HashMap::new();
    for delivery in &history.deliveries {
        if let Some(group) = delivery.group
            && delivery.destination == destination
            && delivery.taking == Taking::Taken
        {
            let at = first.entry(group).or_insert(delivery.at);
            *at = (*at).min(delivery.at);
        }
    }
    first
}

fn accepted(history: &History) -> Vec<&Post> {
    let accepted = |post: &&Post| post.answer == Answer::Accepted;
    history.posts.iter().filter(accepted).collect()
}

fn slowest_answer(posts: &[&Post]) -> Duration {
    let waits = posts
        .iter()
        .map(|post| post.answered.saturating_sub(post.sent));
    waits.max().unwrap_or_default()
}

/// The longest that an answer or the first message of an incident took where no fault was.
pub(crate) fn slowest(history: &History) -> Duration {
    let accepted = accepted(history);
    let told = history.healthy.iter();
    let told = told.filter_map(|at| Some(latest(history, &accepted, at)?.0));
    told.max()
        .unwrap_or_default()
        .max(slowest_answer(&accepted))
}

pub(super) fn isolation(history: &History, problems: &mut Vec<Problem>) {
    let Some(prompt) = history.prompt else { return };
    let accepted = accepted(history);
    let slowest = slowest_answer(&accepted);
    if slowest > prompt {
        note(
            problems,
            "I4",
            format!("an answer took {slowest:.1?}, not {prompt:.1?}"),
        );
    }
    late(history, &accepted, prompt, "I4", problems);
}

pub(super) fn priority(history: &History, problems: &mut Vec<Problem>) {
    let mut urgent = accepted(history);
    urgent.retain(|post| post.critical);
    late(history, &urgent, URGENT, "I8", problems);
}

/// The group of these posts that was told last after its first answer, and how long that took.
fn latest(history: &History, posts: &[&Post], destination: &str) -> Option<(Duration, u32)> {
    let mut since: HashMap<u32, Duration> = HashMap::new();
    for post in posts {
        let first = since.entry(post.group).or_insert(post.answered);
        *first = (*first).min(post.answered);
    }
    let told = first_told(history, destination);
    let waits = since.into_iter().map(|(group, since)| {
        let at = told.get(&group).copied().unwrap_or(Duration::MAX);
        (at.saturating_sub(since), group)
    });
    waits.max()
}

fn late(
    history: &History,
    posts: &[&Post],
    limit: Duration,
    invariant: &'static str,
    problems: &mut Vec<Problem>,
) {
    for destination in &history.healthy {
        if let Some((wait, group)) = latest(history, posts, destination)
            && wait > limit
        {
            let text = if wait > history_end(history) {
                format!("{destination}: group {group} never told")
            } else {
                format!("{destination}: group {group} first told after {wait:.1?}, not {limit:.1?}")
            };
            note(problems, invariant, text);
        }
    }
}

fn history_end(history: &History) -> Duration {
    let last = history.deliveries.last();
    last.map_or(Duration::MAX, |delivery| delivery.at)
}
