//! A report as plain text for mail readers and terminals.
//!
//! Prose is wrapped at 72 columns. Values in code spans keep their backticks in prose and are never
//! broken or wrapped, so that they can be copied.

use unicode_segmentation::UnicodeSegmentation;

use super::document::{Block, Cell, Document, Inline, plain};

const WIDTH: usize = 72;

/// The whole document as plain text with `\n` line ends.
pub fn plain_text(document: &Document) -> String {
    let mut out = String::new();
    write_blocks(&mut out, &document.blocks, 0);
    let end = out.trim_end_matches('\n').len();
    out.truncate(end);
    out.push('\n');
    out
}

fn write_blocks(out: &mut String, blocks: &[Block], indent: usize) {
    for block in blocks {
        write_block(out, block, indent);
        out.push('\n');
    }
}

fn write_block(out: &mut String, block: &Block, indent: usize) {
    let pad = " ".repeat(indent);
    match block {
        Block::Heading { level, content } => {
            let title = plain(content);
            let rule = match level {
                1 => "=",
                2 => "-",
                _ => "",
            };
            push_line(out, &pad, &title);
            if !rule.is_empty() {
                push_line(out, &pad, &rule.repeat(columns(&title).min(WIDTH)));
            }
        }
        Block::Paragraph(content) => wrap(out, content, &pad, &pad),
        Block::List { start, items } => {
            for (number, item) in items.iter().enumerate() {
                let bullet = match start {
                    Some(first) => format!("{}. ", first.saturating_add(number as u64)),
                    None => "- ".to_owned(),
                };
                list_item(out, &bullet, item, indent);
            }
        }
        Block::Table { head, rows } => table(out, head, rows, &pad),
        Block::Code { text, .. } => {
            for line in text.lines() {
                push_line(out, &format!("{pad}    "), line);
            }
        }
        Block::Quote(inner) => {
            let mut quoted = String::new();
            write_blocks(&mut quoted, inner, 0);
            for line in quoted.trim_end().lines() {
                push_line(out, &format!("{pad}> "), line);
            }
        }
        Block::Rule => push_line(out, &pad, &"-".repeat(WIDTH.saturating_sub(indent).max(3))),
    }
}

fn list_item(out: &mut String, bullet: &str, item: &[Block], indent: usize) {
    let pad = " ".repeat(indent);
    let hanging = " ".repeat(indent + bullet.len());
    let rest = if let Some((Block::Paragraph(content), rest)) = item.split_first() {
        wrap(out, content, &format!("{pad}{bullet}"), &hanging);
        rest
    } else {
        push_line(out, &pad, bullet.trim_end());
        item
    };
    for block in rest {
        write_block(out, block, indent + bullet.len());
    }
}

/// Aligned columns when they fit, otherwise one `first: second, third` a row.
fn table(out: &mut String, head: &[Cell], rows: &[Vec<Cell>], pad: &str) {
    let head: Vec<String> = head.iter().map(|cell| plain(cell)).collect();
    let texts: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| plain(cell)).collect())
        .collect();
    let width_of = |column: usize| {
        let cells = texts
            .iter()
            .chain([&head])
            .filter_map(|row| row.get(column));
        cells.map(|cell| columns(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width_of).collect();
    let total = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) + pad.len();
    if total <= WIDTH {
        let shown = head.iter().any(|cell| !cell.is_empty()).then_some(&head);
        for row in shown.into_iter().chain(&texts) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(width.saturating_sub(columns(cell)) + 2));
            }
            push_line(out, pad, line.trim_end());
        }
        return;
    }
    for row in rows {
        let Some((key, values)) = row.split_first() else {
            continue;
        };
        // A lone value needs no marks around it, and is not wrapped.
        if let [value] = values
            && let [Inline::Code(text)] = value.as_slice()
        {
            push_line(out, pad, &format!("{}: {text}", plain(key)));
            continue;
        }
        let mut line = vec![Inline::Text(format!("{}:", plain(key)))];
        for (index, value) in values.iter().enumerate() {
            line.push(Inline::Text(if index == 0 { " " } else { ", " }.to_owned()));
            line.extend(value.iter().cloned());
        }
        wrap(out, &line, pad, &format!("{pad}    "));
    }
}

