//! Jira's wiki markup and Textile, judged by pandoc's readers, all values in one run.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{HARMLESS, Row, Shown, document, squeezed};
use crate::markup::{jira as jira_format, textile as textile_format};

pub(super) fn jira(rows: &[Row]) -> Option<Vec<Result<(), String>>> {
    judge(rows, "jira", |value| jira_format::jira(&document(value)))
}

pub(super) fn textile(rows: &[Row]) -> Option<Vec<Result<(), String>>> {
    judge(rows, "textile", |value| {
        textile_format::textile(&document(value))
    })
}

/// Stands between values; a heading that no value can be.
const BORDER: &str = "h6. BORDERBORDER";

fn judge(
    rows: &[Row],
    format: &str,
    write: impl Fn(&str) -> String,
) -> Option<Vec<Result<(), String>>> {
    let values = std::iter::once(HARMLESS).chain(rows.iter().map(|row| row.value.as_str()));
    let pages: Vec<_> = values.map(write).collect();
    let all = pages.join(&format!("\n{BORDER}\n\n")) + &format!("\n{BORDER}\n\n");
    let mut pandoc = Command::new("pandoc")
        .args(["-f", format, "-t", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = pandoc.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(all.as_bytes()));
    let output = pandoc.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let parsed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut sections = vec![Vec::new()];
    for block in parsed["blocks"].as_array().unwrap() {
        let mut text = String::new();
        say(block, &mut text);
        if block["t"] == "Header" && text.trim() == "BORDERBORDER" {
            sections.push(Vec::new());
        } else if let Some(last) = sections.last_mut() {
            last.push(block.clone());
        }
    }
    let harmless = sections.first().unwrap().clone();
    let judged = rows.iter().enumerate().map(|(number, row)| {
        let section = sections.get(number + 1).ok_or("a border is gone")?;
        compare(section, &harmless, &row.value, format == "jira")
    });
    Some(judged.collect())
}

fn compare(
    got: &[Value],
    harmless: &[Value],
    value: &str,
    keeps_entities: bool,
) -> Result<(), String> {
    let kinds = |blocks: &[Value]| {
        let mut kinds = Vec::new();
        for block in blocks {
            shape(block, &mut kinds);
        }
        kinds
    };
    let (shape, wanted) = (kinds(got), kinds(harmless));
    if shape != wanted {
        return Err(format!("another structure: {shape:?}"));
    }
    let text = |blocks: &[Value]| {
        let mut text = String::new();
        for block in blocks {
            say(block, &mut text);
        }
        squeezed(&text)
    };
    // The block keeps addresses as they are: nothing is linked there. Look-alikes are undone.
    let plain = |text: &str| {
        text.replace('\u{2774}', "{")
            .replace('\u{2039}', "<")
            .replace(['“', '”'], "\"")
            .replace(['‘', '’'], "'")
            .replace('…', "...")
            .replace(['–', '—'], "-")
            .replace('\u{a0}', " ")
    };
    let shown = Shown::of(value);
    let line = squeezed(&plain(&crate::markup::defang::defang(&shown.line)));
    let block = squeezed(&plain(&shown.block));
    // Jira writes entities into its HTML, where they are characters; pandoc leaves them as they are.
    let entity = regex::Regex::new("&#([0-9]+);").unwrap();
    let read = text(got);
    let decoded = entity.replace_all(&read, |found: &regex::Captures<'_>| {
        let code: u32 = found[1].parse().unwrap();
        char::from_u32(code).unwrap().to_string()
    });
    let got = squeezed(&plain(if keeps_entities { &decoded } else { &read }));
    for wanted in [line, block] {
        let bare = |text: &str| text.replace([' ', '-'], "");
        if !bare(&got).contains(&bare(&wanted)) {
            return Err(format!("{wanted:?} is not in {got:?}"));
        }
    }
    Ok(())
}

/// Kinds of nodes in order, without texts and blanks; formatting of ours stays.
fn shape(node: &Value, kinds: &mut Vec<String>) {
    match node {
        Value::Object(map) => {
            let kind = map.get("t").and_then(Value::as_str).unwrap_or_default();
            // A value may be several words, and line breaks inside are blanks.
            if !matches!(kind, "Str" | "Space" | "SoftBreak" | "") {
                kinds.push(kind.to_owned());
            }
            if let Some(inner) = map.get("c") {
                shape(inner, kinds);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| shape(item, kinds)),
        _ => {}
    }
}

/// The text of a node.
fn say(node: &Value, text: &mut String) {
    match node {
        Value::Object(map) => match map.get("t").and_then(Value::as_str) {
            Some("Str") => text.push_str(map["c"].as_str().unwrap_or_default()),
            Some("Space" | "SoftBreak" | "LineBreak") => text.push(' '),
            Some("Code" | "CodeBlock") => {
                let code = map["c"]
                    .as_array()
                    .and_then(|parts| parts.last())
                    .and_then(Value::as_str);
                text.push_str(code.unwrap_or_default());
                text.push(' ');
            }
            Some("Quoted") => {
                let single = map["c"][0]["t"] == "SingleQuote";
                let quote = if single { '\'' } else { '"' };
                text.push(quote);
                say(&map["c"][1], text);
                text.push(quote);
            }
            Some(_) => {
                if let Some(inner) = map.get("c") {
                    say(inner, text);
                }
                text.push(' ');
            }
            None => {}
        },
        Value::Array(items) => items.iter().for_each(|item| say(item, text)),
        _ => {}
    }
}
