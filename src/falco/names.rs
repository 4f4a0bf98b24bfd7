//! Names that the official rules files define, and Falco's event names.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::Deserialize;

/// Priorities as rules files and falco.yaml spell them, in any case.
pub(super) const PRIORITIES: [&str; 9] = [
    "emergency",
    "alert",
    "critical",
    "error",
    "warning",
    "notice",
    "info",
    "informational",
    "debug",
];

/// Names of macros, lists and events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    /// Macros of the official rules files.
    pub(super) macros: HashSet<String>,
    /// Lists of the official rules files.
    pub(super) lists: HashSet<String>,
    /// What `evt.type` can be.
    pub(super) events: HashSet<String>,
    /// The macros of system calls that restrict `evt.type`.
    pub(super) typed: HashSet<String>,
}

/// Whether the official rules files define a macro or a list of this name.
pub fn is_macro_or_list(name: &str) -> bool {
    NAMES.macros.contains(name) || NAMES.lists.contains(name)
}

pub(super) static NAMES: LazyLock<Names> = LazyLock::new(|| {
    serde_json::from_str(include_str!("names.json"))
        .expect("the names are compiled in, and a test reads them")
});
