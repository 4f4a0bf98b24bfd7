//! stub
use super::Category;
use crate::event::Priority;

/// What Herald knows about one official rule.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The rule's name.
    pub rule: String,
    /// `stable`, `incubating`, `sandbox`, `deprecated`; `None` for plugin rules.
    pub maturity: Option<String>,
    /// The event source it belongs to.
    pub source: String,
    /// The priority upstream gave it.
    pub priority: Priority,
    /// The rule's tags.
    pub tags: Vec<String>,
    /// The fields its output names.
    pub output_fields: Vec<String>,
    /// Its category.
    pub category: Category,
    /// A second category it touches.
    pub category_secondary: Option<Category>,
    /// MITRE tactics.
    pub tactics: Vec<String>,
    /// MITRE techniques.
    pub techniques: Vec<String>,
    /// Whether upstream ships it enabled.
    pub enabled_by_default: bool,
}

/// The catalogue of official rules.
#[derive(Debug)]
pub struct Catalogue;
