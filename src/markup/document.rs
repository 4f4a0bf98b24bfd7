//! A report as a small tree of literal texts, parsed from its Markdown.
//!
//! Converters walk this tree and never see Markdown. Raw HTML is literal text, an image is a link,
//! a link has an `http` or `https` target or is only its text, and nesting is bounded.

mod parse;

use pulldown_cmark::{Options, Parser};

/// A parsed report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its parts in order.
    pub blocks: Vec<Block>,
}

/// A part that stands on its own lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading of level 1 to 6.
    Heading {
        /// 1 is the title.
        level: u8,
        /// The text.
        content: Vec<Inline>,
    },
    /// Prose.
    Paragraph(Vec<Inline>),
    /// A list; numbered when it has a start.
    List {
        /// The number of the first item.
        start: Option<u64>,
        /// The items.
        items: Vec<Vec<Block>>,
    },
    /// A GFM table. A head whose cells are all empty is no head.
    Table {
        /// The cells of the head.
        head: Vec<Cell>,
        /// The cells of each row.
        rows: Vec<Vec<Cell>>,
    },
    /// A fenced or indented block, without its last newline.
    Code {
        /// The info string's first word; letters and digits only.
        language: Option<String>,
        /// The text, literal.
        text: String,
    },
    /// A quotation.
    Quote(Vec<Block>),
    /// A line across.
    Rule,
}

/// What a table cell holds.
pub type Cell = Vec<Inline>;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inline {
    /// Literal text.
    Text(String),
    /// Literal text in a code span.
    Code(String),
    /// Strong emphasis.
    Strong(Vec<Inline>),
    /// Emphasis.
    Emphasis(Vec<Inline>),
    /// Struck through.
    Strike(Vec<Inline>),
    /// A link.
    Link {
        /// Absolute, `http` or `https`.
        url: String,
        /// What is shown.
        content: Vec<Inline>,
    },
    /// A hard line break.
    Break,
}

impl Document {
    /// Parses Markdown. Every text is a document, so this cannot fail.
    pub fn parse(markdown: &str) -> Self {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut builder = parse::Builder::default();
        for event in Parser::new_ext(markdown, options) {
            builder.take(event);
        }
        builder.finish()
    }

    /// The document without its level-1 heading, which destinations show in their own way.
    pub fn body(&self) -> &[Block] {
        match self.blocks.split_first() {
            Some((Block::Heading { level: 1, .. }, rest)) => rest,
            _ => &self.blocks,
        }
    }

    /// The body in two: what stands before the first level-2 heading, and the rest.
    pub fn parts(&self) -> (&[Block], &[Block]) {
        let body = self.body();
        let section = |block: &Block| matches!(block, Block::Heading { level: 2, .. });
        body.split_at(body.iter().position(section).unwrap_or(body.len()))
    }
}

/// The literal text of a line, without its formatting; a break is a blank.
pub fn plain(content: &[Inline]) -> String {
    let mut out = String::new();
    push_plain(&mut out, content);
    out
}

fn push_plain(out: &mut String, content: &[Inline]) {
    for part in content {
        match part {
            Inline::Text(text) | Inline::Code(text) => out.push_str(text),
            Inline::Strong(inner) | Inline::Emphasis(inner) | Inline::Strike(inner) => {
                push_plain(out, inner);
            }
            Inline::Link { content, .. } => push_plain(out, content),
            Inline::Break => out.push(' '),
        }
    }
}

#[cfg(test)]
mod tests;
