//! A report in Jira's wiki markup, for Jira Data Center.
//!
//! Outside blocks every character that could mean something is a numeric entity, and web addresses are
//! defanged, because Jira links them wherever they stand. Inside a code block nothing
//! can be escaped: what would end it shows as a look-alike.

use super::defang::defang;
use std::fmt::Write;

use super::document::{Block, Document, Inline, plain};

/// The whole document.
pub fn jira(document: &Document) -> String {
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
        Block::Heading { content, .. } => push(out, &["*", &inlines(content), "*\n"]),
        Block::Paragraph(content) => {
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
                for (index, block) in item.iter().enumerate() {
                    if index > 0 && matches!(block, Block::Paragraph(_)) {
                        push(out, &["\n"]);
                    }
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
                    push(out, &["||", &cell_text(cell)]);
                }
                out.push_str("||\n");
            }
            for row in rows {
                for cell in row {
                    push(out, &["|", &cell_text(cell)]);
                }
                out.push_str("|\n");
            }
            out.push('\n');
        }
        Block::Code { text, .. } => push(
            out,
            &["{noformat}\n", &block_text(text), "\n{noformat}\n\n"],
        ),
        Block::Quote(inner) => {
            out.push_str("{quote}\n");
            for block in inner {
                write_block(out, block, "");
            }
            let end = out.trim_end().len();
            out.truncate(end);
            out.push_str("\n{quote}\n\n");
        }
        Block::Rule => out.push_str("----\n\n"),
    }
}

fn push(out: &mut String, parts: &[&str]) {
    out.extend(parts.iter().copied());
}

/// An empty cell would join the borders into a head.
fn cell_text(cell: &[Inline]) -> String {
    let text = inlines(cell);
    if text.is_empty() {
        " ".to_owned()
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
            Inline::Strike(inner) => push(&mut out, &["-", &inlines(inner), "-"]),
            Inline::Link { url, content } => {
                push(
                    &mut out,
                    &[
                        "[",
                        &inlines(content),
                        "|",
                        &url.replace('|', "%7C").replace(']', "%5D"),
                        "]",
                    ],
                );
            }
            Inline::Break => out.push('\n'),
        }
    }
    out
}

/// Punctuation as numeric entities: a backslash does not protect a pipe in a cell from every parser,
/// and two of them are a line break.
fn escape(text: &str) -> String {
    let text = defang(text);
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if c == '\n' {
            out.push(' ');
        } else if c.is_ascii_punctuation() && !matches!(c, ',' | ';' | '.' | '/') {
            write!(out, "&#{};", u32::from(c)).expect("writing to a String cannot fail");
        } else {
            out.push(c);
        }
    }
    out
}

/// What would end the block is shown with another brace.
fn block_text(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let ends = c == '{'
            && lower
                .get(at + 1..)
                .is_some_and(|rest| rest.starts_with("noformat") || rest.starts_with("code"));
        out.push(if ends { '\u{2774}' } else { c });
    }
    out
}
