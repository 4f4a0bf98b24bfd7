//! What an event means: category, severity, MITRE tactic and technique, by rule and priority.
//!
//! The facts about the 258 official rules are compiled in from `classify/catalogue.json`; unknown
//! rules are classified by source, tags and words. A config section overrides both.

mod catalogue;
mod category;
mod guess;
mod mitre;
mod overrides;

use std::borrow::Cow;

use jiff::Timestamp;

use crate::event::{Event, EventId, Priority, Untrusted, Value};
use crate::route::condition::{Operand, Record};

pub use catalogue::{Catalogue, Entry, Hook};
pub use category::Category;
pub use overrides::{Classifier, ClassifyConfig, ClassifyError, OverrideConfig, doubts};

/// An event after classification.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its position in the inbox.
    pub id: EventId,
    /// When Herald received it; windows and timers use this time.
    pub received: Timestamp,
    /// The event as posted.
    pub event: Event,
    /// What kind of trouble it is.
    pub category: Category,
    /// How severe it is for this site: Falco's priority unless the config says otherwise.
    pub severity: Priority,
    /// MITRE ATT&CK tactics, such as `credential_access`, from our lists and the rule's tags.
    pub tactics: Vec<String>,
    /// MITRE ATT&CK techniques, such as `T1555`.
    pub techniques: Vec<String>,
    /// Whether it speaks of an attack, of the sensor itself, or of a test.
    pub nature: Nature,
    /// What the catalogue knows about the rule.
    pub entry: Option<&'static Entry>,
    /// A runbook of the site, from the config.
    pub runbook: Option<String>,
}

/// What an alert speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nature {
    /// Something that happened on a monitored host.
    Security,
    /// Falco's own state: drops, time-outs, metrics.
    SensorHealth,
    /// The self-test of Falcosidekick or Herald: goes only to test routes.
    Test,
}

impl Record for Alert {
    /// The names below, otherwise the output field of that name. Only lists allocate.
    fn field(&self, name: &str) -> Option<Operand<'_>> {
        let event = &self.event;
        match name {
            "rule" => text(&event.rule),
            "source" => text(&event.source),
            "hostname" => text(&event.hostname),
            "output" => text(&event.output),
            "priority" => Some(Operand::Priority(event.priority)),
            "severity" => Some(Operand::Priority(self.severity)),
            "category" => Some(Operand::Text(Cow::Borrowed(self.category.id()))),
            "tags" => {
                let tags = event.tags.iter().filter(|tag| !tag.is_missing());
                list(tags.map(|tag| Cow::Borrowed(tag.raw())).collect())
            }
            "tactic" => list(
                self.tactics
                    .iter()
                    .map(|name| Cow::Borrowed(name.as_str()))
                    .collect(),
            ),
            "technique" => list(
                self.techniques
                    .iter()
                    .map(|id| Cow::Borrowed(id.as_str()))
                    .collect(),
            ),
            name => match event.output_fields.get(name)? {
                Value::List(items) => {
                    let items = items.iter().filter(|item| !item.is_missing());
                    list(items.map(Value::to_text).collect())
                }
                value => Some(Operand::Text(value.to_text())),
            },
        }
    }
}

fn text(value: &Untrusted) -> Option<Operand<'_>> {
    (!value.is_missing()).then(|| Operand::Text(Cow::Borrowed(value.raw())))
}

fn list(items: Vec<Cow<'_, str>>) -> Option<Operand<'_>> {
    (!items.is_empty()).then_some(Operand::List(items))
}

#[cfg(test)]
mod tests;
