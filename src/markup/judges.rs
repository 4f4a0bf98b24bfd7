//! Every format against the whole hostile corpus, each judged by a parser of the format.
//!
//! A format passes a value when the parsed structure is that of a harmless value in its place, and the
//! text of each slot is the value: as marked by [`visible`](super::visible), and defanged where a
//! product follows addresses.

pub(crate) mod chats;
mod json;
mod markdown;
mod pandoc;
mod plain;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::document::Document;
use super::escape::{code_block, code_span, inline, table_cell};
use super::visible::{one_line, visible};
use crate::event::Priority;
use crate::report::Report;

/// A harmless value. Longer than the words that tests look for.
const HARMLESS: &str = "harmless";

/// A report with a value in every kind of slot.
fn report(value: &str) -> Report {
    Report {
        title: format!("Title {}", one_line(value)),
        lead: format!("Lead {}", one_line(value)),
        severity: Priority::Critical,
        markdown: format!(
            "# Head {}\n\nWas {} and {} then.\n\n- item {}\n- second\n\n| left | right |\n|---|---|\n| key | {} |\n\n{}\nLast.\n",
            inline(value),
            code_span(value),
            inline(value),
            code_span(value),
            table_cell(value),
            code_block(value, "text"),
        ),
    }
}

fn document(value: &str) -> Document {
    Document::parse(&report(value).markdown)
}

/// What a reader sees of a value in a slot of one line, and in a block.
struct Shown {
    line: String,
    block: String,
    /// In a Markdown table: a pipe right after a backslash is a mark, because parsers disagree.
    cell: String,
}

impl Shown {
    fn of(value: &str) -> Self {
        let pipe = regex::Regex::new(r"(\\+)\|").unwrap();
        let line = one_line(value).into_owned();
        Self {
            cell: pipe.replace_all(&line, r"$1$1\u{7C}").into_owned(),
            block: visible(value).into_owned(),
            line,
        }
    }

    fn map(self, change: impl Fn(&str) -> String) -> Self {
        Self {
            line: change(&self.line),
            cell: change(&self.cell),
            block: change(&self.block),
        }
    }
}

/// Runs of blanks and line ends as one blank: parsers of these formats do the same.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[derive(Deserialize)]
struct Row {
    id: String,
    class: String,
    value: String,
}

type Judge = fn(&[Row]) -> Option<Vec<Result<(), String>>>;

/// Judges row by row.
#[expect(clippy::unnecessary_wraps, reason = "other judges may be missing")]
fn each(
    rows: &[Row],
    check: impl Fn(&str) -> Result<(), String>,
) -> Option<Vec<Result<(), String>>> {
    Some(rows.iter().map(|row| check(&row.value)).collect())
}

const JUDGES: [(&str, Judge); 16] = [
    ("markdown", |rows| each(rows, markdown::report)),
    ("github", |rows| each(rows, markdown::github)),
    ("gitlab", |rows| each(rows, markdown::gitlab)),
    ("mattermost", |rows| each(rows, markdown::mattermost)),
    ("discord", |rows| each(rows, markdown::discord)),
    ("slack", |rows| each(rows, json::slack)),
    ("adf", |rows| each(rows, json::adf)),
    ("teams", |rows| each(rows, json::teams)),
    ("telegram", |rows| each(rows, json::telegram)),
    ("matrix", |rows| each(rows, chats::matrix)),
    ("google-chat", |rows| each(rows, chats::google_chat)),
    ("html", |rows| each(rows, plain::html)),
    ("text", |rows| each(rows, plain::text)),
    ("csv", |rows| each(rows, plain::csv)),
    ("jira", pandoc::jira),
    ("textile", pandoc::textile),
];

/// Whether a missing parser is a failure.
#[expect(
    clippy::disallowed_methods,
    reason = "the test command says whether peers must be here"
)]
pub(crate) fn required() -> bool {
    std::env::var("HERALD_PEERS").is_ok_and(|value| value == "required")
}

#[test]
fn every_value_is_inert_in_every_format() {
    let corpus = include_str!("../../tests/data/hostile-fields.ndjson");
    let rows: Vec<Row> = corpus
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 481);
    let mut table: BTreeMap<&str, BTreeMap<&str, (usize, usize)>> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut formats = Vec::new();
    for (format, judge) in JUDGES {
        let Some(verdicts) = judge(&rows) else {
            assert!(!required(), "{format}: run tests/peers/install first");
            println!("skipped {format}: its parser is not here");
            continue;
        };
        formats.push(format);
        for (row, verdict) in rows.iter().zip(verdicts) {
            let (passed, all) = table
                .entry(&row.class)
                .or_default()
                .entry(format)
                .or_default();
            *all += 1;
            match verdict {
                Ok(()) => *passed += 1,
                Err(why) => failures.push(format!("{format} {}: {why}", row.id)),
            }
        }
    }
    println!("{:<20} {}", "class", formats.join(" "));
    for (class, cells) in &table {
        let cells: Vec<_> = formats
            .iter()
            .map(|format| format!("{}/{}", cells[format].0, cells[format].1))
            .collect();
        println!("{class:<20} {}", cells.join(" "));
    }
    let shown = failures
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(failures.is_empty(), "{} failures\n{shown}", failures.len());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_is_inert_in_every_format(value in super::testing::hostile_text()) {
        let checks = [
            markdown::report, markdown::github, markdown::gitlab, markdown::mattermost, markdown::discord,
            json::adf, json::teams, json::telegram, chats::matrix, chats::google_chat, plain::text, plain::csv,
        ];
        for (number, check) in checks.into_iter().enumerate() {
            let judged = if value.trim().is_empty() { Ok(()) } else { check(&value) };
            proptest::prop_assert!(judged.is_ok(), "{number}: {judged:?}");
        }
    }
}
