//! The language of `when`: Falco's own filter syntax over the fields of an alert.
//!
//! ```text
//! priority >= warning and source = syscall
//! rule in ("Terminal shell in container", "Run shell untrusted") and not k8s.ns.name startswith dev
//! ```
//!
//! `and` binds closer than `or`; words are lower case, as in Falco. A field that is missing makes
//! every comparison false, `!=` too; `not` turns that around, and `FIELD exists` asks for it.
//! Numbers compare as numbers, whatever their length; `priority` and `severity` by how severe they
//! are. On a list, `in` asks for every item and `intersects` for some item to be in the set; every
//! other operator asks for some item, with `contains` meaning that it equals the value.
//!
//! Conditions are written by the operator and trusted. The values they meet are not: evaluation
//! cannot panic, and its time grows with the size of the values and no faster.

mod error;
mod expr;
mod glob;
mod leaf;
mod memo;
mod number;
mod operator;
mod parse;
mod scan;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

use crate::event::Priority;
use expr::Expr;
use leaf::Leaf;

pub use error::ConditionError;
pub(super) use memo::Memo;

/// What a condition sees of an alert.
pub trait Record {
    /// The value of a field; `None` when it is missing, null, empty or `<NA>`.
    fn field(&self, name: &str) -> Option<Operand<'_>>;
}

/// The value of a field as a condition sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand<'a> {
    /// Text, numbers (as their digits) and booleans (`true`, `false`).
    Text(Cow<'a, str>),
    /// A list field, or the tags.
    List(Vec<Cow<'a, str>>),
    /// `priority` and `severity`: ordered by severity.
    Priority(Priority),
}

impl<'a> Operand<'a> {
    /// The value as one text; list items are joined by `,`.
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::List(items) => Cow::Owned(items.join(",")),
            Self::Priority(level) => Cow::Borrowed(level.name()),
        }
    }
}

/// A compiled condition. It prints in a canonical form that parses back to an equal condition.
#[derive(Clone, PartialEq)]
pub struct Condition(Expr);

impl Condition {
    /// The greatest length of a condition, in bytes.
    pub const MAX_LEN: usize = 64 * 1024;

    /// How deep parentheses and `not` may be nested.
    pub const MAX_DEPTH: usize = 64;

    /// Compiles a condition, regular expressions included.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        parse::parse(text).map(Self)
    }

    /// The condition that each of these fields has its value. None without fields, or when a field or
    /// a value cannot stand in a condition.
    pub fn all_equal<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let terms: Vec<_> = fields
            .map(|(field, value)| format!("{field} = {}", scan::Quoted(value)))
            .collect();
        Self::parse(&terms.join(" and ")).ok()
    }

    /// Whether the condition holds for the record.
    pub fn eval(&self, record: &dyn Record) -> bool {
        self.0.eval(record)
    }

    /// The fields that the condition names, in order; a field that occurs twice comes twice.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.leaves().into_iter().map(Leaf::field)
    }

    /// Every comparison in the order it is written, with whether it holds for the record. All are
    /// evaluated, also where `and` or `or` would stop early.
    pub fn explain(&self, record: &dyn Record) -> Vec<(String, bool)> {
        let leaves = self.0.leaves();
        leaves
            .into_iter()
            .map(|leaf| (leaf.to_string(), leaf.eval(record)))
            .collect()
    }

    /// The values that a field is compared with for equality (`=`, `!=`, `in`, `intersects`), so
    /// that a check can find values that never occur.
    pub fn values_of<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        let leaves = self.0.leaves().into_iter();
        leaves
            .filter(move |leaf| leaf.field() == field)
            .flat_map(Leaf::exact_values)
    }
}

/// Whether `name` can stand as a field in a condition.
pub fn is_field_name(name: &str) -> bool {
    scan::field_len(name) == name.len() && !name.is_empty()
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({self})")
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        Self::parse(text)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": Self::MAX_LEN,
            "description": "A condition in Falco's filter syntax over the output fields and rule, \
                priority, source, hostname, tags, output, category, severity, tactic, technique; \
                such as: priority >= warning and not k8s.ns.name startswith dev",
        })
    }
}

#[cfg(test)]
mod tests;
