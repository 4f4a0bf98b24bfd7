use proptest::prelude::*;

use super::*;
use crate::event::Priority;
use crate::markup::escape::{code_block, code_span, inline, table_cell};
use crate::markup::testing::hostile_text;

fn report(markdown: &str) -> Report {
    Report {
        title: "A title".to_owned(),
        lead: "A lead.".to_owned(),
        severity: Priority::Critical,
        markdown: markdown.to_owned(),
    }
}

fn size(block: &Block) -> usize {
    let blocks = vec![block.clone()];
    plain_text(&Document { blocks }).chars().count()
}

fn texts(pages: &[Document]) -> Vec<String> {
    pages.iter().map(plain_text).collect()
}

#[test]
fn the_head_is_what_stands_before_the_first_part() {
    let report = report("# A title\n\n**Where** here\n\n## Part\n\nText.\n");
    let paper = Paper {
        room: 500,
        size: &size,
    };
    let pages = texts(&messages(&report, paper));
    assert_eq!(
        pages,
        ["A title\n=======\n\nWhere here\n", "Part\n----\n\nText.\n"]
    );
    let said = |news, details| plain_text(&one(&blocks(&report, news, details), paper));
    assert_eq!(said(None, false), pages[0]);
    assert_eq!(said(None, true), format!("{}\n{}", pages[0], pages[1]));
    assert_eq!(
        said(Some("7 events"), false),
        "A title\n=======\n\n7 events\n\nWhere here\n"
    );
}

#[test]
fn a_report_without_a_head_has_the_lead_there() {
    let report = report("## Part\n");
    let paper = Paper {
        room: 500,
        size: &size,
    };
    assert!(plain_text(&messages(&report, paper)[0]).ends_with("A lead.\n"));
}

#[test]
fn a_long_list_goes_on_with_its_numbers_and_the_end_is_a_note() {
    let items: Vec<_> = (1..=60)
        .map(|n| format!("{n}. item number {n}\n"))
        .collect();
    let report = report(&format!("# T\n\n## Part\n\n{}", items.concat()));
    let paper = Paper {
        room: 250,
        size: &size,
    };
    let pages = texts(&messages(&report, paper));
    assert_eq!(pages.len(), 1 + MAX_DETAILS);
    let all = pages.concat();
    assert!(all.contains("8. item number 8\n") && all.contains("16. item number 16\n"));
    assert!(pages[MAX_DETAILS].contains("Shortened; the rest of the report is in falco-herald."));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_page_is_over_its_limit(value in hostile_text(), times in 1_usize..400, room in 200_usize..3_000) {
        let long = value.repeat(times);
        let markdown = format!(
            "# T {}\n\n{}\n\n## P\n\n- {}\n- {}\n\n| a | b |\n|---|---|\n| k | {} |\n\n{}\n> {}\n",
            inline(&long), inline(&long), code_span(&long), inline(&value),
            table_cell(&long), code_block(&long, "text"), inline(&long),
        );
        let report = Report { title: long, ..report(&markdown) };
        let paper = Paper { room, size: &size };
        let mut pages = messages(&report, paper);
        pages.push(one(&blocks(&report, Some("news"), true), paper));
        for page in &pages {
            let total: usize = page.blocks.iter().map(|block| size(block) + BETWEEN).sum();
            prop_assert!(total <= room, "{total} of {room}");
        }
    }
}
