//! Chats that find things in text by themselves: nothing may be left for them to find outside code.

use super::{Shown, report};
use crate::markup::google_chat::{self as chat_format, google_chat as write_chat};
use crate::markup::matrix as matrix_format;

/// Longer values are cut to the limits of a message.
const WHOLE: usize = 1_500;

pub(super) fn matrix(value: &str) -> Result<(), String> {
    let mut said = String::new();
    for content in matrix_format::matrix(&report(value)) {
        let html = content["formatted_body"].as_str().ok_or("no HTML")?;
        inert_html(html)?;
        said.push_str(content["body"].as_str().ok_or("no text")?);
    }
    all_there(&said, &Shown::of(value))
}

pub(super) fn google_chat(value: &str) -> Result<(), String> {
    let message = write_chat(&report(value), None, true);
    let text = message["text"].as_str().ok_or("no text")?;
    inert_chat(text)?;
    all_there(text, &Shown::of(value).map(chat_format::dead))
}

fn all_there(said: &str, shown: &Shown) -> Result<(), String> {
    let mut lines = shown.block.lines().chain([shown.line.as_str()]);
    let missing = lines.find(|line| !said.contains(line));
    match missing {
        Some(line) if shown.line.len() < WHOLE => Err(format!("{line:?} is not in {said:?}")),
        _ => Ok(()),
    }
}

/// Tags that Matrix allows, and `bdi`, which its clients pass over.
const TAGS: &[&str] = &[
    "h1",
    "h2",
    "h3",
    "p",
    "ul",
    "ol",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "pre",
    "code",
    "blockquote",
    "hr",
    "strong",
    "em",
    "br",
    "bdi",
];

/// Whether the HTML of a message without links holds nothing live. It comes from a serialiser, so
/// each `<` begins a tag.
pub(crate) fn inert_html(html: &str) -> Result<(), &'static str> {
    let mut code = 0_usize;
    let mut pieces = html.split('<');
    let first = pieces.next().unwrap_or_default();
    if !first.is_empty() {
        return Err("text without an element");
    }
    for piece in pieces {
        let (tag, text) = piece.split_once('>').ok_or("an open tag")?;
        let name = tag.trim_start_matches('/').split(' ').next();
        if !TAGS.contains(&name.unwrap_or_default()) {
            return Err("an unknown tag");
        }
        if name == Some("code") {
            code = if tag.starts_with('/') {
                code - 1
            } else {
                code + 1
            };
        }
        let live = ["@", "://", "www.", "#", "!room", "&lt;"];
        if code == 0 && live.iter().any(|live| text.contains(live)) {
            return Err("live outside code");
        }
    }
    Ok(())
}

/// Whether a text of Google Chat without links holds nothing live.
pub(crate) fn inert_chat(text: &str) -> Result<(), &'static str> {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let begins = |next: &char| !next.is_whitespace() && *next != '`';
        if c == '<' && chars.peek().is_some_and(begins) {
            return Err("the begin of a mention or link");
        }
    }
    let lower = text.to_lowercase();
    if ["http://", "https://", "www."]
        .iter()
        .any(|address| lower.contains(address))
    {
        return Err("an address");
    }
    // Fences first, then spans, which end on their line.
    let fences: Vec<_> = text.split("```").collect();
    if fences.len() % 2 == 0 {
        return Err("an open fence");
    }
    for line in fences.iter().step_by(2).flat_map(|prose| prose.lines()) {
        let parts: Vec<_> = line.split('`').collect();
        if parts.len() % 2 == 0 {
            return Err("an open span");
        }
        // A note of ours is in italics.
        let mut prose = parts
            .iter()
            .step_by(2)
            .map(|part| part.trim().trim_matches('_'));
        if prose.any(|part| part.contains(['@', '#', '_', '~'])) {
            return Err("live outside code");
        }
    }
    Ok(())
}
