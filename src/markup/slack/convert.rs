//! Parts of a document as the pieces that messages are packed from.

use serde_json::{Map, Value, json};

use super::super::document::{Block, Cell, Inline, plain};
use super::super::visible::truncate;
use super::{MAX_BLOCK, MAX_HEADER};

/// What is never split.
#[derive(Debug)]
pub(super) enum Piece {
    /// A heading as a block of its own.
    Header(String),
    /// An element of a `rich_text` block, with its characters.
    Element(Value, usize),
    /// A line across.
    Divider,
}

impl Piece {
    pub(super) fn chars(&self) -> usize {
        match self {
            Self::Header(text) => text.chars().count().min(MAX_HEADER),
            Self::Element(_, chars) => *chars,
            Self::Divider => 0,
        }
    }
}

/// The pieces of some blocks; a piece never passes the limit of one block.
pub(super) fn pieces(blocks: &[Block]) -> Vec<Piece> {
    let mut out = Vec::new();
    for block in blocks {
        push_block(&mut out, block, 0);
    }
    out
}

/// A line in italics about the message itself.
pub(super) fn note(text: &str) -> Piece {
    section(&[Inline::Emphasis(vec![Inline::Text(text.to_owned())])])
}

fn push_block(out: &mut Vec<Piece>, block: &Block, indent: usize) {
    match block {
        Block::Heading {
            level: 1 | 2,
            content,
        } => {
            let title = plain(content);
            // An empty header is refused.
            if !title.trim().is_empty() {
                out.push(Piece::Header(title));
            }
        }
        Block::Heading { content, .. } => out.push(section(&[Inline::Strong(content.clone())])),
        Block::Paragraph(content) => out.push(section(content)),
        Block::List { start, items } => push_list(out, *start, items, indent),
        Block::Table { head, rows } => rows.iter().for_each(|row| out.push(table_row(head, row))),
        Block::Code { text, .. } => out.push(preformatted(text)),
        Block::Quote(inner) => {
            let text: Vec<_> = inner.iter().map(block_text).collect();
            let mut elements = Elements::default();
            elements.text(&text.join("\n"), &Style::default());
            out.push(elements.into_piece("rich_text_quote"));
        }
        Block::Rule => out.push(Piece::Divider),
    }
}

fn push_list(out: &mut Vec<Piece>, start: Option<u64>, items: &[Vec<Block>], indent: usize) {
    for (number, item) in items.iter().enumerate() {
        let (first, rest) = match item.split_first() {
            Some((Block::Paragraph(content), rest)) => (content.as_slice(), rest),
            _ => (&[][..], item.as_slice()),
        };
        let mut elements = Elements::default();
        elements.inlines(first, &Style::default());
        let chars = elements.chars;
        // One item a list: a long list may then be split over blocks.
        let mut list = json!({
            "type": "rich_text_list",
            "style": if start.is_some() { "ordered" } else { "bullet" },
            "indent": indent.min(8),
            "elements": [{"type": "rich_text_section", "elements": elements.into_values()}],
        });
        if let (Some(first), Some(object)) = (start, list.as_object_mut()) {
            let offset = first.saturating_sub(1).saturating_add(number as u64);
            object.insert("offset".to_owned(), json!(offset));
        }
        out.push(Piece::Element(list, chars));
        for block in rest {
            push_block(out, block, indent + 1);
        }
    }
}

/// A row as `key  value`, which a phone can wrap; wider tables name each value by its column.
fn table_row(head: &[Cell], row: &[Cell]) -> Piece {
    let mut line = Vec::new();
    for (index, cell) in row.iter().enumerate() {
        let text = |text: String| Inline::Text(text);
        match index {
            0 => {
                line.push(Inline::Strong(cell.clone()));
                line.push(text("  ".to_owned()));
                continue;
            }
            1 => {}
            _ => line.push(text(", ".to_owned())),
        }
        let name = head.get(index).map(|cell| plain(cell)).unwrap_or_default();
        if row.len() > 2 && !name.is_empty() {
            line.push(text(format!("{name} ")));
        }
        line.extend(cell.iter().cloned());
    }
    section(&line)
}

