//! stub
use super::Alert;
use crate::event::{Event, EventId};
use jiff::Timestamp;

/// The `classify` section.
pub type ClassifyConfig = Vec<OverrideConfig>;

/// One entry of the `classify` section.
#[derive(Clone, Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideConfig {}

/// Why the section is refused.
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct ClassifyError;

/// Classifies events.
#[derive(Clone, Debug, Default)]
pub struct Classifier;

impl Classifier {
    /// Compiles the config section.
    pub fn try_new(_config: &ClassifyConfig) -> Result<Self, ClassifyError> {
        Ok(Self)
    }

    /// What the event means.
    pub fn classify(&self, _id: EventId, _received: Timestamp, _event: Event) -> Alert {
        todo!()
    }
}
