//! What Falco itself takes: rules files, `falco.yaml` keys and command lines.
//!
//! Everything that a report asks a reader to paste into Falco is checked here first. The checks
//! refuse what the engine refuses, and also what it takes by mistake: a value that is silently split
//! or expanded, an exception keyed on what changes at every start, an item that defines nothing.
//! Verdicts were measured on Falco 0.40 and 0.44; the facts (fields, macros, lists, events, keys) are
//! those of falcosecurity/libs, rules, plugins and falco.

mod command;
mod condition;
mod config;
mod exception;
mod fields;
mod names;
mod output;
mod rules;
mod value;

pub use command::check_command;
pub use config::{check_config, check_key, is_key};
pub use fields::check_field;
pub use names::is_macro_or_list;
pub use rules::check_rules;
pub use value::{MAX_VALUE_BYTES, quoted};

/// Why a snippet would not do what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Fault {
    /// Where: an item, a key, a flag.
    pub place: String,
    /// What is wrong and what would be right.
    pub what: String,
}

impl Fault {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }
}

#[cfg(test)]
mod tests;