fn section(content: &[Inline]) -> Piece {
    let mut elements = Elements::default();
    elements.inlines(content, &Style::default());
    elements.text("\n", &Style::default());
    elements.into_piece("rich_text_section")
}

fn preformatted(text: &str) -> Piece {
    let mut elements = Elements::default();
    elements.push_text(text, MAX_BLOCK, &Style::default());
    elements.into_piece("rich_text_preformatted")
}

fn block_text(block: &Block) -> String {
    match block {
        Block::Heading { content, .. } | Block::Paragraph(content) => plain(content),
        Block::Code { text, .. } => text.clone(),
        Block::Quote(inner) => inner.iter().map(block_text).collect::<Vec<_>>().join("\n"),
        Block::List { items, .. } => {
            let texts = items
                .iter()
                .flatten()
                .map(|block| format!("• {}", block_text(block)));
            texts.collect::<Vec<_>>().join("\n")
        }
        Block::Table { rows, .. } => {
            let line = |row: &Vec<Cell>| {
                row.iter()
                    .map(|cell| plain(cell))
                    .collect::<Vec<_>>()
                    .join("  ")
            };
            rows.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Block::Rule => "—".to_owned(),
    }
}

/// The styles in force, by Slack's names.
#[derive(Clone, Debug, Default)]
struct Style(Vec<&'static str>);

impl Style {
    fn with(&self, name: &'static str) -> Self {
        let mut names = self.0.clone();
        if !names.contains(&name) {
            names.push(name);
        }
        Self(names)
    }

    fn insert_into(&self, element: &mut Map<String, Value>) {
        let set: Map<_, _> = self
            .0
            .iter()
            .map(|name| ((*name).to_owned(), json!(true)))
            .collect();
        if !set.is_empty() {
            element.insert("style".to_owned(), Value::Object(set));
        }
    }
}

/// The texts and links of one element, kept under the limit of a block.
#[derive(Debug, Default)]
struct Elements {
    values: Vec<Value>,
    chars: usize,
}

impl Elements {
    fn inlines(&mut self, content: &[Inline], style: &Style) {
        for part in content {
            match part {
                Inline::Text(text) => self.text(text, style),
                Inline::Code(text) => self.text(text, &style.with("code")),
                Inline::Strong(inner) => self.inlines(inner, &style.with("bold")),
                Inline::Emphasis(inner) => self.inlines(inner, &style.with("italic")),
                Inline::Strike(inner) => self.inlines(inner, &style.with("strike")),
                Inline::Link { url, content } => self.link(url, &plain(content), style),
                Inline::Break => self.text("\n", style),
            }
        }
    }

    fn room(&self) -> usize {
        MAX_BLOCK.saturating_sub(self.chars)
    }

    /// A part of a line gets at most half of what is left, so that the rest of the line is seen.
    fn text(&mut self, text: &str, style: &Style) {
        self.push_text(text, (self.room() / 2).max(1), style);
    }

    fn push_text(&mut self, text: &str, max: usize, style: &Style) {
        let text = truncate(text, max.min(self.room()));
        // Slack refuses an element without text.
        if text.is_empty() {
            return;
        }
        self.chars += text.chars().count();
        let mut element = Map::new();
        element.insert("type".to_owned(), json!("text"));
        element.insert("text".to_owned(), json!(text));
        style.insert_into(&mut element);
        self.values.push(Value::Object(element));
    }

    fn link(&mut self, url: &str, text: &str, style: &Style) {
        let chars = url.chars().count() + text.chars().count();
        if chars > self.room() {
            return self.text(text, style);
        }
        self.chars += chars;
        let mut element = Map::new();
        element.insert("type".to_owned(), json!("link"));
        element.insert("url".to_owned(), json!(url));
        element.insert("text".to_owned(), json!(text));
        style.insert_into(&mut element);
        self.values.push(Value::Object(element));
    }

    fn into_values(mut self) -> Vec<Value> {
        if self.values.is_empty() {
            self.text(" ", &Style::default());
        }
        self.values
    }

    fn into_piece(self, kind: &str) -> Piece {
        let chars = self.chars;
        Piece::Element(json!({"type": kind, "elements": self.into_values()}), chars)
    }
}
