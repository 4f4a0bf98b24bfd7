//! Silences: what a person hides for a time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::condition::{Condition, Record};
use crate::event::Priority;

/// Row of a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SilenceId(pub i64);

/// What a person hides for a time. What it hides is counted, and told when it ends.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Silence {
    /// Its row; zero until it is stored.
    pub id: SilenceId,
    /// Which alerts it hides.
    pub when: Condition,
    /// Who made it.
    pub by: String,
    /// Why.
    pub comment: String,
    /// It hides what is received from then on.
    pub starts: Timestamp,
    /// It hides nothing from then on.
    pub ends: Timestamp,
    /// Whether it hides even what is at or above the ceiling.
    pub above_ceiling: bool,
    /// How many events it has hidden.
    pub hidden: u64,
    /// Whether it is over and what it hid has been told.
    pub ended: bool,
    /// What it was made against, and what has broken through since.
    #[serde(skip)]
    pub known: Known,
}

/// Values of one kind that a silence keeps in mind; what is new beyond them is hidden.
const KNOWN_CAP: usize = 1_000;

/// The rules, workloads and severities that are no news under a silence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Rules.
    pub rules: BTreeSet<String>,
    /// Workloads: what outlives single pods.
    pub workloads: BTreeSet<String>,
    /// The highest severity.
    pub severity: Option<Priority>,
}

/// What is new under a silence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Novelty {
    /// A rule that had not fired.
    Rule(String),
    /// A workload where nothing had fired.
    Workload(String),
    /// A severity that had not been reached.
    Severity(Priority),
}

impl Known {
    /// What would be new of an alert.
    pub fn news(&self, rule: &str, workload: Option<&str>, severity: Priority) -> Vec<Novelty> {
        let is_new = |known: &BTreeSet<String>, value: &str| {
            !known.contains(value) && known.len() < KNOWN_CAP
        };
        let rule = is_new(&self.rules, rule).then(|| Novelty::Rule(rule.to_owned()));
        let workload = workload.filter(|workload| is_new(&self.workloads, workload));
        let worse = self.severity.is_none_or(|known| severity > known);
        rule.into_iter()
            .chain(workload.map(|workload| Novelty::Workload(workload.to_owned())))
            .chain(worse.then_some(Novelty::Severity(severity)))
            .collect()
    }

    /// Takes note of it.
    pub fn learn(&mut self, novelty: Novelty) {
        match novelty {
            Novelty::Rule(rule) => drop(self.rules.insert(rule)),
            Novelty::Workload(workload) => drop(self.workloads.insert(workload)),
            Novelty::Severity(severity) => self.severity = self.severity.max(Some(severity)),
        }
    }
}

impl Silence {
    /// Whether it hides an alert. At or above `ceiling` only when it was made for that.
    pub fn hides(
        &self,
        alert: &dyn Record,
        received: Timestamp,
        severity: Priority,
        ceiling: Priority,
    ) -> bool {
        (self.starts..self.ends).contains(&received)
            && (severity < ceiling || self.above_ceiling)
            && self.when.eval(alert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::condition::Operand;

    struct Shell;

    impl Record for Shell {
        fn field(&self, name: &str) -> Option<Operand<'_>> {
            (name == "proc.name").then_some(Operand::Text("sh".into()))
        }
    }

    #[test]
    fn a_silence_hides_what_matches_in_its_time_and_below_the_ceiling() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut silence = Silence {
            id: SilenceId(1),
            when: Condition::parse("proc.name = sh").unwrap(),
            by: "kim".to_owned(),
            comment: String::new(),
            starts: at(10),
            ends: at(20),
            above_ceiling: false,
            hidden: 0,
            ended: false,
            known: Known::default(),
        };
        let hides = |silence: &Silence, second, severity| {
            silence.hides(&Shell, at(second), severity, Priority::Critical)
        };
        let in_time = [9, 10, 19, 20].map(|second| hides(&silence, second, Priority::Error));
        assert_eq!(in_time, [false, true, true, false]);
        assert!(!hides(&silence, 15, Priority::Critical));
        silence.above_ceiling = true;
        assert!(hides(&silence, 15, Priority::Critical));
        silence.when = Condition::parse("proc.name = bash").unwrap();
        assert!(!hides(&silence, 15, Priority::Error));
    }

    #[test]
    fn a_new_rule_workload_or_severity_is_news_once() {
        let mut known = Known::default();
        let first = known.news("shell", Some("web/nginx"), Priority::Notice);
        assert_eq!(first.len(), 3);
        for news in first {
            known.learn(news);
        }
        assert_eq!(known.news("shell", Some("web/nginx"), Priority::Notice), []);
        assert_eq!(known.news("shell", None, Priority::Debug), []);
        assert_eq!(
            known.news("shell", Some("web/redis"), Priority::Error),
            [
                Novelty::Workload("web/redis".to_owned()),
                Novelty::Severity(Priority::Error)
            ]
        );
        assert_eq!(
            known.news("miner", Some("web/nginx"), Priority::Notice),
            [Novelty::Rule("miner".to_owned())]
        );
    }
}
