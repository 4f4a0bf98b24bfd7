//! Silences: what a person hides for a time.

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
}
