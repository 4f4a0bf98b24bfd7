//! A report as Slack messages: a head for the channel and details for its thread.
//!
//! Only `plain_text` and `rich_text` are used. Their texts are literal: no mention, link or format
//! is parsed out of them. Slack refuses a message over a limit, so every limit is kept here by
//! shortening with a visible note (limits: docs.slack.dev, Block Kit; the total was measured at
//! about 13,200 characters).

mod convert;

use serde_json::{Value, json};

use super::document::{Block, Document, Inline};
use super::visible::truncate;
use crate::report::Report;
use convert::Piece;

/// One message: blocks, and the text that notifications and screen readers use instead.
#[derive(Clone, Debug, PartialEq)]
pub struct SlackMessage {
    /// Short, in mrkdwn with its three characters escaped.
    pub text: String,
    /// Block Kit blocks, at most 50 with at most 12,000 characters in total.
    pub blocks: Vec<Value>,
}

/// Everything that Slack shows about one report.
#[derive(Clone, Debug, PartialEq)]
pub struct SlackThread {
    /// The message in the channel: title, severity, where, when and how often, what to decide.
    pub head: SlackMessage,
    /// The replies in its thread, in order.
    pub details: Vec<SlackMessage>,
}

/// Characters in the blocks of one message.
const MAX_MESSAGE: usize = 12_000;
/// Blocks in one message, one kept free for a note.
const MAX_BLOCKS: usize = 49;
/// Characters in one block.
const MAX_BLOCK: usize = 3_000;
/// Characters in a `header`.
const MAX_HEADER: usize = 150;
/// Replies for one report. Slack takes one message a second in a channel.
const MAX_DETAILS: usize = 5;
/// Characters in the fallback text before it is escaped, which may make five of one.
const MAX_TEXT: usize = 600;

/// The head and the details of a report. The head is what stands before the first level-2 heading.
pub fn message(report: &Report) -> SlackThread {
    let document = Document::parse(&report.markdown);
    let (head, details) = document.parts();
    SlackThread {
        head: head_message(report, head),
        details: detail_messages(report, details),
    }
}

fn head_message(report: &Report, head: &[Block]) -> SlackMessage {
    let mut pieces = vec![Piece::Header(report.title.clone())];
    let lead = [Block::Paragraph(vec![Inline::Text(report.lead.clone())])];
    pieces.extend(convert::pieces(if head.is_empty() { &lead } else { head }));
    let mut messages = pack(pieces, 1);
    let text = format!("{} · {} · {}", report.severity, report.title, report.lead);
    SlackMessage {
        text: mrkdwn(&text),
        blocks: messages.pop().unwrap_or_default(),
    }
}

fn detail_messages(report: &Report, blocks: &[Block]) -> Vec<SlackMessage> {
    let messages = pack(convert::pieces(blocks), MAX_DETAILS);
    let total = messages.len();
    let message = |(index, blocks)| SlackMessage {
        text: mrkdwn(&format!(
            "Details {} of {total} · {}",
            index + 1,
            report.title
        )),
        blocks,
    };
    messages.into_iter().enumerate().map(message).collect()
}

/// Text for a mrkdwn field: Slack knows exactly these three escapes.
fn mrkdwn(text: &str) -> String {
    truncate(text, MAX_TEXT)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Fills at most `max` messages with the pieces, in order.
fn pack(pieces: Vec<Piece>, max: usize) -> Vec<Vec<Value>> {
    let mut messages = Vec::new();
    let mut current = Packing::default();
    let total = pieces.len();
    for (index, piece) in pieces.into_iter().enumerate() {
        if !current.fits(&piece) {
            if messages.len() + 1 >= max {
                current.note(total - index);
                break;
            }
            messages.push(std::mem::take(&mut current).finish());
        }
        current.add(piece);
    }
    let last = current.finish();
    if !last.is_empty() {
        messages.push(last);
    }
    messages
}

#[derive(Debug, Default)]
struct Packing {
    blocks: Vec<Value>,
    /// Elements of the open `rich_text` block.
    elements: Vec<Value>,
    element_chars: usize,
    chars: usize,
}

/// Characters kept free for the note about what was left out.
const NOTE_ROOM: usize = 200;

impl Packing {
    fn fits(&self, piece: &Piece) -> bool {
        // A heading at the very end would stand without its text.
        let reserve = if matches!(piece, Piece::Header(_)) {
            1_500
        } else {
            NOTE_ROOM
        };
        self.blocks.is_empty() && self.elements.is_empty()
            || self.chars + piece.chars() + reserve <= MAX_MESSAGE
                && self.blocks.len() + 2 < MAX_BLOCKS
    }

    fn add(&mut self, piece: Piece) {
        let chars = piece.chars();
        match piece {
            Piece::Header(text) => {
                self.flush();
                let text = truncate(&text, MAX_HEADER).into_owned();
                self.blocks.push(json!({
                    "type": "header",
                    "text": {"type": "plain_text", "text": text, "emoji": false},
                }));
            }
            Piece::Divider => {
                self.flush();
                self.blocks.push(json!({"type": "divider"}));
            }
            Piece::Element(element, _) => {
                if self.element_chars + chars > MAX_BLOCK {
                    self.flush();
                }
                self.element_chars += chars;
                self.elements.push(element);
            }
        }
        self.chars += chars;
    }

    fn note(&mut self, left_out: usize) {
        let text = format!(
            "Shortened for Slack: {left_out} more parts of the report are in falco-herald."
        );
        self.add(convert::note(&text));
    }

    fn flush(&mut self) {
        if !self.elements.is_empty() {
            let elements = std::mem::take(&mut self.elements);
            self.blocks
                .push(json!({"type": "rich_text", "elements": elements}));
        }
        self.element_chars = 0;
    }

    fn finish(mut self) -> Vec<Value> {
        self.flush();
        self.blocks
    }
}

#[cfg(test)]
pub(super) mod tests;
