//! stub
use super::{Report, Subject};
use std::path::Path;

/// Why a template was refused or a report could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct RenderError;

/// The compiled templates.
#[derive(Debug, Default)]
pub struct Engine;

impl Engine {
    /// The built-in templates, overridden by the files of `dir` where they exist.
    pub fn try_new(_dir: Option<&Path>) -> Result<Self, RenderError> {
        Ok(Self)
    }

    /// Renders the report.
    pub fn render(&self, _subject: &Subject<'_>) -> Result<Report, RenderError> {
        todo!()
    }
}
