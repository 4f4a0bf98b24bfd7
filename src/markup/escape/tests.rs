//! The judge is pulldown-cmark: what it reads back must be the value, and nothing else may change.

use super::*;
use crate::markup::testing::{corpus, hostile_text};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser};

/// The structure around texts, and the texts joined.
fn read(markdown: &str) -> (Vec<String>, Vec<String>) {
    let options = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
    let mut structure = Vec::new();
    let mut texts = Vec::new();
    let mut in_text = false;
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Text(text) => {
                if let Some(last) = texts.last_mut().filter(|_| in_text) {
                    String::push_str(last, &text);
                } else {
                    structure.push("text".to_owned());
                    texts.push(text.into_string());
                }
                in_text = true;
                continue;
            }
            Event::Code(text) => {
                structure.push("code".to_owned());
                texts.push(text.into_string());
            }
            other => structure.push(format!("{other:?}")),
        }
        in_text = false;
    }
    (structure, texts)
}

fn check(
    template: impl Fn(&str) -> String,
    slot: &str,
    plain: &str,
    shown: &str,
) -> Result<(), String> {
    let (structure, texts) = read(&template(slot));
    let (expected, plain_texts) = read(&template(plain));
    if structure != expected {
        return Err(format!(
            "structure changed: {structure:?} instead of {expected:?}"
        ));
    }
    let wanted: Vec<_> = plain_texts
        .iter()
        .map(|text| text.replace('x', shown))
        .collect();
    if texts != wanted {
        return Err(format!("text changed: {texts:?} instead of {wanted:?}"));
    }
    Ok(())
}

fn check_all(value: &str) -> Result<(), String> {
    let line = one_line(value).into_owned();
    if !line.is_empty() {
        for template in [
            |v: &str| format!("AA {v} BB\n\n[ref]: http://e\n"),
            |v: &str| format!("{v}\n"),
            |v: &str| format!("- {v}\n- BB\n"),
            |v: &str| format!("# AA {v}\n"),
            |v: &str| format!("> {v}\nAA\n"),
            |v: &str| format!("**{v}** BB"),
        ] {
            check(template, &inline(value), "x", &line)?;
        }
    }
    let shown = if line.is_empty() { r"\u{}" } else { &line };
    for template in [
        |v: &str| format!("AA {v} BB\n"),
        |v: &str| format!("- {v}\n"),
        |v: &str| format!("**AA** {v}, {v}\n"),
    ] {
        check(template, &code_span(value), "`x`", shown)?;
    }
    let cell = table_cell(value);
    let (structure, texts) = read(&format!("| A | B |\n|---|---|\n| {cell} | {cell} |\n"));
    let (expected, _) = read("| A | B |\n|---|---|\n| `x` | `x` |\n");
    // Parsers disagree about a pipe after a backslash, so it is a mark there.
    let wanted = |text: &String| text == shown || line.contains(r"\|") && text.contains(r"\u{7C}");
    if structure != expected || !texts.get(2).is_some_and(wanted) {
        return Err(format!("cell changed: {structure:?} {texts:?}"));
    }
    check(
        |v| format!("AA\n\n{v}\nBB\n"),
        &code_block(value, "text"),
        &code_block("x", "text"),
        &visible(value),
    )
}

#[test]
fn every_corpus_value_is_one_literal_text_in_every_position() {
    for row in corpus() {
        check_all(&row.value).unwrap_or_else(|why| panic!("{}: {why}", row.id));
    }
}

proptest! {
    #[test]
    fn any_value_is_one_literal_text_in_every_position(value in hostile_text()) {
        check_all(&value).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_shell_word_has_only_safe_or_quoted_characters(value in hostile_text()) {
        if let Some(word) = shell_word(&value) {
            prop_assert!(!word.chars().any(char::is_control));
            prop_assert_eq!(unquote(&word), value);
        }
    }
}

/// What a POSIX shell makes of one word.
fn unquote(word: &str) -> String {
    let mut out = String::new();
    let mut chars = word.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => out.extend(chars.by_ref().take_while(|c| *c != '\'')),
            '\\' => out.extend(chars.next()),
            _ => {
                assert!(
                    c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c),
                    "{c} is live"
                );
                out.push(c);
            }
        }
    }
    out
}

#[test]
fn examples_read_well() {
    assert_eq!(inline("a_b <c>"), r"a\_b \<c\>");
    assert_eq!(
        inline("Execution from /dev/shm, well-known (x)"),
        "Execution from /dev/shm, well-known (x)"
    );
    assert_eq!(inline("1. x "), r"1\. x&#32;");
    assert_eq!(code_span("sh -c `id`"), "`` sh -c `id` ``");
    assert_eq!(table_cell("a|b"), r"`a\|b`");
    assert_eq!(table_cell(r"a\|b"), r"`a\\\u{7C}b`");
    assert_eq!(
        code_block("a\n```\nb", "text"),
        "````text\na\n```\nb\n````\n"
    );
    assert_eq!(shell_word("6bc1b4be90d6").as_deref(), Some("6bc1b4be90d6"));
    assert_eq!(shell_word("it's $x").as_deref(), Some(r"'it'\''s $x'"));
    assert_eq!(shell_word(r"\u{41}").as_deref(), Some(r"'\u{41}'"));
    assert_eq!(shell_word(""), Some("''".into()));
    assert_eq!(shell_word("a\0b"), None);
    assert_eq!(shell_word("a\u{202e}b"), None);
    assert_eq!(shell_word("a\nb"), None);
}

/// An emitter that is wrong must not pass, or the checks prove nothing.
#[test]
fn the_checks_find_a_fence_of_fixed_length_and_text_that_is_escaped_twice() {
    let value = "a\n```\n# b";
    let three = |value: &str| format!("```text\n{value}\n```\n");
    let found = check(
        |v| format!("AA\n\n{v}\nBB\n"),
        &three(value),
        &three("x"),
        value,
    );
    assert!(found.unwrap_err().starts_with("structure changed"));
    let twice = inline(&inline("a*b"));
    let found = check(|v| format!("AA {v} BB\n"), &twice, "x", "a*b");
    assert!(found.unwrap_err().starts_with("text changed"));
}
