//! What an event means: category, severity, MITRE tactic and technique, by rule and priority.
//!
//! The facts about the 258 official rules are compiled in from `classify/catalogue.json`; unknown
//! rules are classified by source, tags and words. A config section overrides both.

mod catalogue;
mod category;
mod overrides;

use std::borrow::Cow;

use crate::event::{Event, EventId, Priority};
use crate::route::condition::{Operand, Record};
use jiff::Timestamp;

pub use catalogue::{Catalogue, Entry};
pub use category::Category;
pub use overrides::{Classifier, ClassifyConfig, ClassifyError, OverrideConfig};

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
    fn field(&self, name: &str) -> Option<Operand<'_>> {
        let text = |text: &'_ str| (!text.is_empty() && text != "<NA>").then(|| text.to_owned());
        let event = &self.event;
        match name {
            "rule" => text(event.rule.raw()).map(|t| Operand::Text(Cow::Owned(t))),
            "priority" => Some(Operand::Priority(event.priority)),
            "severity" => Some(Operand::Priority(self.severity)),
            _ => None,
        }
    }
}
