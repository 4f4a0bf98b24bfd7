//! The account of every event: received = the sum of fates.
//!
//! An event has a fate at each destination that it reaches. Its own account is the best of them, so
//! that the accounts of all events add up to the number of events.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::EventId;

/// Problems told at most; all are counted.
const TOLD: usize = 20;

/// What became of an event, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Account {
    /// A message was sent because of it.
    Sent,
    /// It is counted in a message that was sent.
    Folded,
    /// Its message waits to be sent, or to be tried again.
    Waiting,
    /// Its message was given up.
    Dead,
    /// A silence hid it.
    Silenced,
    /// Another alert made it superfluous.
    Inhibited,
    /// A time interval hid it.
    Muted,
    /// No route leads it anywhere.
    Unrouted,
    /// It was accepted, but could not be read later.
    Undecodable,
    /// It is stored; the second step has not taken it over.
    Queued,
}

impl Account {
    /// The word shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Folded => "folded",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
            Self::Silenced => "silenced",
            Self::Inhibited => "inhibited",
            Self::Muted => "muted",
            Self::Unrouted => "unrouted",
            Self::Undecodable => "undecodable",
            Self::Queued => "queued",
        }
    }

    const ALL: [Self; 10] = [
        Self::Sent,
        Self::Folded,
        Self::Waiting,
        Self::Dead,
        Self::Silenced,
        Self::Inhibited,
        Self::Muted,
        Self::Unrouted,
        Self::Undecodable,
        Self::Queued,
    ];

    /// The account with this word.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|account| account.name() == name)
    }

    /// The account of a stored fate.
    pub(super) fn of_fate(fate: &str, settled: bool) -> Option<Self> {
        match (fate, settled) {
            ("sent" | "folded", false) => Some(Self::Waiting),
            ("sent", true) => Some(Self::Sent),
            ("folded", true) => Some(Self::Folded),
            ("dead", true) => Some(Self::Dead),
            ("silenced", true) => Some(Self::Silenced),
            ("inhibited", true) => Some(Self::Inhibited),
            ("muted", true) => Some(Self::Muted),
            ("unrouted", true) => Some(Self::Unrouted),
            _ => None,
        }
    }
}

/// Which events an audit looks at, a whole batch of the second step at a time.
#[derive(Clone, Debug, Default)]
pub struct Period {
    /// Only batches after this event.
    pub after: EventId,
    /// Only batches whose last event was received at or after this time.
    pub from: Option<Timestamp>,
    /// Only batches whose last event was received before this time.
    pub to: Option<Timestamp>,
    /// What waits for this destination counts as sent, because it is about to be.
    pub telling: Option<String>,
}

impl Period {
    /// Whether it leaves nothing out.
    pub fn is_all(&self) -> bool {
        self.after.0 == 0 && self.from.is_none() && self.to.is_none() && self.telling.is_none()
    }
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// How many events were acknowledged.
    pub received: u64,
    /// What became of them; adds up to `received` when balanced.
    pub fates: BTreeMap<Account, u64>,
    /// The fates at each destination. An event that reaches two counts at both.
    pub destinations: BTreeMap<String, BTreeMap<Account, u64>>,
    /// Whether every event has its account, and every count agrees.
    pub balanced: bool,
    /// How many discrepancies there are.
    pub problem_count: u64,
    /// The first of them, in words.
    pub problems: Vec<String>,
    /// The last event looked at.
    #[serde(skip)]
    pub last: EventId,
}

impl Audit {
    pub(super) fn problem(&mut self, words: impl Into<String>) {
        self.problem_count += 1;
        if self.problems.len() < TOLD {
            self.problems.push(words.into());
        }
    }

    pub(super) fn add(&mut self, account: Account, events: u64) {
        if events > 0 {
            *self.fates.entry(account).or_default() += events;
        }
    }

    /// Draws the line: compares both sides.
    pub(super) fn close(&mut self) {
        let accounted: u64 = self.fates.values().sum();
        if accounted != self.received {
            let received = self.received;
            self.problem(format!(
                "{received} events received, {accounted} accounted for"
            ));
        }
        self.balanced = self.problem_count == 0;
    }

    /// Enters a batch.
    pub(super) fn enter(&mut self, batch: &Batch) {
        self.last = self.last.max(EventId(batch.last));
        let mut best: BTreeMap<i64, Option<Account>> =
            (batch.first..=batch.last).map(|id| (id, None)).collect();
        self.received += best.len() as u64;
        for fold in &batch.folds {
            self.enter_fold(fold, &mut best);
        }
        for event in &batch.undecodable {
            match best.get_mut(event) {
                Some(account @ None) => *account = Some(Account::Undecodable),
                Some(Some(_)) => {
                    self.problem(format!("event {event} is unreadable and has a fate"));
                }
                None => {}
            }
        }
        for (event, account) in best {
            match account {
                Some(account) => self.add(account, 1),
                None => self.problem(format!("event {event} has no fate")),
            }
        }
    }

