//! From event to alert: the catalogue first, then what the site says.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Alert, Catalogue, Category, Nature, guess, mitre};
use crate::event::{Event, EventId, INTERNAL_PREFIX, Priority, TEST_RULE};
use crate::route::condition::{Condition, ConditionError};

/// The `classify` section: the first entry that matches an alert decides, on top of the catalogue.
pub type ClassifyConfig = Vec<OverrideConfig>;

/// What the site says about the alerts that meet a condition.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideConfig {
    /// Which alerts. `severity` and `category` are those of the catalogue here.
    #[schemars(with = "Condition")]
    pub when: String,
    /// How severe these alerts are for this site, in place of Falco's priority.
    #[serde(default)]
    pub severity: Option<Priority>,
    /// What kind of trouble they are.
    #[serde(default)]
    pub category: Option<Category>,
    /// An http or https address with the site's own instructions, shown in reports.
    #[serde(default)]
    pub runbook: Option<String>,
}

/// Why the section is refused. The place is written as in the config: `classify[0].when`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ClassifyError {
    /// A condition does not compile.
    #[error("classify[{index}].when: {error}")]
    When {
        /// The entry, counted from 0.
        index: usize,
        /// What is wrong with it, shown with a caret.
        error: ConditionError,
    },
    /// An entry without effect.
    #[error("classify[{index}] changes nothing; set severity, category or runbook")]
    Nothing {
        /// The entry, counted from 0.
        index: usize,
    },
    /// Reports turn the runbook into a link, so nothing but web addresses may stand there.
    #[error("classify[{index}].runbook must be an http or https address without blanks")]
    Runbook {
        /// The entry, counted from 0.
        index: usize,
    },
}

/// Classifies events.
#[derive(Clone, Debug, Default)]
pub struct Classifier {
    overrides: Vec<Override>,
}

#[derive(Clone, Debug)]
struct Override {
    when: Condition,
    severity: Option<Priority>,
    category: Option<Category>,
    runbook: Option<String>,
}

impl Classifier {
    /// Compiles the config section.
    pub fn try_new(config: &ClassifyConfig) -> Result<Self, ClassifyError> {
        let overrides: Result<_, _> = config
            .iter()
            .enumerate()
            .map(|(index, entry)| Override::try_new(index, entry))
            .collect();
        Ok(Self {
            overrides: overrides?,
        })
    }

    /// What the event means.
    pub fn classify(&self, id: EventId, received: Timestamp, event: Event) -> Alert {
        let nature = nature(&event);
        let entry = Catalogue::builtin().get(event.rule.raw());
        let (tactics, techniques) = mitre::attack(entry, &event.tags);
        let category = match (nature, entry) {
            (Nature::Test, _) => Category::Other,
            (Nature::SensorHealth, _) => Category::FalcoHealth,
            (Nature::Security, Some(entry)) => entry.category,
            (Nature::Security, None) => guess::category(&event, &tactics, &techniques),
        };
        let severity = event.priority;
        let runbook = None;
        let mut alert = Alert {
            id,
            received,
            event,
            category,
            severity,
            tactics,
            techniques,
            nature,
            entry,
            runbook,
        };
        if let Some(over) = self.overrides.iter().find(|over| over.when.eval(&alert)) {
            alert.severity = over.severity.unwrap_or(alert.severity);
            alert.category = over.category.unwrap_or(alert.category);
            alert.runbook.clone_from(&over.runbook);
        }
        alert
    }

    /// Doubts about the section that `check` reports: values of conditions that never occur.
    pub fn doubts(&self) -> Vec<String> {
        let doubts = self.overrides.iter().enumerate().flat_map(|(index, over)| {
            let place = move |doubt| format!("classify[{index}].when: {doubt}");
            doubts(&over.when).into_iter().map(place)
        });
        doubts.collect()
    }
}

/// What `check` doubts about a condition, each as a sentence: categories that do not exist, and
/// names of official rules in another case.
pub fn doubts(condition: &Condition) -> Vec<String> {
    let categories = condition.values_of("category");
    let unknown = categories
        .filter(|id| Category::from_id(id).is_none())
        .map(|id| {
            let known: Vec<_> = Category::ALL.iter().map(|category| category.id()).collect();
            format!(
                "no alert has the category `{}`; use one of {}",
                id.escape_debug(),
                known.join(", ")
            )
        });
    let miswritten = condition.values_of("rule").filter_map(|name| {
        let catalogue = Catalogue::builtin();
        if catalogue.get(name).is_some() {
            return None;
        }
        let entry = catalogue
            .iter()
            .find(|entry| entry.rule.eq_ignore_ascii_case(name))?;
        Some(format!(
            "rule names are compared with their case; write `{}`",
            entry.rule
        ))
    });
    unknown.chain(miswritten).collect()
}

impl Override {
    fn try_new(index: usize, entry: &OverrideConfig) -> Result<Self, ClassifyError> {
        let OverrideConfig {
            when,
            severity,
            category,
            runbook,
        } = entry.clone();
        if severity.is_none() && category.is_none() && runbook.is_none() {
            return Err(ClassifyError::Nothing { index });
        }
        if runbook
            .as_deref()
            .is_some_and(|runbook| !is_web_address(runbook))
        {
            return Err(ClassifyError::Runbook { index });
        }
        let when = Condition::parse(&when).map_err(|error| ClassifyError::When { index, error })?;
        Ok(Self {
            when,
            severity,
            category,
            runbook,
        })
    }
}

fn is_web_address(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let hosted =
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['));
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>\"`\\".contains(c);
    hosted && !text.contains(odd)
}

fn nature(event: &Event) -> Nature {
    let rule = event.rule.raw();
    if rule == TEST_RULE {
        // Before the source: Falcosidekick sends its self-test as `internal`.
        Nature::Test
    } else if event.source.raw() == "internal" || rule.starts_with(INTERNAL_PREFIX) {
        Nature::SensorHealth
    } else {
        Nature::Security
    }
}
