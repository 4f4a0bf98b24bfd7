//! A report as Matrix messages: sanitised HTML, and plain text for clients without it.
//!
//! Facts: spec.matrix.org (`m.room.message`, user mentions). Clients turn addresses, user names and
//! room names into links wherever they stand outside code, so in prose those are code too.

use serde_json::{Value, json};

use super::document::{Block, Document};
use super::html::html_body;
use super::pages::{self, Paper};
use super::spans::{in_code, is_live};
use super::text::plain_text;
use super::visible::truncate;
use crate::report::Report;

/// Bytes of one message; an event with everything around it may have 65,536.
const MAX_MESSAGE: usize = 40_000;

/// Characters of what is sent when a server takes no more.
const MAX_SHORT: usize = 2_000;

/// The contents of the messages, the head first.
pub fn matrix(report: &Report) -> Vec<Value> {
    let pages = pages::messages(
        report,
        Paper {
            room: MAX_MESSAGE,
            size: &|block| {
                let content = content(std::slice::from_ref(block));
                content.to_string().len()
            },
        },
    );
    pages.iter().map(|page| content(&page.blocks)).collect()
}

/// A line of ours, which holds no text of an event.
pub fn line(text: &str) -> Value {
    // An empty list of mentions: nobody is notified by what the text holds.
    json!({ "msgtype": "m.text", "body": text, "m.mentions": {} })
}

/// The content as short as it is still of use: its plain text, cut.
pub fn shortened(content: &Value) -> Value {
    let body = content["body"].as_str().unwrap_or_default();
    line(&truncate(body, MAX_SHORT))
}

fn content(blocks: &[Block]) -> Value {
    let blocks = in_code(blocks, is_live);
    let document = Document { blocks };
    let mut content = line(plain_text(&document).trim_end());
    content["format"] = "org.matrix.custom.html".into();
    content["formatted_body"] = html_body(&document).trim_end().into();
    content
}