    fn enter_fold(&mut self, fold: &Fold, best: &mut BTreeMap<i64, Option<Account>>) {
        let id = fold.id;
        let events: Vec<i64> = fold
            .ranges
            .iter()
            .flat_map(|[first, last]| *first..=*last)
            .collect();
        if events.len() as u64 != fold.count {
            let (listed, counted) = (events.len(), fold.count);
            self.problem(format!(
                "fold {id} lists {listed} events and counts {counted}"
            ));
        }
        if fold.fates.is_empty() {
            self.problem(format!("fold {id} has no fate at all"));
        }
        for (destination, fates) in &fold.fates {
            let sum: u64 = fates.values().sum();
            if sum != fold.count {
                let counted = fold.count;
                self.problem(format!(
                    "fold {id} counts {counted} events, their fates at `{destination}` add up to {sum}"
                ));
            }
            if !destination.is_empty() {
                let totals = self.destinations.entry(destination.clone()).or_default();
                for (account, events) in fates {
                    *totals.entry(*account).or_default() += events;
                }
            }
            // Which of a fold's events caused the message does not matter: the first takes the best.
            let accounts = fates.iter().flat_map(|(account, events)| {
                std::iter::repeat_n(*account, usize::try_from(*events).unwrap_or(usize::MAX))
            });
            for (event, account) in events.iter().zip(accounts) {
                match best.get_mut(event) {
                    Some(best) => *best = Some(best.map_or(account, |known| known.min(account))),
                    None => self.problem(format!("event {event} is in a batch it did not come in")),
                }
            }
        }
    }
}

/// A batch of the second step as stored.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) folds: Vec<Fold>,
    pub(super) undecodable: Vec<i64>,
}

/// The events of a batch that went one way.
#[derive(Clone, Debug)]
pub(super) struct Fold {
    pub(super) id: i64,
    pub(super) count: u64,
    pub(super) ranges: Vec<[i64; 2]>,
    /// How many events stand where, by destination; the empty name for events without a route.
    pub(super) fates: BTreeMap<String, BTreeMap<Account, u64>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(count: u64, ranges: &[[i64; 2]], fates: &[(&str, Account, u64)]) -> Fold {
        let mut by_destination: BTreeMap<String, BTreeMap<Account, u64>> = BTreeMap::new();
        for (destination, account, events) in fates {
            let fates = by_destination.entry((*destination).to_owned()).or_default();
            fates.insert(*account, *events);
        }
        Fold {
            id: 1,
            count,
            ranges: ranges.to_vec(),
            fates: by_destination,
        }
    }

    fn audit(folds: Vec<Fold>, undecodable: Vec<i64>) -> Audit {
        let mut audit = Audit::default();
        audit.enter(&Batch {
            first: 1,
            last: 5,
            folds,
            undecodable,
        });
        audit.close();
        audit
    }

    #[test]
    fn an_event_at_two_destinations_has_one_account_and_a_fate_at_each() {
        use Account::{Dead, Folded, Sent, Undecodable, Unrouted, Waiting};
        let three = [("soc", Sent, 1), ("soc", Folded, 2), ("mail", Dead, 3)];
        let one = [("soc", Waiting, 1)];
        let audit = audit(
            vec![
                fold(3, &[[1, 2], [4, 4]], &three),
                fold(1, &[[4, 4]], &one),
                fold(1, &[[3, 3]], &[("", Unrouted, 1)]),
            ],
            vec![5],
        );
        assert!(audit.balanced, "{:?}", audit.problems);
        let fates = [(Sent, 1), (Folded, 2), (Unrouted, 1), (Undecodable, 1)];
        assert_eq!(audit.fates, BTreeMap::from(fates));
        assert_eq!(audit.received, 5);
        assert_eq!(
            audit.destinations["soc"],
            BTreeMap::from([(Sent, 1), (Folded, 2), (Waiting, 1)])
        );
        assert_eq!(audit.destinations["mail"], BTreeMap::from([(Dead, 3)]));
    }

    #[test]
    fn what_is_missing_counted_twice_or_out_of_place_is_told() {
        use Account::{Folded, Sent};
        let whole = fold(5, &[[1, 5]], &[("soc", Sent, 1), ("soc", Folded, 4)]);
        assert!(audit(vec![whole.clone()], vec![]).balanced);
        let wrong = [
            (
                fold(4, &[[1, 4]], &[("soc", Sent, 4)]),
                "event 5 has no fate",
            ),
            (fold(5, &[[1, 5]], &[("soc", Sent, 4)]), "add up to 4"),
            (
                fold(4, &[[1, 5]], &[("soc", Sent, 5)]),
                "lists 5 events and counts 4",
            ),
            (
                fold(5, &[[1, 4], [6, 6]], &[("soc", Sent, 5)]),
                "event 6 is in a batch",
            ),
            (fold(5, &[[1, 5]], &[]), "no fate at all"),
        ];
        for (fold, told) in wrong {
            let audit = audit(vec![fold], vec![]);
            assert!(!audit.balanced);
            let problems = audit.problems.join("; ");
            assert!(problems.contains(told), "{problems}");
        }
        let audit = audit(vec![whole], vec![3]);
        assert_eq!(audit.problems, ["event 3 is unreadable and has a fate"]);
    }
}
