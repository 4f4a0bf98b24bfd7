//! A report as Google Chat messages, in Chat's own markup.
//!
//! Chat has no escapes (developers.google.com/chat, Format messages), so words that could be markup
//! are code, backticks and angle brackets are look-alikes, and addresses of others are defanged.

use serde_json::{Value, json};

use super::defang::defang;
use super::document::{Block, Inline, plain};
use super::pages::{self, Paper};
use super::spans::{in_code, is_live};
use crate::report::Report;

/// Bytes of a text as JSON; a message with everything around it may have 32,000.
const MAX_TEXT: usize = 30_000;

/// One message with what is new, the head, and the details if they are wanted.
pub fn google_chat(report: &Report, news: Option<&str>, with_details: bool) -> Value {
    let blocks = pages::blocks(report, news, with_details);
    let paper = Paper {
        room: MAX_TEXT,
        size: &|block| {
            json!(written(std::slice::from_ref(block)))
                .to_string()
                .len()
        },
    };
    let text = written(&pages::one(&blocks, paper).blocks);
    json!({ "text": text.trim_end() })
}

fn written(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in in_code(blocks, is_live) {
        write_block(&mut out, &block, "");
        out.push('\n');
    }
    out
}

fn write_block(out: &mut String, block: &Block, indent: &str) {
    match block {
        Block::Heading { content, .. } => line(out, content, "*"),
        Block::Paragraph(content) => line(out, content, ""),
        Block::List { start, items } => {
            for (number, item) in items.iter().enumerate() {
                let bullet = start.map_or("• ".to_owned(), |first| {
                    format!("{}. ", first.saturating_add(number as u64))
                });
                push(out, &[indent, &bullet]);
                if item.is_empty() {
                    out.push('\n');
                }
                for (index, block) in item.iter().enumerate() {
                    if index > 0 && matches!(block, Block::Paragraph(_)) {
                        out.push_str(indent);
                    }
                    write_block(out, block, &format!("{indent}   "));
                }
            }
        }
        Block::Table { rows, .. } => {
            for row in rows {
                out.push_str("• ");
                for (index, cell) in row.iter().enumerate() {
                    out.push_str(if index > 0 { ": " } else { "" });
                    inlines(out, cell, "");
                }
                out.push('\n');
            }
        }
        Block::Code { text, .. } => push(out, &["```\n", &dead(text), "\n```\n"]),
        Block::Quote(inner) => inner
            .iter()
            .for_each(|block| write_block(out, block, indent)),
        Block::Rule => out.push_str("———\n"),
    }
}

fn line(out: &mut String, content: &[Inline], look: &str) {
    inlines(out, content, look);
    out.push('\n');
}

/// A look stands around words, not around blanks, punctuation or code: there Chat would show its
/// sign.
fn inlines(out: &mut String, content: &[Inline], look: &str) {
    for part in content {
        match part {
            Inline::Text(text) => {
                let words = text.trim();
                let (before, after) = text.split_once(words).unwrap_or_default();
                let has_words = words.contains(char::is_alphanumeric);
                let look = if has_words { look } else { "" };
                push(out, &[before, look, words, look, after]);
            }
            Inline::Code(text) if text.is_empty() => out.push_str("`\\u{}`"),
            Inline::Code(text) => push(out, &["`", &dead(text), "`"]),
            Inline::Strong(inner) => inlines(out, inner, "*"),
            Inline::Emphasis(inner) => inlines(out, inner, "_"),
            Inline::Strike(inner) => inlines(out, inner, "~"),
            Inline::Link { url, content } => {
                let label = plain(content).replace(['<', '>', '|', '\n'], " ");
                let url = url.replace(['<', '>', '|', ' '], "");
                push(out, &["<", &url, "|", &label, ">"]);
            }
            Inline::Break => out.push('\n'),
        }
    }
}

/// A text in which Chat finds no end of the code, no mention and no address.
pub(super) fn dead(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = defang(text);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        // `<users/all>` and `<https://...|text>` begin so; a redirection of a shell does not.
        let begins = chars.peek().is_some_and(|next| !next.is_whitespace());
        out.push(match c {
            '`' => '\u{2cb}',
            '<' if begins => '\u{2039}',
            _ => c,
        });
    }
    out
}

fn push(out: &mut String, parts: &[&str]) {
    out.extend(parts.iter().copied());
}
