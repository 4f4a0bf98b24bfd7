//! A report in Textile, for Redmine instances that use it.
//!
//! A backslash escapes nothing in Textile, and Redmine adds mentions and links of its own. What could
//! mean something is written as a numeric entity, which is text wherever it stands outside a block.

use std::fmt::Write;

use super::defang::defang;
use super::document::{Block, Document, Inline, plain};

/// The whole document.
pub fn textile(document: &Document) -> String {
    let mut out = String::new();
    for block in &document.blocks {
        write_block(&mut out, block, "");
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out
}

fn write_block(out: &mut String, block: &Block, bullet: &str) {
    match block {
        Block::Heading { level, content } if bullet.is_empty() => {
            push(
                out,
                &[
                    &format!("h{}. ", (*level).clamp(1, 6)),
                    &inlines(content),
                    "\n\n",
                ],
            );
        }
        Block::Heading { content, .. } | Block::Paragraph(content) => {
            push(
                out,
                &[
                    &inlines(content),
                    if bullet.is_empty() { "\n\n" } else { "\n" },
                ],
            );
        }
        Block::List { start, items } => {
            let bullet = format!("{bullet}{}", if start.is_some() { '#' } else { '*' });
            for item in items {
                push(out, &[&bullet, " "]);
                for block in item {
                    write_block(out, block, &bullet);
                }
            }
            if bullet.len() == 1 {
                out.push('\n');
            }
        }
        Block::Table { head, rows } => {
            if head.iter().any(|cell| !plain(cell).trim().is_empty()) {
                for cell in head {
                    push(out, &["|_. ", &cell_text(cell)]);
                }
                out.push_str("|\n");
            }
            for row in rows {
                for cell in row {
                    push(out, &["| ", &cell_text(cell), " "]);
                }
                out.push_str("|\n");
            }
            out.push('\n');
        }
        Block::Code { text, .. } => push(out, &["<pre>\n", &block_text(text), "\n</pre>\n\n"]),
        Block::Quote(inner) => {
            for block in inner {
                if let Block::Paragraph(content) = block {
                    push(out, &["bq. ", &inlines(content), "\n\n"]);
                } else {
                    write_block(out, block, "");
                }
            }
        }
        Block::Rule => out.push_str("---\n\n"),
    }
}

fn push(out: &mut String, parts: &[&str]) {
    out.extend(parts.iter().copied());
}

fn cell_text(cell: &[Inline]) -> String {
    let text = inlines(cell);
    if text.is_empty() {
        "&#160;".to_owned()
    } else {
        text
    }
}

fn inlines(content: &[Inline]) -> String {
    let mut out = String::new();
    for part in content {
        match part {
            Inline::Text(text) | Inline::Code(text) => out.push_str(&escape(text)),
            Inline::Strong(inner) => push(&mut out, &["*", &inlines(inner), "*"]),
            Inline::Emphasis(inner) => push(&mut out, &["_", &inlines(inner), "_"]),
            Inline::Strike(inner) => out.push_str(&inlines(inner)),
            Inline::Link { url, content } => push(&mut out, &["\"", &inlines(content), "\":", url]),
            Inline::Break => out.push('\n'),
        }
    }
    out
}

/// Letters, digits and blanks stay; what is between words without meaning stays too.
fn escape(text: &str) -> String {
    let text = defang(text);
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if c == '\n' {
            out.push(' ');
        } else if c.is_ascii_punctuation() && !matches!(c, ',' | ';' | '.') {
            write!(out, "&#{};", u32::from(c)).expect("writing to a String cannot fail");
        } else {
            out.push(c);
        }
    }
    out
}

/// Redmine escapes what stands in `pre`; only a closing tag could end it.
fn block_text(text: &str) -> String {
    text.replace("</", "\u{2039}/")
        .replace("<pre", "\u{2039}pre")
        .replace("<code", "\u{2039}code")
}
