//! A report as an Adaptive Card 1.5, for Microsoft Teams.
//!
//! Text runs have no syntax; text blocks and facts would parse Markdown and dates, so none is used.

use serde_json::{Value, json};

use super::document::{Block, Cell, Document, Inline, plain};

/// Bytes of a card: Teams refuses messages from 21 to 28 KB on.
pub const MAX_CARD: usize = 20 * 1024;

/// Bytes of what stands around the elements, and of the note that the card is full.
const FRAME: usize = 512;

/// The message that a Workflows webhook takes, of at most [`MAX_CARD`] bytes.
pub fn teams(document: &Document) -> Value {
    teams_within(document, MAX_CARD)
}

/// The same in less room.
pub fn teams_within(document: &Document, room: usize) -> Value {
    let mut body: Vec<Value> = Vec::new();
    let mut size = FRAME;
    for element in document.blocks.iter().flat_map(|block| elements(block, 0)) {
        // The comma after it counts.
        let bytes = element.to_string().len() + 1;
        if size + bytes > room {
            body.push(line(vec![run(
                "The card is full; the rest of the report is left out.",
                Look {
                    italic: true,
                    ..Look::default()
                },
            )]));
            break;
        }
        size += bytes;
        body.push(element);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "type": "AdaptiveCard",
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "version": "1.5",
                "msteams": { "width": "Full" },
                "body": body,
            },
        }],
    })
}

#[derive(Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "looks are independent of each other"
)]
struct Look {
    bold: bool,
    italic: bool,
    strike: bool,
    code: bool,
    size: Option<&'static str>,
}

fn elements(block: &Block, depth: usize) -> Vec<Value> {
    match block {
        Block::Heading { level, content } => {
            let size = match level {
                1 => "large",
                2 => "medium",
                _ => "default",
            };
            let look = Look {
                bold: true,
                size: Some(size),
                ..Look::default()
            };
            vec![line(runs(content, look))]
        }
        Block::Paragraph(content) => vec![line(runs(content, Look::default()))],
        Block::List { start, items } => items
            .iter()
            .enumerate()
            .flat_map(|(number, item)| {
                let bullet = start.map_or("• ".to_owned(), |first| {
                    format!("{}. ", first.saturating_add(number as u64))
                });
                let mut parts: Vec<Value> = item
                    .iter()
                    .flat_map(|block| elements(block, depth + 1))
                    .collect();
                let indent = "\u{2003}".repeat(depth);
                let bullet = run(&format!("{indent}{bullet}"), Look::default());
                match parts
                    .first_mut()
                    .and_then(|first| first.get_mut("inlines"))
                    .and_then(Value::as_array_mut)
                {
                    Some(inlines) => inlines.insert(0, bullet),
                    None => parts.insert(0, line(vec![bullet])),
                }
                parts
            })
            .collect(),
        Block::Table { head, rows } => vec![table(head, rows)],
        Block::Code { text, .. } => {
            let look = Look {
                code: true,
                ..Look::default()
            };
            // A run may not be empty, and lines of a block are elements of their own.
            text.lines()
                .map(|text| line(vec![run(if text.is_empty() { " " } else { text }, look)]))
                .collect()
        }
        Block::Quote(inner) => {
            let items: Vec<Value> = inner
                .iter()
                .flat_map(|block| elements(block, depth))
                .collect();
            vec![json!({ "type": "Container", "style": "emphasis", "items": items })]
        }
        Block::Rule => vec![
            json!({ "type": "Container", "separator": true, "items": [line(vec![run(" ", Look::default())])] }),
        ],
    }
}

fn table(head: &[Cell], rows: &[Vec<Cell>]) -> Value {
    let columns = rows
        .iter()
        .map(Vec::len)
        .chain([head.len()])
        .max()
        .unwrap_or(1)
        .max(1);
    let cell = |content: &Cell, bold: bool| {
        let look = Look {
            bold,
            ..Look::default()
        };
        json!({ "type": "TableCell", "items": [line(runs(content, look))] })
    };
    let row = |row: &[Cell], bold: bool| json!({ "type": "TableRow", "cells": row.iter().map(|content| cell(content, bold)).collect::<Vec<_>>() });
    let titled = head.iter().any(|cell| !plain(cell).trim().is_empty());
    let head = titled.then(|| row(head, true));
    let rows: Vec<_> = head
        .into_iter()
        .chain(rows.iter().map(|cells| row(cells, false)))
        .collect();
    json!({
        "type": "Table",
        "firstRowAsHeader": titled,
        "columns": (0..columns).map(|column| json!({ "width": if column == 0 { 1 } else { 3 } })).collect::<Vec<_>>(),
        "rows": rows,
    })
}

fn line(inlines: Vec<Value>) -> Value {
    let inlines = if inlines.is_empty() {
        vec![run(" ", Look::default())]
    } else {
        inlines
    };
    json!({ "type": "RichTextBlock", "inlines": inlines })
}

fn runs(content: &[Inline], look: Look) -> Vec<Value> {
    let mut out = Vec::new();
    push(&mut out, content, look);
    out
}

fn push(out: &mut Vec<Value>, content: &[Inline], look: Look) {
    for part in content {
        match part {
            Inline::Text(text) | Inline::Code(text) if text.is_empty() => {}
            Inline::Text(text) => out.push(run(text, look)),
            Inline::Code(text) => out.push(run(text, Look { code: true, ..look })),
            Inline::Strong(inner) => push(out, inner, Look { bold: true, ..look }),
            Inline::Emphasis(inner) => push(
                out,
                inner,
                Look {
                    italic: true,
                    ..look
                },
            ),
            Inline::Strike(inner) => push(
                out,
                inner,
                Look {
                    strike: true,
                    ..look
                },
            ),
            Inline::Link { url, content } => {
                let mut run = run(&plain(content), look);
                run["selectAction"] = json!({ "type": "Action.OpenUrl", "url": url });
                out.push(run);
            }
            Inline::Break => out.push(run("\n", look)),
        }
    }
}

fn run(text: &str, look: Look) -> Value {
    let mut run = json!({ "type": "TextRun", "text": text });
    if look.bold {
        run["weight"] = "bolder".into();
    }
    if look.italic {
        run["italic"] = true.into();
    }
    if look.strike {
        run["strikethrough"] = true.into();
    }
    if look.code {
        run["fontType"] = "monospace".into();
    }
    if let Some(size) = look.size {
        run["size"] = size.into();
    }
    run
}
