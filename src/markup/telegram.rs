//! A report as Telegram messages with entities: the text is sent as it is and nothing in it is parsed.

use serde_json::{Value, json};

use super::document::{Block, Document, Inline, plain};

/// UTF-16 code units of one message.
const MAX_UNITS: usize = 4_096;

/// The messages, each as the parameters of `sendMessage` without the chat.
pub fn telegram(document: &Document) -> Vec<Value> {
    let mut writer = Writer::default();
    for block in &document.blocks {
        writer.block(block, 0);
        writer.text("\n");
        writer.cut_if_long();
    }
    writer.finish()
}

#[derive(Default)]
struct Writer {
    messages: Vec<Value>,
    text: String,
    units: usize,
    entities: Vec<Value>,
}

impl Writer {
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            if self.units + c.len_utf16() > MAX_UNITS {
                self.flush();
            }
            self.text.push(c);
            self.units += c.len_utf16();
        }
    }

    /// Text with a look. What does not fit begins a new message.
    fn marked(&mut self, kind: &str, text: &str, more: &Value) {
        let units = text.encode_utf16().count();
        if self.units > 0 && self.units + units > MAX_UNITS {
            self.flush();
        }
        let text = match text
            .char_indices()
            .scan(0, |units, (at, c)| {
                *units += c.len_utf16();
                Some((at, *units))
            })
            .find(|(_, units)| *units > MAX_UNITS - 1)
        {
            Some((at, _)) => text.get(..at).unwrap_or_default(),
            None => text,
        };
        let (offset, length) = (self.units, text.encode_utf16().count());
        self.text(text);
        // Telegram refuses an entity without text.
        if length > 0 && !text.trim().is_empty() {
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
                self.marked("bold", &plain(content), &Value::Null);
                self.text("\n");
            }
            Block::Paragraph(content) => {
                self.inlines(content);
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
                        self.inlines(cell);
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

    fn inlines(&mut self, content: &[Inline]) {
        for part in content {
            match part {
                Inline::Text(text) => self.text(text),
                Inline::Code(text) => self.marked("code", text, &Value::Null),
                Inline::Strong(inner) => self.marked("bold", &plain(inner), &Value::Null),
                Inline::Emphasis(inner) => self.marked("italic", &plain(inner), &Value::Null),
                Inline::Strike(inner) => self.marked("strikethrough", &plain(inner), &Value::Null),
                Inline::Link { url, content } => {
                    self.marked("text_link", &plain(content), &json!({ "url": url }));
                }
                Inline::Break => self.text("\n"),
            }
        }
    }

    /// Messages end between blocks where they can.
    fn cut_if_long(&mut self) {
        if self.units > MAX_UNITS * 3 / 4 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let entities = std::mem::take(&mut self.entities);
        self.units = 0;
        if !text.trim().is_empty() {
            self.messages.push(json!({
                "text": text, "entities": entities, "link_preview_options": { "is_disabled": true },
            }));
        }
    }

    fn finish(mut self) -> Vec<Value> {
        self.flush();
        self.messages
    }
}
