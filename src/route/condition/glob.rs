//! Patterns: `regex` and `glob` as Falco means them, compiled to regular expressions.
//!
//! The regex engine takes linear time, so no value can hang it, and a size limit keeps the compiled
//! form small.

use regex::{Regex, RegexBuilder};

/// The greatest size of a compiled pattern, in bytes.
const COMPILED_LIMIT: usize = 1 << 20;

/// A compiled pattern, equal to another when it was written the same.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) text: Box<str>,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    /// A regular expression that must match the whole value, as in Falco.
    pub(super) fn regex(text: &str) -> Result<Self, String> {
        // On its own first: `a)(b` would otherwise close the group around it.
        compile(text, false)?;
        Self::new(text, &whole(text), false)
    }

    /// A shell pattern that must match the whole value; `*` and `?` match `/` too, as in Falco.
    pub(super) fn glob(text: &str) -> Result<Self, String> {
        Self::new(text, &whole(&glob_to_regex(text)?), false)
    }

    /// Text to find anywhere, in any case.
    pub(super) fn any_case(text: &str) -> Result<Self, String> {
        Self::new(text, &regex::escape(text), true)
    }

    fn new(text: &str, regex: &str, any_case: bool) -> Result<Self, String> {
        Ok(Self {
            text: text.into(),
            regex: compile(regex, any_case)?,
        })
    }

    pub(super) fn matches(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }

    /// Whether the first match is the whole value.
    pub(super) fn covers(&self, value: &str) -> bool {
        self.regex
            .find(value)
            .is_some_and(|found| found.len() == value.len())
    }
}

fn whole(regex: &str) -> String {
    format!(r"\A(?:{regex})\z")
}

fn compile(regex: &str, any_case: bool) -> Result<Regex, String> {
    RegexBuilder::new(regex)
        .case_insensitive(any_case)
        // Otherwise a line break in a command line would get it past `.*`.
        .dot_matches_new_line(true)
        .size_limit(COMPILED_LIMIT)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
            // The parser's error draws its own caret over several lines; its last line says why.
            error => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                format!(
                    "the pattern does not compile: {}",
                    last.trim_start_matches("error: ")
                )
            }
        })
}

fn glob_to_regex(glob: &str) -> Result<String, String> {
    let mut regex = String::new();
    let mut chars = glob.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '\\' => {
                let escaped = chars.next().ok_or("the pattern ends in a backslash")?;
                push_literal(&mut regex, escaped);
            }
            '[' => {
                regex.push('[');
                if chars.next_if(|c| matches!(c, '!' | '^')).is_some() {
                    regex.push('^');
                }
                let mut first = true;
                loop {
                    match chars.next().ok_or("the pattern has a `[` without `]`")? {
                        ']' if !first => break,
                        '-' if !first && chars.peek() != Some(&']') => regex.push('-'),
                        '\\' => {
                            let escaped = chars.next().ok_or("the pattern ends in a backslash")?;
                            push_literal(&mut regex, escaped);
                        }
                        c => push_literal(&mut regex, c),
                    }
                    first = false;
                }
                regex.push(']');
            }
            c => push_literal(&mut regex, c),
        }
    }
    Ok(regex)
}

/// Escapes every ASCII sign, which the regex syntax allows, so that the same works inside `[...]`.
fn push_literal(regex: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        regex.push('\\');
    }
    regex.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_means_what_the_shell_means_and_crosses_slashes() {
        for (glob, value, holds) in [
            ("/etc/*", "/etc/ssh/sshd_config", true),
            ("/etc/?", "/etc/ab", false),
            ("*.so.[0-9]", "libc.so.6", true),
            ("*.so.[!0-9]", "libc.so.6", false),
            ("[]-]x", "-x", true),
            ("[]-]x", "]x", true),
            ("[a-]", "-", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            ("{a,b}", "a", false),
            ("a.c", "abc", false),
            ("*", "line\nbreak", true),
            ("caf?", "café", true),
            ("", "", true),
        ] {
            assert_eq!(
                Pattern::glob(glob).unwrap().matches(value),
                holds,
                "{glob} {value}"
            );
        }
        for glob in ["[", "[]", "[!]", "a\\", "[a\\"] {
            assert!(Pattern::glob(glob).is_err(), "{glob}");
        }
    }

    #[test]
    fn a_regex_must_match_the_whole_value() {
        let holds = |regex, value| Pattern::regex(regex).unwrap().matches(value);
        assert!(holds("a|ab", "ab"));
        assert!(!holds("b", "ab"));
        assert!(holds("curl.*", "curl x\ny"));
        assert!(Pattern::regex("a)(b").is_err());
        assert!(Pattern::regex(r"(\w{100}){100}").is_err());
        assert!(Pattern::regex("a{1000}{1000}").is_err());
    }
}
