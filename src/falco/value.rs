//! Values as Falco's condition language needs them.
//!
//! The engine puts an exception's value into the text of a condition. Text with a blank it wraps in
//! double quotes without escaping; text that begins and ends with a quote it uses as it is; other
//! text goes in bare. Only text in inner double quotes with `\` and `"` escaped always means itself.

use super::fields::Kind;
use super::names::NAMES;

/// The longest text that an operator takes, in bytes of UTF-8.
pub const MAX_VALUE_BYTES: usize = 255;

/// A value in inner double quotes; `None` when the engine takes it in no form.
pub fn quoted(value: &str) -> Option<String> {
    let fits = !value.is_empty() && value.len() <= MAX_VALUE_BYTES && !value.ends_with('\\');
    fits.then(|| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// The text between quotes with its escapes undone.
pub(super) fn unquoted(written: &str) -> Result<String, String> {
    let quote = written.chars().next().unwrap_or_default();
    let inner = written
        .strip_prefix(quote)
        .and_then(|rest| rest.strip_suffix(quote))
        .filter(|_| written.len() >= 2)
        .ok_or_else(|| format!("{written} has no closing quote"))?;
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == quote {
            return Err(format!("{written} holds a quote that is not escaped"));
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        text.push(match chars.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(c @ ('\\' | '"' | '\'')) => c,
            _ => {
                return Err(format!(
                    "{written} holds an escape that Falco does not know"
                ));
            }
        });
    }
    if text.ends_with('\\') {
        return Err(format!(
            "{written} ends in a backslash, which Falco cannot read"
        ));
    }
    Ok(text)
}

/// What an exception's value means to the engine, or why it does not mean what is written.
pub(super) fn meaning(written: &str, in_list: bool) -> Result<String, String> {
    if written.is_empty() {
        return Err("an empty value is refused".to_owned());
    }
    let bounded =
        |quote| written.len() >= 2 && written.starts_with(quote) && written.ends_with(quote);
    if bounded('"') || bounded('\'') {
        return unquoted(written);
    }
    let how = "write it in inner double quotes: '\"...\"'";
    if written.contains('"') {
        return Err(format!("{written} holds a quote; {how}"));
    }
    if written.contains(' ') {
        if written.contains('\\') {
            return Err(format!(
                "{written} would be read with other characters for its backslashes; {how}"
            ));
        }
        return Ok(written.to_owned());
    }
    if written.contains(['(', ')', '=', '\'', '\t', '\n', '\r']) {
        return Err(format!("{written} would break the condition; {how}"));
    }
    if written.contains(',') {
        return Err(if in_list {
            format!("{written} would be split into several values; {how}")
        } else {
            format!("{written} would break the condition; {how}")
        });
    }
    if in_list && NAMES.lists.contains(written) {
        return Err(format!(
            "{written} is also a list and would be expanded; {how}"
        ));
    }
    Ok(written.to_owned())
}

/// Whether a text can be compared with a field of this kind.
pub(super) fn fits(kind: Kind, is_event_type: bool, text: &str) -> Result<(), String> {
    let number = || text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() || is_hex(text);
    let right = match kind {
        Kind::Text if is_event_type => NAMES.events.contains(text),
        Kind::Text => true,
        Kind::Number => number(),
        Kind::Port => number() || text.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
        Kind::Boolean => matches!(text, "true" | "false"),
        Kind::Address => text.parse::<std::net::IpAddr>().is_ok(),
        Kind::Network => text.split_once('/').is_some_and(|(address, bits)| {
            address.parse::<std::net::IpAddr>().is_ok()
                && bits.parse::<u8>().is_ok_and(|bits| bits <= 128)
        }),
    };
    let what = match kind {
        Kind::Text => "the name of an event",
        Kind::Number => "a number",
        Kind::Port => "a port",
        Kind::Boolean => "`true` or `false`",
        Kind::Address => "an IP address",
        Kind::Network => "a network such as 10.0.0.0/8",
    };
    if !right {
        return Err(format!("`{text}` is not {what}"));
    }
    if text.len() > MAX_VALUE_BYTES {
        return Err(format!("a value is longer than {MAX_VALUE_BYTES} bytes"));
    }
    Ok(())
}

fn is_hex(text: &str) -> bool {
    text.strip_prefix("0x")
        .is_some_and(|digits| u64::from_str_radix(digits, 16).is_ok())
}
