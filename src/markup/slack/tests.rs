//! The judge walks the JSON as Slack does: known types only, limits kept, texts literal.

use super::*;
use crate::event::Priority;
use crate::markup::escape::{code_block, code_span, inline, table_cell};
use crate::markup::testing::{corpus, hostile_text};
use crate::markup::visible::{one_line, visible};
use proptest::prelude::*;

fn report(value: &str) -> Report {
    Report {
        title: format!("Title {}", one_line(value)),
        lead: format!("Lead {}", one_line(value)),
        severity: Priority::Critical,
        markdown: format!(
            "# AA {}\n\n**Where** {}  \n**When** now\n\n## Part\n\nAA {} BB\n\n| h | i |\n|---|---|\n| {} | y |\n\n{}\n- {}\n\n1. {}\n\n> {}\n",
            inline(value),
            code_span(value),
            code_span(value),
            table_cell(value),
            code_block(value, "text"),
            code_span(value),
            code_span(value),
            code_span(value),
        ),
    }
}

/// Checks types and limits; returns the shape of the blocks and their texts.
fn walk(message: &SlackMessage) -> (String, Vec<String>) {
    assert!(!message.text.is_empty() && message.text.chars().count() <= 4_000);
    assert!(!message.text.contains(['<', '>']), "{}", message.text);
    assert!((1..=50).contains(&message.blocks.len()));
    let mut texts = Vec::new();
    let mut shape = String::new();
    for block in &message.blocks {
        let before = texts.len();
        walk_value(block, &mut shape, &mut texts);
        let chars: usize = texts[before..]
            .iter()
            .map(|text: &String| text.chars().count())
            .sum();
        assert!(chars <= 3_000, "{chars} characters in a block");
        if block["type"] == "header" {
            assert!((1..=150).contains(&chars));
            assert_eq!(block["text"]["type"], "plain_text");
        }
    }
    let total: usize = texts.iter().map(|text| text.chars().count()).sum();
    assert!(total <= 12_000, "{total} characters in a message");
    (shape, texts)
}

fn walk_value(value: &Value, shape: &mut String, texts: &mut Vec<String>) {
    let Some(object) = value.as_object() else {
        panic!("not an element: {value}")
    };
    let kind = object["type"].as_str().unwrap();
    let known = [
        "header",
        "divider",
        "rich_text",
        "rich_text_section",
        "rich_text_list",
        "rich_text_preformatted",
        "rich_text_quote",
        "text",
        "link",
        "plain_text",
    ];
    assert!(known.contains(&kind), "{kind}");
    shape.push_str(kind);
    shape.push_str(
        &object
            .get("style")
            .map(Value::to_string)
            .unwrap_or_default(),
    );
    shape.push('(');
    match &object.get("text") {
        Some(Value::String(text)) => {
            assert!(!text.is_empty());
            texts.push(text.clone());
        }
        Some(inner) => walk_value(inner, shape, texts),
        None => {}
    }
    if let Some(elements) = object.get("elements") {
        let elements = elements.as_array().unwrap();
        assert!(!elements.is_empty());
        for element in elements {
            walk_value(element, shape, texts);
        }
    }
    shape.push(')');
}

pub(in crate::markup) fn check(value: &str) -> Result<(), String> {
    let thread = message(&report(value));
    let plain = message(&report("x"));
    let (shape, texts) = walk(&thread.head);
    if shape != walk(&plain.head).0 {
        return Err(format!("head changed: {shape}"));
    }
    let short = value.chars().count() < 100 && !value.is_empty();
    let line = one_line(value).into_owned();
    if short && !texts.contains(&line) {
        return Err(format!("{line:?} is not in {texts:?}"));
    }
    let details: Vec<_> = thread.details.iter().map(walk).collect();
    if short {
        let [(shape, texts)] = details.as_slice() else {
            return Err("more than one reply".to_owned());
        };
        if *shape != walk(&plain.details[0]).0 {
            return Err(format!("details changed: {shape}"));
        }
        let block = visible(value).into_owned();
        let count = |wanted: &String| texts.iter().filter(|text| *text == wanted).count();
        if count(&line) < 4 || count(&block) < 1 {
            return Err(format!("{line:?} is missing in {texts:?}"));
        }
    }
    Ok(())
}

#[test]
fn every_corpus_value_is_literal_text() {
    for row in corpus() {
        check(&row.value).unwrap_or_else(|why| panic!("{}: {why}", row.id));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_value_is_literal_text(value in hostile_text()) {
        check(&value).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn a_huge_report_is_shortened_with_a_note() {
    let rows = format!("| `field` | `{}` |\n", "v".repeat(500)).repeat(400);
    let huge = Report {
        title: "t".repeat(500),
        lead: "l".repeat(5_000),
        severity: Priority::Notice,
        markdown: format!(
            "# T\n\n{}\n\n## E\n\n| field | value |\n|---|---|\n{rows}",
            "word ".repeat(5_000)
        ),
    };
    let thread = message(&huge);
    walk(&thread.head);
    assert_eq!(thread.details.len(), MAX_DETAILS);
    let texts: Vec<_> = thread
        .details
        .iter()
        .flat_map(|message| walk(message).1)
        .collect();
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with("Shortened for Slack: "))
    );
}

#[test]
fn a_report_without_sections_has_a_head_only() {
    let mut bare = report("x");
    bare.markdown = "# T\n".to_owned();
    let thread = message(&bare);
    assert!(thread.details.is_empty());
    assert!(walk(&thread.head).1.contains(&"Lead x".to_owned()));
}

#[test]
fn links_come_from_the_template_only() {
    let mut linked = report("https://evil.example <https://evil.example|x>");
    linked
        .markdown
        .push_str("\n[runbook](https://wiki.example/x)\n");
    let thread = message(&linked);
    let json = serde_json::to_string(&thread.details[0].blocks).unwrap();
    assert_eq!(json.matches("\"type\":\"link\"").count(), 1);
    assert!(json.contains(r#""url":"https://wiki.example/x""#));
}
