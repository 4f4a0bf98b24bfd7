//! A line of prose made of our words and of an event's text, kept apart until the position is known.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};

use crate::markup::escape::{code_span, inline, table_cell};
use crate::markup::visible::{one_line, truncate};

/// Words of ours and values of an event, in order. In a template it prints as Markdown prose, with
/// each value in a code span; the filters encode it for other positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Phrase(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Ours: free of Markdown, printed as it is.
    Words(Cow<'static, str>),
    /// Of the event: shown exactly, in a code span.
    Value(String),
    /// Of the event, but part of the sentence: a rule's name.
    Name(String),
}

/// Characters of a value shown in prose; the evidence holds more of it.
const MAX_IN_PROSE: usize = 160;
/// Characters of a value shown in a table of facts.
const MAX_IN_CELL: usize = 400;

impl Phrase {
    /// An empty phrase.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A phrase of our own words only.
    pub(super) fn of(words: impl Into<Cow<'static, str>>) -> Self {
        Self::new().words(words)
    }

    /// A phrase of one value.
    pub(super) fn of_value(value: impl Into<String>) -> Self {
        Self::new().value(value)
    }

    /// Adds words of ours.
    #[must_use]
    pub(super) fn words(mut self, words: impl Into<Cow<'static, str>>) -> Self {
        self.0.push(Part::Words(words.into()));
        self
    }

    /// Adds a value of the event.
    #[must_use]
    pub(super) fn value(mut self, value: impl Into<String>) -> Self {
        self.0.push(Part::Value(value.into()));
        self
    }

    /// Adds a name of the event that is read as part of the sentence.
    #[must_use]
    pub(super) fn name(mut self, name: impl Into<String>) -> Self {
        self.0.push(Part::Name(name.into()));
        self
    }

    /// Adds another phrase.
    #[must_use]
    pub(super) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Adds another phrase with words between, when both are there.
    #[must_use]
    pub(super) fn join(self, between: &'static str, other: Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (_, true) => self,
            (true, false) => other,
            (false, false) => self.words(between).then(other),
        }
    }

    /// Whether nothing has been said.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values, joined: what a filter for one value works on.
    pub(super) fn raw(&self) -> String {
        let text = |part: &Part| match part {
            Part::Words(text) => text.to_string(),
            Part::Value(text) | Part::Name(text) => text.clone(),
        };
        self.0.iter().map(text).collect()
    }

    /// As Markdown prose.
    pub(super) fn prose(&self) -> String {
        self.write(
            |value| code_span(&truncate(value, MAX_IN_PROSE)),
            |name| inline(&truncate(name, MAX_IN_PROSE)),
        )
    }

    /// As the content of a table cell.
    pub(super) fn cell(&self) -> String {
        self.write(
            |value| table_cell(&truncate(value, MAX_IN_CELL)),
            |name| inline(&truncate(name, MAX_IN_CELL)),
        )
    }

    /// As plain text of one line, without hidden characters.
    pub(super) fn plain(&self) -> String {
        self.write(
            |value| format!("“{}”", one_line(&truncate(value, MAX_IN_PROSE))),
            |name| one_line(&truncate(name, MAX_IN_PROSE)).into_owned(),
        )
    }

    fn write(&self, value: impl Fn(&str) -> String, name: impl Fn(&str) -> String) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Words(words) => out.push_str(words),
                Part::Value(text) => out.push_str(&value(text)),
                Part::Name(text) => out.push_str(&name(text)),
            }
        }
        out
    }
}

/// The phrases with commas between, and a word before the last.
pub(super) fn list(phrases: impl IntoIterator<Item = Phrase>, last: &'static str) -> Phrase {
    let mut phrases: Vec<_> = phrases
        .into_iter()
        .filter(|phrase| !phrase.is_empty())
        .collect();
    let end = phrases.pop().unwrap_or_default();
    let head = phrases
        .into_iter()
        .fold(Phrase::new(), |all, phrase| all.join(", ", phrase));
    head.join(last, end)
}

impl Object for Phrase {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.is_empty()
    }

    /// Reached when a template joins or compares phrases as strings; the result is a plain string,
    /// which the formatter escapes.
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_for_their_position() {
        let phrase = Phrase::of("ran ").value("a|b\n*").words(" as ").name("x_y");
        assert_eq!(phrase.prose(), r"ran `a|b\u{A}*` as x\_y");
        assert_eq!(phrase.cell(), r"ran `a\|b\u{A}*` as x\_y");
        assert_eq!(phrase.plain(), r"ran “a|b\u{A}*” as x_y");
    }

    #[test]
    fn lists_read_as_sentences() {
        let three = ["a", "b", "c"].map(Phrase::of);
        assert_eq!(list(three, " and ").prose(), "a, b and c");
        assert_eq!(list([Phrase::new(), Phrase::of("a")], " and ").prose(), "a");
    }
}