/// Writes prose in lines of at most [`WIDTH`] columns where its words allow that.
fn wrap(out: &mut String, content: &[Inline], first: &str, hanging: &str) {
    let mut lines = Wrapped {
        out,
        prefix: first,
        hanging,
        line: String::new(),
        word: String::new(),
    };
    lines.inlines(content);
    lines.end_line();
}

struct Wrapped<'a> {
    out: &'a mut String,
    prefix: &'a str,
    hanging: &'a str,
    line: String,
    word: String,
}

impl Wrapped<'_> {
    fn inlines(&mut self, content: &[Inline]) {
        for part in content {
            match part {
                Inline::Text(text) => self.text(text),
                Inline::Code(text) => {
                    self.word.push('`');
                    self.word.push_str(text);
                    self.word.push('`');
                }
                Inline::Strong(inner) | Inline::Emphasis(inner) | Inline::Strike(inner) => {
                    self.inlines(inner);
                }
                Inline::Link { url, content } => {
                    let shown = plain(content);
                    self.text(&if shown == *url {
                        shown
                    } else {
                        format!("{shown} ({url})")
                    });
                }
                Inline::Break => self.end_line(),
            }
        }
    }

    fn text(&mut self, text: &str) {
        for (index, piece) in text.split([' ', '\n']).enumerate() {
            if index > 0 {
                self.end_word();
            }
            self.word.push_str(piece);
        }
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let used = columns(self.prefix) + columns(&self.line) + 1 + columns(&self.word);
        if !self.line.is_empty() && used > WIDTH {
            self.write_line();
        }
        if !self.line.is_empty() {
            self.line.push(' ');
        }
        self.line.push_str(&std::mem::take(&mut self.word));
    }

    fn end_line(&mut self) {
        self.end_word();
        if !self.line.is_empty() {
            self.write_line();
        }
    }

    fn write_line(&mut self) {
        push_line(self.out, self.prefix, &std::mem::take(&mut self.line));
        self.prefix = self.hanging;
    }
}

fn push_line(out: &mut String, prefix: &str, line: &str) {
    if !line.is_empty() {
        out.push_str(prefix);
        out.push_str(line);
    }
    out.push('\n');
}

fn columns(text: &str) -> usize {
    text.graphemes(true).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markup::escape::{code_block, code_span, table_cell};
    use crate::markup::testing::corpus;
    use crate::markup::visible::{one_line, visible};

    #[test]
    fn a_report_reads_as_plain_text() {
        let markdown = "# A title\n\n**When** now  \n**Where** here\n\n## Part\n\nSome words that are long enough to need a second line, with `a value that stays whole` in it.\n\n| | |\n|---|---|\n| Process | `sh` |\n| User | root |\n\n1. first\n2. second with [a link](https://e.example)\n\n```bash\nls\n\ncd\n```\n\n| field | value |\n|---|---|\n| `proc.cmdline` | `sh -c something that is far too long to be shown in aligned columns here` |\n";
        insta::assert_snapshot!(plain_text(&Document::parse(markdown)), @r"
        A title
        =======

        When now
        Where here

        Part
        ----

        Some words that are long enough to need a second line, with
        `a value that stays whole` in it.

        Process  sh
        User     root

        1. first
        2. second with a link (https://e.example)

            ls

            cd

        proc.cmdline: sh -c something that is far too long to be shown in aligned columns here
        ");
    }

    #[test]
    fn every_corpus_value_stands_in_the_text_as_it_is() {
        for row in corpus() {
            let markdown = format!(
                "AA {} BB\n\n| a | b |\n|---|---|\n| k | {} |\n\n{}",
                code_span(&row.value),
                table_cell("x"),
                code_block(&row.value, "text")
            );
            let text = plain_text(&Document::parse(&markdown));
            let line = one_line(&row.value);
            if !line.is_empty() {
                assert!(text.contains(&format!("`{line}`")), "{}", row.id);
                for line in visible(&row.value).lines().filter(|line| !line.is_empty()) {
                    assert!(text.contains(&format!("    {line}\n")), "{}", row.id);
                }
            }
        }
    }
}
