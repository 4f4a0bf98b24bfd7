//! A report as Discord messages: a line of content and an embed with Discord's own Markdown.
//!
//! Limits: discord.com/developers (Message, Embed Limits). They count UTF-16 units at most.

use serde_json::{Value, json};

use super::dialect::{Dialect, markdown};
use super::document::{Block, Document, Inline};
use super::pages::{self, Paper};
use super::visible::truncate;
use crate::event::Priority;
use crate::report::Report;

/// Units of an embed's description. With nothing else in the embed, the sum of 6,000 is kept too.
const MAX_DESCRIPTION: usize = 4_096;

/// Characters of the title in the content, before Markdown makes it longer. The content may have 2,000.
const MAX_TITLE: usize = 300;

/// The messages, the head first, each as the body of a webhook request.
pub fn discord(report: &Report) -> Vec<Value> {
    let color = color(report.severity);
    let pages = pages::messages(
        report,
        Paper {
            room: MAX_DESCRIPTION,
            size: &|block| written(std::slice::from_ref(block)).encode_utf16().count(),
        },
    );
    let message = |(index, page): (usize, Document)| {
        // Notifications show the content alone, so the head has its title there.
        let (content, blocks) = match index {
            0 => (title(report), page.body()),
            _ => (String::new(), page.blocks.as_slice()),
        };
        let description = written(blocks);
        let embed = json!({ "description": description.trim(), "color": color });
        // An embed without text is refused.
        let embeds = if description.trim().is_empty() {
            &[][..]
        } else {
            &[embed]
        };
        request(&content, embeds)
    };
    pages.into_iter().enumerate().map(message).collect()
}

/// A line of ours, which holds no syntax and no text of an event.
pub fn line(text: &str) -> Value {
    request(text, &[])
}

/// Mentions are off in every request: an edit without this would look for them anew.
fn request(content: &str, embeds: &[Value]) -> Value {
    json!({ "content": content, "embeds": embeds, "allowed_mentions": { "parse": [] } })
}

fn title(report: &Report) -> String {
    let title = truncate(&report.title, MAX_TITLE);
    let line = written(&[paragraph(&format!("{} · {title}", report.severity))]);
    line.trim_end().to_owned()
}

fn paragraph(text: &str) -> Block {
    Block::Paragraph(vec![Inline::Text(text.to_owned())])
}

fn written(blocks: &[Block]) -> String {
    let blocks = blocks.to_vec();
    markdown(&Document { blocks }, Dialect::Discord)
}

fn color(severity: Priority) -> u32 {
    match severity {
        Priority::Emergency | Priority::Alert | Priority::Critical => 0x00b9_1c1c,
        Priority::Error | Priority::Warning => 0x00d9_7706,
        Priority::Notice | Priority::Informational | Priority::Debug => 0x0025_63eb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markup::testing::hostile_text;

    proptest::proptest! {
        #[test]
        fn every_limit_is_kept(value in hostile_text(), times in 1_usize..500) {
            let text = value.repeat(times);
            let report = Report {
                title: text.clone(),
                lead: text.clone(),
                severity: Priority::Critical,
                markdown: format!("# x\n\n{text}\n\n## y\n\n- {text}\n"),
            };
            for message in discord(&report) {
                let units = |value: &Value| value.as_str().map(|text| text.encode_utf16().count());
                let content = units(&message["content"]).unwrap();
                let description = units(&message["embeds"][0]["description"]);
                proptest::prop_assert!(content <= 2_000, "{content}");
                proptest::prop_assert!(description.is_none_or(|units| (1..=4_096).contains(&units)));
                proptest::prop_assert!(content > 0 || description.is_some());
            }
        }
    }
}
