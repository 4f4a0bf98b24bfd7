//! stub
use crate::event::Priority;
use std::borrow::Cow;

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
