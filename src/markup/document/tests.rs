//! The tree is what a reader of the Markdown would expect, and bounded.

use super::parse::MAX_DEPTH;
use super::*;
use crate::markup::testing::hostile_text;
use proptest::prelude::*;

fn text(text: &str) -> Inline {
    Inline::Text(text.to_owned())
}

#[test]
fn a_report_becomes_blocks() {
    let document = Document::parse(
        "# T `c`\n\n**a** b\\\nc\n\n- one\n- two\n  - deep\n\n| h | |\n|---|---|\n| `x\\|y` | z |\n\n```yaml\nk: v\n```\n\n> q\n\n---\n",
    );
    let expected = vec![
        Block::Heading {
            level: 1,
            content: vec![text("T "), Inline::Code("c".into())],
        },
        Block::Paragraph(vec![
            Inline::Strong(vec![text("a")]),
            text(" b"),
            Inline::Break,
            text("c"),
        ]),
        Block::List {
            start: None,
            items: vec![
                vec![Block::Paragraph(vec![text("one")])],
                vec![
                    Block::Paragraph(vec![text("two")]),
                    Block::List {
                        start: None,
                        items: vec![vec![Block::Paragraph(vec![text("deep")])]],
                    },
                ],
            ],
        },
        Block::Table {
            head: vec![vec![text("h")], vec![]],
            rows: vec![vec![vec![Inline::Code("x|y".into())], vec![text("z")]]],
        },
        Block::Code {
            language: Some("yaml".into()),
            text: "k: v".into(),
        },
        Block::Quote(vec![Block::Paragraph(vec![text("q")])]),
        Block::Rule,
    ];
    assert_eq!(document.blocks, expected);
}

#[test]
fn only_web_links_are_links() {
    let link = |markdown: &str| Document::parse(markdown).blocks;
    assert_eq!(
        link("[a](https://e.example/x)"),
        [Block::Paragraph(vec![Inline::Link {
            url: "https://e.example/x".into(),
            content: vec![text("a")]
        }])]
    );
    for markdown in [
        "[a](javascript:alert(1))",
        "[a](/x)",
        "![a](data:x)",
        "[a](//e)",
        "[a](http:e)",
    ] {
        assert_eq!(
            link(markdown),
            [Block::Paragraph(vec![text("a")])],
            "{markdown}"
        );
    }
    assert!(matches!(
        link("![a](http://e)").first(),
        Some(Block::Paragraph(parts)) if matches!(parts.first(), Some(Inline::Link { .. }))
    ));
}

#[test]
fn raw_html_is_literal_text() {
    assert_eq!(
        Document::parse("a <b>x</b>\n\n<script>y</script>\n").blocks,
        [
            Block::Paragraph(vec![text("a <b>x</b>")]),
            Block::Paragraph(vec![text("<script>y</script>\n")]),
        ]
    );
}

#[test]
fn deep_nesting_is_flattened() {
    let deep = format!("{}x", "> ".repeat(5000));
    let document = Document::parse(&deep);
    let mut depth = 0;
    let mut blocks = &document.blocks;
    while let Some(Block::Quote(inner)) = blocks.first() {
        depth += 1;
        blocks = inner;
    }
    assert_eq!(depth, MAX_DEPTH);
    assert_eq!(blocks, &[Block::Paragraph(vec![text("x")])]);
}

proptest! {
    #[test]
    fn any_text_is_a_document(markdown in hostile_text()) {
        Document::parse(&markdown);
    }
}
