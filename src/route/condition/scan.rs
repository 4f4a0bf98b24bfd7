//! Fields, values and words of a condition: how they are read and how they are written.

use std::fmt::{self, Write as _};

use super::ConditionError;

/// A position in the source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'a> {
    source: &'a str,
    pub(super) at: usize,
}

/// Words with a meaning of their own; as values they are written in quotes.
pub(super) const KEYWORDS: [&str; 3] = ["and", "or", "not"];

/// What ends a value without quotes, besides blanks; Falco's set.
const VALUE_ENDS: [char; 6] = ['(', ')', '"', '\'', '=', ','];

impl<'a> Scanner<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    pub(super) fn error(&self, at: usize, message: impl Into<String>) -> ConditionError {
        ConditionError::new(self.source, at, message)
    }

    pub(super) fn skip_blanks(&mut self) {
        self.at = self.source.len() - self.rest().trim_start().len();
    }

    /// Takes `text` if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// The run of letters, digits and `_` that comes next; may be empty.
    pub(super) fn word(&self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    /// Takes a word of the language if it stands next, alone.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let rest = self.rest().strip_prefix(word);
        let found = rest.is_some_and(|rest| {
            rest.chars()
                .next()
                .is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')'))
        });
        if found {
            self.at += word.len();
        }
        found
    }

    /// Takes a field name; empty when none comes next.
    pub(super) fn take_field(&mut self) -> &'a str {
        let rest = self.rest();
        let field = rest.get(..field_len(rest)).unwrap_or_default();
        self.at += field.len();
        field
    }

    /// Takes a value, quoted or not; `None` when none comes next.
    pub(super) fn take_value(&mut self) -> Result<Option<String>, ConditionError> {
        let rest = self.rest();
        if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
            return self.take_quoted(quote).map(Some);
        }
        let ends = |c: char| c.is_whitespace() || VALUE_ENDS.contains(&c);
        let value = rest
            .get(..rest.find(ends).unwrap_or(rest.len()))
            .unwrap_or_default();
        self.at += value.len();
        Ok((!value.is_empty()).then(|| value.to_owned()))
    }

    /// Falco's escapes: a backslash before `\ / " ' b f n r t`.
    fn take_quoted(&mut self, quote: char) -> Result<String, ConditionError> {
        let start = self.at;
        let mut value = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((offset, c)) = chars.next() {
            match c {
                '\\' => value.push(match chars.next() {
                    Some((_, c @ ('\\' | '/' | '"' | '\''))) => c,
                    Some((_, 'n')) => '\n',
                    Some((_, 'r')) => '\r',
                    Some((_, 't')) => '\t',
                    Some((_, 'b')) => '\u{8}',
                    Some((_, 'f')) => '\u{c}',
                    _ => {
                        let message = r"not an escape; write a backslash in quotes as `\\`";
                        return Err(self.error(start + offset, message));
                    }
                }),
                c if c == quote => {
                    self.at = start + offset + c.len_utf8();
                    return Ok(value);
                }
                c => value.push(c),
            }
        }
        Err(self.error(start, "this quote is not closed"))
    }
}

/// The length of the field name at the start of `text`: names joined by dots, each with an
/// optional argument in brackets, such as `proc.aname[2]` or `json.value[/a/b]`.
pub(super) fn field_len(text: &str) -> usize {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return 0;
    }
    let mut len = 0;
    let mut in_brackets = false;
    for (index, c) in text.char_indices() {
        let part = if in_brackets {
            in_brackets = c != ']';
            !c.is_whitespace() && !c.is_control()
        } else {
            in_brackets = c == '[';
            c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '[')
        };
        if !part {
            break;
        }
        if !in_brackets {
            len = index + c.len_utf8();
        }
    }
    len
}

/// A value as a condition would write it: in quotes only where needed.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0;
        let plain = |c: char| c.is_alphanumeric() || "_-./:@%+*?<>#$^|~".contains(c);
        if !text.is_empty() && text.chars().all(plain) && !KEYWORDS.contains(&text) {
            return f.write_str(text);
        }
        let quote = if text.contains('"') && !text.contains('\'') {
            '\''
        } else {
            '"'
        };
        f.write_char(quote)?;
        for c in text.chars() {
            match c {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\u{8}' => f.write_str("\\b")?,
                '\u{c}' => f.write_str("\\f")?,
                c => {
                    if c == '\\' || c == quote {
                        f.write_char('\\')?;
                    }
                    f.write_char(c)?;
                }
            }
        }
        f.write_char(quote)
    }
}
