//! Inhibition: alerts that make others superfluous, with Alertmanager's meaning.
//!
//! Falco knows no resolved alerts, so a source inhibits for a while after its last alert.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::condition::{Condition, ConditionError, Operand, Record, is_field_name};
use crate::units::Span;

/// An entry of `inhibit`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InhibitConfig {
    /// The alerts that make others superfluous.
    #[schemars(with = "Condition")]
    pub source_when: String,
    /// The alerts that are not said meanwhile. One that is a source too is said.
    #[schemars(with = "Condition")]
    pub target_when: String,
    /// Fields that source and target have in common. A missing field equals a missing field.
    #[serde(default)]
    pub equal: Vec<String>,
    /// For how long after the last alert of the source. Default 1h.
    #[serde(default = "an_hour")]
    pub lasts: Span,
}

fn an_hour() -> Span {
    Span(Duration::from_hours(1))
}

/// Why an entry is refused; begins with its place.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InhibitError {
    /// A condition does not compile.
    #[error("inhibit[{index}].{key}: {error}")]
    When {
        /// The entry.
        index: usize,
        /// Which of its conditions.
        key: &'static str,
        /// What is wrong with it, shown with a caret.
        error: ConditionError,
    },
    /// A field to compare is not a field.
    #[error("inhibit[{index}].equal: `{}` is not a field; write it like container.id", .field.escape_debug())]
    Field {
        /// The entry.
        index: usize,
        /// The text that stands for a field.
        field: String,
    },
}

/// A compiled entry.
#[derive(Clone, Debug, PartialEq)]
struct Inhibition {
    source: Condition,
    target: Condition,
    equal: Vec<String>,
    lasts: Duration,
}

/// All entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inhibitions(Vec<Inhibition>);

/// What a source and its targets have in common: the entry and the values of its fields. It does not
/// depend on the entry's place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InhibitKey(pub [u8; 16]);

impl Inhibitions {
    /// Compiles the section.
    pub fn try_new(config: &[InhibitConfig]) -> Result<Self, InhibitError> {
        let entries = config.iter().enumerate().map(|(index, entry)| {
            let parse = |key, text: &str| {
                Condition::parse(text).map_err(|error| InhibitError::When { index, key, error })
            };
            if let Some(field) = entry.equal.iter().find(|field| !is_field_name(field)) {
                let field = field.clone();
                return Err(InhibitError::Field { index, field });
            }
            Ok(Inhibition {
                source: parse("source_when", &entry.source_when)?,
                target: parse("target_when", &entry.target_when)?,
                equal: entry.equal.clone(),
                lasts: entry.lasts.0,
            })
        });
        entries.collect::<Result<_, _>>().map(Self)
    }

    /// What an alert inhibits from now on.
    pub fn sources(&self, alert: &dyn Record) -> Vec<InhibitKey> {
        let sources = self.0.iter().filter(|entry| entry.source.eval(alert));
        sources.map(|entry| entry.key(alert)).collect()
    }

    /// What inhibits an alert, and for how long after the source.
    pub fn targets(&self, alert: &dyn Record) -> Vec<(InhibitKey, Duration)> {
        let targets = self.0.iter().filter(|entry| {
            // Or it would inhibit itself.
            entry.target.eval(alert) && !entry.source.eval(alert)
        });
        targets
            .map(|entry| (entry.key(alert), entry.lasts))
            .collect()
    }
}

impl Inhibition {
    fn key(&self, alert: &dyn Record) -> InhibitKey {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        };
        part(&self.source.to_string());
        part(&self.target.to_string());
        for name in &self.equal {
            part(name);
            let value = alert.field(name);
            part(&value.map(Operand::into_text).unwrap_or_default());
        }
        let mut key = [0; 16];
        key.iter_mut()
            .zip(hash.finalize())
            .for_each(|(to, from)| *to = from);
        InhibitKey(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Alert(&'static [(&'static str, &'static str)]);

    impl Record for Alert {
        fn field(&self, name: &str) -> Option<Operand<'_>> {
            let found = self.0.iter().find(|(field, _)| *field == name)?;
            Some(Operand::Text(found.1.into()))
        }
    }

    fn inhibitions() -> Inhibitions {
        let config: Vec<InhibitConfig> = serde_saphyr::from_str(
            "[{ source_when: rule = miner, target_when: 'rule in (miner, shell)', equal: [container.id], lasts: 10m }]",
        )
        .unwrap();
        Inhibitions::try_new(&config).unwrap()
    }

    #[test]
    fn a_source_inhibits_targets_that_share_the_fields_and_never_itself() {
        let inhibitions = inhibitions();
        let source = Alert(&[("rule", "miner"), ("container.id", "a")]);
        let here = Alert(&[("rule", "shell"), ("container.id", "a")]);
        let there = Alert(&[("rule", "shell"), ("container.id", "b")]);
        let key = inhibitions.sources(&source)[0];
        let ten_minutes = Duration::from_mins(10);
        assert_eq!(inhibitions.targets(&here), [(key, ten_minutes)]);
        assert_ne!(inhibitions.targets(&there), [(key, ten_minutes)]);
        assert_eq!(inhibitions.targets(&source), []);
        assert_eq!(inhibitions.sources(&here), []);
    }

    #[test]
    fn a_missing_field_equals_a_missing_field() {
        let inhibitions = inhibitions();
        let key = inhibitions.sources(&Alert(&[("rule", "miner")]))[0];
        assert_eq!(inhibitions.targets(&Alert(&[("rule", "shell")]))[0].0, key);
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let refuse = |yaml: &str| {
            let config: Vec<InhibitConfig> = serde_saphyr::from_str(yaml).unwrap();
            Inhibitions::try_new(&config).unwrap_err().to_string()
        };
        let field = refuse("[{ source_when: rule = a, target_when: rule = b, equal: ['a b'] }]");
        assert_eq!(
            field,
            "inhibit[0].equal: `a b` is not a field; write it like container.id"
        );
        let when = refuse("[{ source_when: rule =, target_when: rule = b }]");
        assert!(when.starts_with("inhibit[0].source_when: "), "{when}");
    }
}
