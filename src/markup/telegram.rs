//! A report as Telegram messages with entities: the text is sent as it is and no markup in it is
//! parsed.
//!
//! Telegram finds mentions, tags, commands and addresses by itself, but not inside code, so words
//! that could be one are code (core.telegram.org/bots/api, `MessageEntity`).

use serde_json::{Value, json};

use super::document::{Block, Document, Inline, plain};
use super::pages::{self, Paper};
use super::spans::{in_code, is_live};
use crate::report::Report;

/// UTF-16 code units of one message.
const MAX_UNITS: usize = 4_096;

/// Telegram passes over the entities of a message beyond the hundredth, so each takes its share.
const UNITS_OF_ENTITY: usize = MAX_UNITS / 99;

/// The messages, the head first, each as the parameters of `sendMessage` without the chat.
pub fn telegram(report: &Report) -> Vec<Value> {
    let pages = pages::messages(
        report,
        Paper {
            room: MAX_UNITS,
            size: &|block| {
                let writer = Writer::of(std::slice::from_ref(block));
                writer.units.max(writer.entities.len() * UNITS_OF_ENTITY)
            },
        },
    );
    let message = |page: &Document| Writer::of(&page.blocks).finish();
    pages.iter().map(message).collect()
}

/// A line of ours, which holds no text of an event.
pub fn line(text: &str) -> Value {
    let mut writer = Writer::default();
    writer.text(text);
    writer.finish()
}

#[derive(Default)]
struct Writer {
    text: String,
    units: usize,
    entities: Vec<Value>,
}

impl Writer {
    fn of(blocks: &[Block]) -> Self {
        let mut writer = Self::default();
        for block in in_code(blocks, is_live) {
            writer.block(&block, 0);
            writer.text("\n");
        }
        writer
    }

    fn finish(self) -> Value {
        json!({
            "text": self.text,
            "entities": self.entities,
            "link_preview_options": { "is_disabled": true },
        })
    }

    fn text(&mut self, text: &str) {
        self.text.push_str(text);
        self.units += text.encode_utf16().count();
    }

    /// Text with a look.
    fn marked(&mut self, kind: &str, text: &str, more: &Value) {
        let (offset, length) = (self.units, text.encode_utf16().count());
        self.text(text);
        // Telegram refuses an entity without text.
        if !text.trim().is_empty() {
            let mut entity = json!({ "type": kind, "offset": offset, "length": length });
            for (key, value) in more.as_object().into_iter().flatten() {
                entity[key] = value.clone();
            }
            self.entities.push(entity);
        }
    }

    fn block(&mut self, block: &Block, depth: usize) {
        let indent = "  ".repeat(depth);
        match block {
            Block::Heading { content, .. } => {
                self.inlines(content, Some("bold"));
                self.text("\n");
            }
            Block::Paragraph(content) => {
                self.inlines(content, None);
                self.text("\n");
            }
            Block::List { start, items } => {
                for (number, item) in items.iter().enumerate() {
                    let bullet = start.map_or("• ".to_owned(), |first| {
                        format!("{}. ", first.saturating_add(number as u64))
                    });
                    self.text(&indent);
                    self.text(&bullet);
                    for block in item {
                        self.block(block, depth + 1);
                    }
                }
            }
            Block::Table { rows, .. } => {
                for row in rows {
                    for (index, cell) in row.iter().enumerate() {
                        if index > 0 {
                            self.text(": ");
                        }
                        self.inlines(cell, None);
                    }
                    self.text("\n");
                }
            }
            Block::Code { language, text } => {
                let more = language
                    .as_ref()
                    .map_or(Value::Null, |language| json!({ "language": language }));
                self.marked("pre", text, &more);
                self.text("\n");
            }
            Block::Quote(inner) => inner.iter().for_each(|block| self.block(block, depth)),
            Block::Rule => self.text("———\n"),
        }
    }

    /// A look cannot hold code, so it is given to what stands between.
    fn inlines(&mut self, content: &[Inline], look: Option<&str>) {
        for part in content {
            match part {
                Inline::Text(text) => match look {
                    Some(look) => self.marked(look, text, &Value::Null),
                    None => self.text(text),
                },
                Inline::Code(text) => self.marked("code", text, &Value::Null),
                Inline::Strong(inner) => self.inlines(inner, Some("bold")),
                Inline::Emphasis(inner) => self.inlines(inner, Some("italic")),
                Inline::Strike(inner) => self.inlines(inner, Some("strikethrough")),
                Inline::Link { url, content } => {
                    self.marked("text_link", &plain(content), &json!({ "url": url }));
                }
                Inline::Break => self.text("\n"),
            }
        }
    }
}
