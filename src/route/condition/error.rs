//! Where and why a condition does not compile.

use std::fmt;

/// How many characters of a line are shown.
const WIDTH: usize = 100;

/// Why a condition is refused. Prints the reason, then the line with a caret under the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConditionError {
    message: String,
    line: usize,
    column: usize,
    snippet: String,
    caret: usize,
}

impl ConditionError {
    /// `at` is the byte offset in `source` that the message speaks of.
    pub(super) fn new(source: &str, at: usize, message: impl Into<String>) -> Self {
        let before = source.get(..at).unwrap_or(source);
        let line = before.matches('\n').count();
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count();
        let text = source.split('\n').nth(line).unwrap_or_default();
        let skipped = if column < WIDTH {
            0
        } else {
            column - WIDTH / 2
        };
        let mut snippet = String::new();
        if skipped > 0 {
            snippet.push('…');
        }
        // A tab would move the caret; other control characters have no place on a terminal.
        let shown = text.chars().skip(skipped).take(WIDTH);
        snippet.extend(shown.map(|c| if c.is_control() { ' ' } else { c }));
        let caret = column - skipped + usize::from(skipped > 0);
        let snippet = snippet.trim_end().to_owned();
        Self {
            message: message.into(),
            line: line + 1,
            column: column + 1,
            snippet,
            caret,
        }
    }

    /// The reason alone, on one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line within the condition, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The character within the line, counted from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            message,
            snippet,
            caret,
            ..
        } = self;
        write!(f, "{message}\n  {snippet}\n  {:caret$}^", "")
    }
}
