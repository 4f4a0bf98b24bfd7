//! Words that a product would act on, moved into code spans: for products that find mentions,
//! commands and addresses by themselves in whatever text they are sent.

use super::document::{Block, Cell, Inline};

/// The blocks with every word of prose for which `live` holds in a code span. Links of ours stay.
pub(super) fn in_code(blocks: &[Block], live: fn(&str) -> bool) -> Vec<Block> {
    blocks.iter().map(|block| of_block(block, live)).collect()
}

/// Words that most chats act on: all but plain words, numbers, dates and times, with the punctuation
/// of prose around them.
pub(super) fn is_live(word: &str) -> bool {
    let (_, word, _) = in_prose(word);
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let number = |mark: char| word.chars().all(|c| c.is_ascii_digit() || c == mark);
    let time = digits <= 6 && number(':');
    let date = digits == 8 && number('-');
    // Two dots would make it an address.
    let decimal = digits <= 6 && number('.') && word.matches('.').count() <= 1;
    if time || date || decimal {
        return false;
    }
    // A dash begins a list where it begins a line. Seven digits are a telephone number to some.
    word.starts_with('-') || digits >= 7 || word.chars().any(|c| !is_quiet(c))
}

/// The punctuation before a word, the word, and the punctuation after it.
fn in_prose(word: &str) -> (&str, &str, &str) {
    let inner = word.trim_start_matches(['(', '"', '“', '[']);
    let (before, _) = word.split_at(word.len() - inner.len());
    let core = inner.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '"', '”', ']', '…']);
    let (core, after) = inner.split_at(core.len());
    (before, core, after)
}

/// Characters that begin nothing and join nothing.
fn is_quiet(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(
            c,
            '-' | '\'' | '’' | '–' | '—' | '·' | ',' | '%' | '×' | '→'
        )
}

fn of_block(block: &Block, live: fn(&str) -> bool) -> Block {
    let cells = |row: &Vec<Cell>| row.iter().map(|cell| of_line(cell, live)).collect();
    match block {
        Block::Heading { level, content } => Block::Heading {
            level: *level,
            content: of_line(content, live),
        },
        Block::Paragraph(content) => Block::Paragraph(of_line(content, live)),
        Block::List { start, items } => Block::List {
            start: *start,
            items: items.iter().map(|item| in_code(item, live)).collect(),
        },
        Block::Table { head, rows } => Block::Table {
            head: cells(head),
            rows: rows.iter().map(cells).collect(),
        },
        Block::Quote(inner) => Block::Quote(in_code(inner, live)),
        Block::Code { .. } | Block::Rule => block.clone(),
    }
}

fn of_line(content: &[Inline], live: fn(&str) -> bool) -> Vec<Inline> {
    let mut out = Vec::new();
    for part in content {
        match part {
            Inline::Text(text) => of_text(&mut out, text, live),
            Inline::Strong(inner) => out.push(Inline::Strong(of_line(inner, live))),
            Inline::Emphasis(inner) => out.push(Inline::Emphasis(of_line(inner, live))),
            Inline::Strike(inner) => out.push(Inline::Strike(of_line(inner, live))),
            Inline::Code(_) | Inline::Link { .. } | Inline::Break => out.push(part.clone()),
        }
    }
    out
}

fn of_text(out: &mut Vec<Inline>, text: &str, live: fn(&str) -> bool) {
    let mut prose = String::new();
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let (_, blank) = piece.split_at(word.len());
        if live(word) {
            let (before, core, after) = in_prose(word);
            prose.push_str(before);
            if !prose.is_empty() {
                out.push(Inline::Text(std::mem::take(&mut prose)));
            }
            out.push(Inline::Code(core.to_owned()));
            prose.push_str(after);
            prose.push_str(blank);
        } else {
            prose.push_str(piece);
        }
    }
    if !prose.is_empty() {
        out.push(Inline::Text(prose));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_and_what_could_be_live_is_code() {
        for word in [
            "Critical",
            "well-known",
            "(twice).",
            "10:00:00",
            "(2.7",
            "→",
            "2026-03-01",
            "it's",
            "7",
            "·",
            "",
        ] {
            assert!(!is_live(word), "{word}");
        }
        for word in [
            "@all",
            "#1",
            "/start",
            "a.example",
            "a@b",
            "https://e",
            "+15551234567",
            "4111111111111111",
            "*b*",
            "_i_",
            "`c`",
            "<x>",
            "x\\y",
            ":smile:",
            "!room:server",
            "1:2:3:4:5:6:7:8",
            "10.0.0.1",
            "-",
            "-c",
            "&amp;",
        ] {
            assert!(is_live(word), "{word}");
        }
    }

    #[test]
    fn the_text_stays_the_same() {
        let line = [Inline::Text("say (@all),  twice ".to_owned())];
        assert_eq!(
            of_line(&line, is_live),
            [
                Inline::Text("say (".to_owned()),
                Inline::Code("@all".to_owned()),
                Inline::Text("),  twice ".to_owned())
            ]
        );
    }
}
