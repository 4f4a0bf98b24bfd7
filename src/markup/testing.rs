//! The hostile corpus and text generators for the tests of the encoders.

use proptest::prelude::*;
use serde::Deserialize;

/// One value of the corpus.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) must_survive: bool,
}

/// Every value of the corpus.
pub(crate) fn corpus() -> Vec<Row> {
    let rows = include_str!("../../tests/data/hostile-fields.ndjson");
    rows.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Short texts made of what formats choke on.
pub(crate) fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "`",
            "``",
            "```",
            "~~~",
            "|",
            "\\",
            "\\|",
            "\\\\",
            "\n",
            "\r\n",
            "\t",
            " ",
            "    ",
            "*",
            "_",
            "#",
            "# ",
            "> ",
            "- ",
            "1. ",
            "+ ",
            "= ",
            "---",
            "[x](http://e)",
            "![",
            "](",
            "<b>",
            "</",
            "<!--",
            "&amp;",
            "&",
            "<!channel>",
            "<@U1>",
            "https://e.example",
            "www.e.example",
            "@all",
            "u{",
            "\\u{41}",
            "\u{202e}",
            "\u{200b}",
            "\u{0}",
            "\u{1b}[0m",
            "é",
            "e\u{301}",
            "日",
            "👨\u{200d}👩",
            "'",
            "\"",
            "$x",
            ";",
            "{{ x }}",
            "{% x %}",
            ".",
            "\u{a0}",
            "\u{3000}",
            "\u{feff}",
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,3}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}
