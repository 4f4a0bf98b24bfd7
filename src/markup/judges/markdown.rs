//! Markdown and its dialects, judged by two parsers: pulldown-cmark, and comrak with all of GFM on.

use comrak::nodes::NodeValue;
use comrak::{Arena, Options, parse_document};

use super::{HARMLESS, Shown, document, report as report_of, squeezed};
use crate::markup::dialect::{Dialect, markdown};

/// What one block is, and what it says.
type Blocks = Vec<(String, String)>;

/// The blocks as comrak sees them; words outside code are listed apart.
fn read(text: &str) -> (Blocks, Vec<String>) {
    let arena = Arena::new();
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.tagfilter = true;
    let root = parse_document(&arena, text, &options);
    let mut blocks: Blocks = Vec::new();
    let mut prose = Vec::new();
    for node in root.descendants() {
        let mut said = String::new();
        let kind = match &node.data.borrow().value {
            NodeValue::Text(text) => {
                prose.push(text.to_string());
                said.push_str(text);
                String::new()
            }
            NodeValue::Code(code) => {
                said.push_str(&code.literal);
                String::new()
            }
            NodeValue::CodeBlock(block) => {
                said.push_str(&block.literal);
                "code".to_owned()
            }
            NodeValue::SoftBreak | NodeValue::LineBreak => {
                said.push(' ');
                String::new()
            }
            NodeValue::Heading(heading) => format!("h{}", heading.level),
            NodeValue::Paragraph => "p".to_owned(),
            NodeValue::Item(_) => "item".to_owned(),
            NodeValue::TableCell => "cell".to_owned(),
            NodeValue::List(_) => "list".to_owned(),
            NodeValue::Table(_) => "table".to_owned(),
            NodeValue::TableRow(_) => "row".to_owned(),
            NodeValue::Document => "doc".to_owned(),
            other => format!("{other:?}"),
        };
        if kind.is_empty() {
            if let Some((_, text)) = blocks.last_mut() {
                text.push_str(&said);
            }
        } else {
            blocks.push((kind, said));
        }
    }
    (blocks, prose)
}

fn compare(got: &str, harmless: &str, shown: &Shown) -> Result<Vec<String>, String> {
    let ((got, prose), (wanted, _)) = (read(got), read(harmless));
    let kinds = |blocks: &Blocks| {
        blocks
            .iter()
            .map(|(kind, _)| kind.clone())
            .collect::<Vec<_>>()
    };
    if kinds(&got) != kinds(&wanted) {
        return Err(format!("another structure: {:?}", kinds(&got)));
    }
    for ((_, got), (_, wanted)) in got.iter().zip(&wanted) {
        let got = squeezed(got);
        let line = squeezed(&wanted.replace(HARMLESS, &shown.line));
        let block = squeezed(&wanted.replace(HARMLESS, &shown.block));
        let cell = squeezed(&wanted.replace(HARMLESS, &shown.cell));
        if ![&line, &block, &cell].contains(&&got) {
            return Err(format!("{got:?} is not {line:?}"));
        }
    }
    Ok(prose)
}

pub(super) fn report(value: &str) -> Result<(), String> {
    let (got, harmless) = (report_of(value).markdown, report_of(HARMLESS).markdown);
    compare(&got, &harmless, &Shown::of(value)).map(drop)
}

fn dialect(value: &str, dialect: Dialect, shown: &Shown) -> Result<(), String> {
    let got = markdown(&document(value), dialect);
    let prose = compare(&got, &markdown(&document(HARMLESS), dialect), shown)?;
    // Nothing that a product acts on stands outside code.
    for text in prose {
        let live = text.contains(['@', '#', '!', '~', '<', '>', '$', '^', '&', '`'])
            || text.contains("://")
            || text.to_lowercase().contains("www.");
        if live || text.trim_start().starts_with('/') {
            return Err(format!("live outside code: {text:?}"));
        }
    }
    Ok(())
}

pub(super) fn github(value: &str) -> Result<(), String> {
    dialect(value, Dialect::GitHub, &Shown::of(value))
}

pub(super) fn gitlab(value: &str) -> Result<(), String> {
    dialect(value, Dialect::GitLab, &Shown::of(value))
}

pub(super) fn mattermost(value: &str) -> Result<(), String> {
    dialect(value, Dialect::Mattermost, &Shown::of(value))
}

pub(super) fn discord(value: &str) -> Result<(), String> {
    let shown = Shown::of(value).map(|text| text.replace('`', "\u{2cb}"));
    dialect(value, Dialect::Discord, &shown)
}
