//! A report as Markdown of a product that gives words a meaning of its own: mentions, references,
//! quick actions, closing words.
//!
//! What could be live stands in a code span, where none of these products looks. Discord has no
//! fences of other lengths, no tables and no nested spans, so backticks show as look-alikes there.

use super::document::{Block, Cell, Document, Inline, plain};
use super::escape::{fence_block, fence_cell, fence_span, literal};

/// A product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// GitHub's issues and comments.
    GitHub,
    /// GitLab's, with quick actions.
    GitLab,
    /// Mattermost's posts.
    Mattermost,
    /// Discord's messages.
    Discord,
}

/// The document in a dialect.
pub fn markdown(document: &Document, dialect: Dialect) -> String {
    let mut out = String::new();
    for block in &document.blocks {
        write_block(&mut out, block, "", dialect);
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out
}

fn write_block(out: &mut String, block: &Block, indent: &str, dialect: Dialect) {
    match block {
        Block::Heading { level, content } => {
            let most = if dialect == Dialect::Discord { 3 } else { 6 };
            let marks = "#".repeat(usize::from((*level).clamp(1, most)));
            push(
                out,
                &[indent, &marks, " ", &inlines(content, dialect), "\n\n"],
            );
        }
        Block::Paragraph(content) => {
            let text = inlines(content, dialect).replace('\n', &format!("\n{indent}"));
            push(out, &[&text, "\n\n"]);
        }
        Block::List { start, items } => {
            for (number, item) in items.iter().enumerate() {
                let bullet = start.map_or("- ".to_owned(), |first| {
                    format!("{}. ", first.saturating_add(number as u64))
                });
                let inner = format!("{indent}{}", " ".repeat(bullet.len()));
                push(out, &[indent, &bullet]);
                for (index, block) in item.iter().enumerate() {
                    if index > 0 {
                        out.push_str(&inner);
                    }
                    write_block(out, block, &inner, dialect);
                }
                let end = out.trim_end().len();
                out.truncate(end);
                out.push('\n');
            }
            out.push('\n');
        }
        Block::Table { head, rows } => table(out, head, rows, dialect),
        Block::Code { language, text } => {
            let text = if dialect == Dialect::Discord {
                text.replace('`', LOOK_ALIKE)
            } else {
                text.clone()
            };
            let language = match language.as_deref() {
                Some("yaml") => "yaml",
                Some("bash") => "bash",
                Some("json") => "json",
                _ => "text",
            };
            push(
                out,
                &[
                    &fence_block(&text, language).replace('\n', &format!("\n{indent}")),
                    "\n",
                ],
            );
        }
        Block::Quote(inner) => {
            let mut quoted = String::new();
            for block in inner {
                write_block(&mut quoted, block, "", dialect);
            }
            for line in quoted.trim_end().lines() {
                push(out, &["> ", line, "\n"]);
            }
            out.push('\n');
        }
        Block::Rule => out.push_str("---\n\n"),
    }
}

/// A backtick that means nothing.
const LOOK_ALIKE: &str = "\u{2cb}";

fn table(out: &mut String, head: &[Cell], rows: &[Vec<Cell>], dialect: Dialect) {
    if dialect == Dialect::Discord {
        for row in rows {
            let cells: Vec<_> = row.iter().map(|cell| inlines(cell, dialect)).collect();
            push(out, &["- ", &cells.join(": "), "\n"]);
        }
        out.push('\n');
        return;
    }
    let cell = |cell: &Cell| match cell.as_slice() {
        [Inline::Code(text)] => fence_cell(text),
        _ => inlines(cell, dialect)
            .replace('|', "\\|")
            .replace('\n', " "),
    };
    let line = |row: &[Cell]| {
        format!(
            "| {} |\n",
            row.iter().map(cell).collect::<Vec<_>>().join(" | ")
        )
    };
    push(
        out,
        &[&line(head), "|", &"---|".repeat(head.len().max(1)), "\n"],
    );
    out.extend(rows.iter().map(|row| line(row)));
    out.push('\n');
}

fn push(out: &mut String, parts: &[&str]) {
    out.extend(parts.iter().copied());
}

fn inlines(content: &[Inline], dialect: Dialect) -> String {
    let mut out = String::new();
    for part in content {
        match part {
            Inline::Text(text) => push_words(&mut out, text, dialect),
            Inline::Code(text) => out.push_str(&span(text, dialect)),
            Inline::Strong(inner) => wrap(&mut out, "**", inner, dialect),
            Inline::Emphasis(inner) => wrap(&mut out, "*", inner, dialect),
            Inline::Strike(inner) => wrap(&mut out, "~~", inner, dialect),
            Inline::Link { url, content } => {
                let url = url.replace(['<', '>', ' '], "");
                push(
                    &mut out,
                    &["[", &literal(&plain(content)), "](<", &url, ">)"],
                );
            }
            Inline::Break => out.push_str("  \n"),
        }
    }
    out
}

fn wrap(out: &mut String, mark: &str, inner: &[Inline], dialect: Dialect) {
    push(out, &[mark, &inlines(inner, dialect), mark]);
}

fn span(text: &str, dialect: Dialect) -> String {
    if dialect == Dialect::Discord {
        fence_span(&text.replace('`', LOOK_ALIKE))
    } else {
        fence_span(text)
    }
}

/// Prose, with each word that a product could act on in a code span.
fn push_words(out: &mut String, text: &str, dialect: Dialect) {
    let mut rest = text;
    while !rest.is_empty() {
        let blank = rest.len() - rest.trim_start().len();
        let (blanks, words) = rest.split_at(blank);
        if !blanks.is_empty() {
            out.push(' ');
        }
        let end = words.find(char::is_whitespace).unwrap_or(words.len());
        let (word, next) = words.split_at(end);
        if is_live(word) {
            out.push_str(&span(word, dialect));
        } else if !word.is_empty() {
            out.push_str(&literal(word));
        }
        rest = next;
    }
}

/// Words that some product acts on: mentions, references, quick actions, commit hashes, addresses.
fn is_live(word: &str) -> bool {
    let hash = word.len() >= 7
        && word.len() <= 40
        && word.chars().all(|c| c.is_ascii_hexdigit())
        && word.chars().any(|c| c.is_ascii_digit());
    let closing = ["fix", "clos", "resolv", "implement"];
    let lower = word.to_ascii_lowercase();
    word.contains(['@', '#', '!', '~', '$', '^', '&', '<', '>', '`'])
        || word.starts_with('/')
        || word.contains("://")
        || lower.contains("www.")
        || word.len() > 1 && word.starts_with(':')
        || hash
        || closing.iter().any(|start| lower.starts_with(start))
        || word.split_once('-').is_some_and(|(key, number)| {
            key.len() >= 2
                && key.chars().all(|c| c.is_ascii_uppercase())
                && number.starts_with(|c: char| c.is_ascii_digit())
        })
}
