//! Any value is written in every format without a panic, and adds no heading to the document.
#![no_main]

use falco_herald::event::Priority;
use falco_herald::markup::document::{Block, Document};
use falco_herald::markup::escape::{code_block, code_span, inline, table_cell};
use falco_herald::markup::format::Format;
use falco_herald::markup::visible::one_line;
use falco_herald::report::Report;
use libfuzzer_sys::fuzz_target;

const FORMATS: [Format; 14] = [
    Format::Text, Format::Html, Format::Slack, Format::Github, Format::Gitlab, Format::Mattermost,
    Format::Discord, Format::Telegram, Format::Teams, Format::Adf, Format::Jira, Format::Textile,
    Format::Csv, Format::Json,
];

fuzz_target!(|value: &str| {
    let report = Report {
        title: one_line(value).into_owned(),
        lead: one_line(value).into_owned(),
        severity: Priority::Critical,
        markdown: format!(
            "# Head {}\n\nWas {}.\n\n| a | b |\n|---|---|\n| k | {} |\n\n{}\n",
            inline(value),
            code_span(value),
            table_cell(value),
            code_block(value, "text"),
        ),
    };
    let blocks = Document::parse(&report.markdown).blocks;
    let kinds: Vec<_> = blocks.iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), 4, "{blocks:?}");
    assert!(matches!(blocks.first(), Some(Block::Heading { level: 1, .. })));
    for format in FORMATS {
        assert!(!format.write(&report).is_empty());
    }
});
