//! What must be true of every report.

use serde_json::Value as Json;

use crate::markup::document::{Block, Document, plain};
use crate::markup::{html, slack, text};
use crate::report::Report;

const HEADINGS: [&str; 11] = [
    "Summary",
    "Detailed Analysis",
    "Mitigation Strategies",
    "1. Look (changes nothing)",
    "2. Contain",
    "3. Fix the cause",
    "4. Tune Falco",
    "Conclusion",
    "Command Line Configuration",
    "Possible Configuration Changes",
    "Evidence",
];

/// Complete, in order, free of codes, with snippets that parse and flags that exist.
pub(super) fn check(name: &str, report: &Report) {
    let document = Document::parse(&report.markdown);
    let headings: Vec<_> = document
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Heading { level, content } => Some((*level, plain(content))),
            _ => None,
        })
        .collect();
    let (first, rest) = headings.split_first().unwrap();
    assert_eq!(first.0, 1, "{name}");
    assert_eq!(
        rest.iter()
            .map(|(_, text)| text.as_str())
            .collect::<Vec<_>>(),
        HEADINGS,
        "{name}"
    );

    let (before, _) = report.markdown.split_once("\n## Evidence\n").unwrap();
    for wrong in ["<NA>", " null", "`null`", "undefined", " ,", " .\n", "()"] {
        assert!(!before.contains(wrong), "{name} holds {wrong:?}: {before}");
    }
    let is_epoch = |digits: &str| {
        digits.len() == 19
            && (digits.starts_with("14")
                || digits.starts_with("15")
                || digits.starts_with("16")
                || digits.starts_with("17"))
    };
    assert!(
        !before.split(|c: char| !c.is_ascii_digit()).any(is_epoch),
        "{name} holds a raw time: {before}"
    );
    for block in &document.blocks {
        if let Block::Code { language, text } = block {
            assert!(!text.trim().is_empty(), "{name} has an empty block");
            match language.as_deref() {
                Some("yaml") => check_yaml(name, text),
                Some("bash") => check_commands(name, text),
                _ => {}
            }
        }
    }
    assert!(!report.title.is_empty() && !report.lead.is_empty());
    for line in [&report.title, &report.lead] {
        assert!(!line.chars().any(char::is_control), "{name}: {line}");
    }
    // The converters take every report.
    assert!(html::html_page(&report.title, &document).len() < 90_000);
    assert!(!slack::message(report).details.is_empty());
    text::plain_text(&document);
}

/// YAML parses, and an override has the shape that Falco loads.
fn check_yaml(name: &str, text: &str) {
    let yaml: Json =
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
    let Some(items) = yaml.as_array() else {
        check_config(name, &yaml);
        return;
    };
    for item in items {
        let keys: Vec<_> = item
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, ["rule", "exceptions", "override"], "{name}");
        assert_eq!(
            item["override"],
            serde_json::json!({"exceptions": "append"})
        );
        for exception in item["exceptions"].as_array().unwrap() {
            let fields = exception["fields"].as_array().unwrap();
            let comps = exception["comps"].as_array().unwrap();
            let values = exception["values"].as_array().unwrap();
            assert!(fields.len() >= 2 && fields.len() == comps.len(), "{name}");
            assert!(
                !fields
                    .iter()
                    .any(|field| field == "container.id" || field == "proc.pid"),
                "{name}"
            );
            let exception_name = exception["name"].as_str().unwrap();
            assert!(
                exception_name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "{name}"
            );
            for tuple in values {
                let tuple = tuple.as_array().unwrap();
                assert_eq!(tuple.len(), fields.len(), "{name}");
                for value in tuple {
                    let value = value.as_str().unwrap();
                    assert!(
                        value.len() > 2 && value.starts_with('"') && value.ends_with('"'),
                        "{name}: {value}"
                    );
                }
            }
        }
    }
}

/// Keys of `falco.yaml` exist, by Falco's own schema where it is there.
fn check_config(name: &str, yaml: &Json) {
    assert!(yaml.is_object(), "{name}");
    let schema = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/falco/config.schema.json"
    );
    let Ok(schema) = std::fs::read_to_string(schema) else {
        println!("skipped: Falco's configuration schema is not here");
        return;
    };
    let schema: Json = serde_json::from_str(&schema).unwrap();
    if let Err(error) = jsonschema::validate(&schema, yaml) {
        panic!("{name}: {error}");
    }
}

/// Every line is a known command, and every Falco flag exists.
fn check_commands(name: &str, text: &str) {
    let known = [
        "-V",
        "-r",
        "-o",
        "--dry-run",
        "--list-plugins",
        "--config-schema",
        "--version",
    ];
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("falco ") {
            let flags = rest.split_whitespace().filter(|word| word.starts_with('-'));
            flags.for_each(|flag| assert!(known.contains(&flag), "{name}: {flag}"));
        }
        assert!(
            !line.trim_end().ends_with(" -n") && !line.contains("-n  "),
            "{name}: {line}"
        );
    }
}
