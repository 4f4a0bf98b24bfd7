//! Markdown encoders, one per position. Each makes the value visible first and escapes it after.
//!
//! The output parses as one literal text in `CommonMark` with GFM tables, whatever the value is: the
//! structure around the slot stays what the template wrote.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::visible::{is_plain, one_line, push_mark, visible};

/// Prose: a literal text of one line. What could be live carries a backslash, and blanks at the ends
/// are written as entities, so that nothing at the start of a line is live.
pub fn inline(value: &str) -> String {
    literal(&one_line(value))
}

/// The same for a text whose hidden characters are marked already.
pub(super) fn literal(value: &str) -> String {
    let from_start = value.trim_start();
    let inner = from_start.trim_end();
    let (leading, _) = value.split_at(value.len() - from_start.len());
    let (_, trailing) = from_start.split_at(inner.len());
    let mut out = String::with_capacity(value.len() * 2);
    push_entities(&mut out, leading);
    let mut previous = ' ';
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        if is_live(previous, c, chars.peek().copied()) {
            out.push('\\');
        }
        out.push(c);
        previous = c;
    }
    push_entities(&mut out, trailing);
    out
}

/// Whether a punctuation character could mean something between these neighbours. Escaping all of
/// them would be right as well, but people read the source: `well-known` should stay `well-known`.
fn is_live(previous: char, c: char, next: Option<char>) -> bool {
    match c {
        '/' | ',' | ';' | '?' | '%' | '(' | '\'' | '"' => false,
        // Lists, rules and setext underlines begin after a blank or repeat themselves.
        '-' | '+' | '=' => !previous.is_alphanumeric() || !next.is_some_and(char::is_alphanumeric),
        // A numbered list has a blank after the full stop; `www.` begins a link in GFM.
        '.' => {
            !(previous.is_alphanumeric() && next.is_some_and(char::is_alphanumeric))
                || previous.eq_ignore_ascii_case(&'w')
        }
        ')' => previous.is_numeric(),
        ':' => next.is_some_and(|next| next != ' '),
        _ => c.is_ascii_punctuation(),
    }
}

fn push_entities(out: &mut String, text: &str) {
    for c in text.chars() {
        write!(out, "&#{};", u32::from(c)).expect("writing to a String cannot fail");
    }
}

/// A code span: the fence is longer than any run of backticks inside. An empty value shows as
/// `\u{}`, because an empty code span does not exist.
pub fn code_span(value: &str) -> String {
    fence_span(&one_line(value))
}

/// A code span for a cell of a GFM table. Pipes are escaped in the way that table parsers undo; a
/// pipe right after a backslash is shown as a mark, because parsers disagree about that pair.
pub fn table_cell(value: &str) -> String {
    fence_cell(&one_line(value))
}

/// The same for a text whose hidden characters are marked already.
pub(super) fn fence_cell(value: &str) -> String {
    if !value.contains('|') {
        return fence_span(value);
    }
    let mut out = String::with_capacity(value.len() + 8);
    let mut backslashes = 0_usize;
    for c in value.chars() {
        match c {
            '|' if backslashes > 0 => {
                out.extend(std::iter::repeat_n('\\', backslashes));
                push_mark(&mut out, c);
            }
            '|' => out.push_str("\\|"),
            _ => out.push(c),
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
    }
    fence_span(&out)
}

/// A code span of a text whose hidden characters are marked already.
pub(super) fn fence_span(value: &str) -> String {
    let value = if value.is_empty() { "\\u{}" } else { value };
    let fence = "`".repeat(longest_run(value, '`') + 1);
    let ends = |c| value.starts_with(c) || value.ends_with(c);
    // CommonMark takes one blank off each end when both ends have one and something else is there.
    let stripped =
        value.starts_with(' ') && value.ends_with(' ') && !value.trim_matches(' ').is_empty();
    let pad = if ends('`') || stripped { " " } else { "" };
    format!("{fence}{pad}{value}{pad}{fence}")
}

/// A fenced block, ending in a newline. The fence is longer than any run of backticks in the value;
/// `language` comes from the template, never from an event.
pub fn code_block(value: &str, language: &'static str) -> String {
    fence_block(&visible(value), language)
}

/// The same for a text whose hidden characters are marked already.
pub(super) fn fence_block(value: &str, language: &'static str) -> String {
    let fence = "`".repeat((longest_run(value, '`') + 1).max(3));
    format!("{fence}{language}\n{value}\n{fence}\n")
}

/// One word for a POSIX shell, or `None` when the value holds a character that is hidden or moves
/// the cursor: a terminal may act on it while it is pasted, and the reader would not see it.
pub fn shell_word(value: &str) -> Option<Cow<'_, str>> {
    let safe = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !is_plain(value) {
        return None;
    }
    // A word that begins with `=` or `~` is expanded by some shells.
    if !value.is_empty() && value.chars().all(safe) && !value.starts_with('=') {
        return Some(Cow::Borrowed(value));
    }
    Some(Cow::Owned(format!("'{}'", value.replace('\'', r"'\''"))))
}

fn longest_run(text: &str, wanted: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests;
