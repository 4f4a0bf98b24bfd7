//! A report in parts that each fit one message: a head that stands on its own, and what follows it.
//!
//! Chats refuse a message over their limit, so what does not fit is moved to the next message, taken
//! apart, or shortened with a visible note.

use super::document::{Block, Document, Inline};
use super::text::plain_text;
use super::visible::truncate;
use crate::report::Report;

/// Messages after the head: a chat takes about one a second.
const MAX_DETAILS: usize = 4;

/// What a format can hold.
#[derive(Clone, Copy)]
pub struct Paper<'a> {
    /// The size of one message.
    pub room: usize,
    /// The size of a part as the format writes it, in the unit of `room`.
    pub size: &'a dyn Fn(&Block) -> usize,
}

/// The head, and then the details: what stands from the first level-2 heading on.
pub fn messages(report: &Report, paper: Paper<'_>) -> Vec<Document> {
    let (head, details) = halves(report);
    let mut pages = pack(&head, paper, 1);
    pages.extend(pack(&details, paper, MAX_DETAILS));
    pages
}

/// What fits one message of everything that is to be said: see [`blocks`].
pub fn one(blocks: &[Block], paper: Paper<'_>) -> Document {
    pack(blocks, paper, 1).pop().unwrap_or_default()
}

/// What a message without a thread says: the title, what is new if it is not the first, the head, and
/// the details if they are wanted.
pub fn blocks(report: &Report, news: Option<&str>, with_details: bool) -> Vec<Block> {
    let (mut blocks, details) = halves(report);
    if let Some(news) = news {
        let news = Inline::Strong(vec![Inline::Text(news.to_owned())]);
        blocks.insert(1, Block::Paragraph(vec![news]));
    }
    if with_details {
        blocks.extend(details);
    }
    blocks
}

fn halves(report: &Report) -> (Vec<Block>, Vec<Block>) {
    let document = Document::parse(&report.markdown);
    let (head, details) = document.parts();
    let mut blocks = vec![Block::Heading {
        level: 1,
        content: vec![Inline::Text(report.title.clone())],
    }];
    if head.is_empty() {
        blocks.push(Block::Paragraph(vec![Inline::Text(report.lead.clone())]));
    } else {
        blocks.extend_from_slice(head);
    }
    (blocks, details.to_vec())
}

/// Fills at most `most` pages with the blocks, in order.
fn pack(blocks: &[Block], paper: Paper<'_>, most: usize) -> Vec<Document> {
    let note = Block::Paragraph(vec![Inline::Emphasis(vec![Inline::Text(
        "Shortened; the rest of the report is in falco-herald.".to_owned(),
    )])]);
    let measure = |block: &Block| (paper.size)(block) + BETWEEN;
    let room = paper.room.saturating_sub(measure(&note)).max(1);
    let mut pieces = Vec::new();
    for block in blocks {
        take_apart(block, room, &measure, &mut pieces);
    }
    let mut pages: Vec<Document> = Vec::new();
    let mut left = 0;
    for piece in pieces {
        let size = measure(&piece);
        // A heading at the very end would stand without its text.
        let reserve = match piece {
            Block::Heading { .. } => room / 5,
            _ => 0,
        };
        if pages.is_empty() || left < size + reserve.min(room - size.min(room)) {
            if pages.len() == most {
                if let Some(last) = pages.last_mut() {
                    last.blocks.push(note);
                }
                break;
            }
            pages.push(Document::default());
            left = room;
        }
        left = left.saturating_sub(size);
        if let Some(page) = pages.last_mut() {
            page.blocks.push(piece);
        }
    }
    pages
}

/// What formats write between two blocks, at most.
const BETWEEN: usize = 2;

/// The block itself when it fits, otherwise in smaller blocks of its kind.
fn take_apart(
    block: &Block,
    room: usize,
    measure: &impl Fn(&Block) -> usize,
    pieces: &mut Vec<Block>,
) {
    if measure(block) <= room {
        pieces.push(block.clone());
        return;
    }
    let halves = match block {
        Block::List { start, items } if items.len() > 1 => {
            let (first, second) = items.split_at(items.len() / 2);
            let from = |start: Option<u64>, items: &[Vec<Block>]| Block::List {
                start,
                items: items.to_vec(),
            };
            let next = start.map(|start| start.saturating_add(first.len() as u64));
            vec![from(*start, first), from(next, second)]
        }
        Block::List { items, .. } => items.concat(),
        Block::Table { head, rows } if rows.len() > 1 => {
            let (first, second) = rows.split_at(rows.len() / 2);
            let from = |rows: &[Vec<Vec<Inline>>]| Block::Table {
                head: head.clone(),
                rows: rows.to_vec(),
            };
            vec![from(first), from(second)]
        }
        Block::Quote(inner) => inner.clone(),
        Block::Code { language, text } if text.contains('\n') => {
            let lines: Vec<_> = text.lines().collect();
            let (first, second) = lines.split_at(lines.len() / 2);
            let from = |lines: &[&str]| Block::Code {
                language: language.clone(),
                text: lines.join("\n"),
            };
            vec![from(first), from(second)]
        }
        _ => {
            pieces.push(shortened(block, room, measure));
            return;
        }
    };
    for half in halves {
        take_apart(&half, room, measure, pieces);
    }
}

/// The text of a block that cannot be taken apart, with its middle left out.
fn shortened(block: &Block, room: usize, measure: &impl Fn(&Block) -> usize) -> Block {
    let text = match block {
        Block::Code { text, .. } => text.clone(),
        other => plain_text(&Document {
            blocks: vec![other.clone()],
        }),
    };
    let mut chars = room;
    loop {
        // Code, because nothing is live there in any format.
        let short = Block::Code {
            language: None,
            text: truncate(text.trim(), chars).into_owned(),
        };
        if measure(&short) <= room || chars == 0 {
            return short;
        }
        chars = chars * 3 / 4;
    }
}

#[cfg(test)]
mod tests;
