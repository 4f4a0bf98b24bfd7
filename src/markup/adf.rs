//! A report as an Atlassian document (ADF): text nodes have no syntax, so nothing needs escaping.

use serde_json::{Value, json};

use super::document::{Block, Document, Inline, plain};

/// The document, version 1.
pub fn adf(document: &Document) -> Value {
    let mut content = blocks(&document.blocks, Nesting::Top);
    if content.is_empty() {
        content.push(paragraph(&[]));
    }
    json!({ "version": 1, "type": "doc", "content": content })
}

/// Where a block stands, which decides what may be nested.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nesting {
    Top,
    /// In list items and quotes: no headings, tables, quotes or rules.
    Inside,
}

fn blocks(parts: &[Block], nesting: Nesting) -> Vec<Value> {
    parts.iter().flat_map(|part| block(part, nesting)).collect()
}

fn block(part: &Block, nesting: Nesting) -> Vec<Value> {
    let top = nesting == Nesting::Top;
    match part {
        Block::Heading { level, content } if top => vec![json!({
            "type": "heading", "attrs": { "level": (*level).clamp(1, 6) }, "content": inlines(content),
        })],
        Block::Heading { content, .. } => vec![paragraph(&[Inline::Strong(content.clone())])],
        Block::Paragraph(content) => vec![paragraph(content)],
        Block::Code { language, text } => {
            let mut code = json!({ "type": "codeBlock" });
            if let Some(language) = language {
                code["attrs"] = json!({ "language": language });
            }
            if !text.is_empty() {
                code["content"] = json!([{ "type": "text", "text": text }]);
            }
            vec![code]
        }
        Block::List { start, items } => vec![list(*start, items)],
        Block::Table { head, rows } if top => vec![table(head, rows)],
        Block::Table { rows, .. } => rows.iter().map(|row| paragraph(&joined(row))).collect(),
        Block::Quote(inner) if top => {
            let mut content = blocks(inner, Nesting::Inside);
            content.retain(|node| node["type"] != "codeBlock");
            if content.is_empty() {
                content.push(paragraph(&[]));
            }
            vec![json!({ "type": "blockquote", "content": content })]
        }
        Block::Quote(inner) => blocks(inner, Nesting::Inside),
        Block::Rule if top => vec![json!({ "type": "rule" })],
        Block::Rule => Vec::new(),
    }
}

fn list(start: Option<u64>, items: &[Vec<Block>]) -> Value {
    let item = |item: &Vec<Block>| {
        let mut content = blocks(item, Nesting::Inside);
        // A list item begins with a paragraph.
        if content
            .first()
            .is_none_or(|first| first["type"] != "paragraph")
        {
            content.insert(0, paragraph(&[]));
        }
        json!({ "type": "listItem", "content": content })
    };
    let content: Vec<_> = items.iter().map(item).collect();
    match start {
        Some(order) => {
            json!({ "type": "orderedList", "attrs": { "order": order }, "content": content })
        }
        None => json!({ "type": "bulletList", "content": content }),
    }
}

fn table(head: &[Vec<Inline>], rows: &[Vec<Vec<Inline>>]) -> Value {
    let cell = |kind: &str, cell: &Vec<Inline>| json!({ "type": kind, "attrs": {}, "content": [paragraph(cell)] });
    let row = |kind: &'static str, row: &[Vec<Inline>]| json!({ "type": "tableRow", "content": row.iter().map(|c| cell(kind, c)).collect::<Vec<_>>() });
    let titled = head.iter().any(|cell| !plain(cell).trim().is_empty());
    let head = titled.then(|| row("tableHeader", head));
    let rows = rows.iter().map(|cells| row("tableCell", cells));
    json!({ "type": "table", "content": head.into_iter().chain(rows).collect::<Vec<_>>() })
}

/// The cells of a row as one line.
fn joined(row: &[Vec<Inline>]) -> Vec<Inline> {
    let mut line = Vec::new();
    for (index, cell) in row.iter().enumerate() {
        if index > 0 {
            line.push(Inline::Text(": ".to_owned()));
        }
        line.extend(cell.iter().cloned());
    }
    line
}

fn paragraph(content: &[Inline]) -> Value {
    json!({ "type": "paragraph", "content": inlines(content) })
}

fn inlines(content: &[Inline]) -> Vec<Value> {
    let mut out = Vec::new();
    push(&mut out, content, &[]);
    out
}

fn push(out: &mut Vec<Value>, content: &[Inline], marks: &[Value]) {
    for part in content {
        let with = |mark: Value| {
            let mut all = marks.to_vec();
            if !all.contains(&mark) {
                all.push(mark);
            }
            all
        };
        match part {
            Inline::Text(text) => push_text(out, text, marks),
            Inline::Code(text) => {
                // `code` goes together with links only.
                let links = marks.iter().filter(|mark| mark["type"] == "link").cloned();
                let marks: Vec<_> = links.chain([json!({ "type": "code" })]).collect();
                push_text(out, text, &marks);
            }
            Inline::Strong(inner) => push(out, inner, &with(json!({ "type": "strong" }))),
            Inline::Emphasis(inner) => push(out, inner, &with(json!({ "type": "em" }))),
            Inline::Strike(inner) => push(out, inner, &with(json!({ "type": "strike" }))),
            Inline::Link { url, content } => {
                push(
                    out,
                    content,
                    &with(json!({ "type": "link", "attrs": { "href": url } })),
                );
            }
            Inline::Break => out.push(json!({ "type": "hardBreak" })),
        }
    }
}

/// An empty text node is refused.
fn push_text(out: &mut Vec<Value>, text: &str, marks: &[Value]) {
    if text.is_empty() {
        return;
    }
    let mut node = json!({ "type": "text", "text": text });
    if !marks.is_empty() {
        node["marks"] = marks.into();
    }
    out.push(node);
}
