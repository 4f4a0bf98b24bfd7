//! What must be true of every report.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value as Json;

use crate::markup::document::{Block, Document, plain};
use crate::markup::{html, slack, text};
use crate::report::Report;

/// Words before the evidence, and commands, that a reader at night can take in.
const MAX_WORDS: usize = 900;
const MAX_COMMANDS: usize = 8;

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
    assert!(
        !before.contains("A snippet was left out"),
        "{name}: {before}"
    );
    let words = before.split_whitespace().count();
    assert!(
        words <= MAX_WORDS || name == "hostile",
        "{name}: {words} words"
    );
    let mut commands = Vec::new();
    for block in &document.blocks {
        if let Block::Code { language, text } = block {
            assert!(!text.trim().is_empty(), "{name} has an empty block");
            match language.as_deref() {
                Some("yaml") => check_schema(name, text),
                Some("bash") => commands.push(text.as_str()),
                _ => {}
            }
        }
    }
    check_shell(name, &commands);
    assert!(!report.title.is_empty() && !report.lead.is_empty());
    for line in [&report.title, &report.lead] {
        assert!(!line.chars().any(char::is_control), "{name}: {line}");
    }
    // The converters take every report.
    assert!(html::html_page(&report.title, &document).len() < 90_000);
    assert!(!slack::message(report).details.is_empty());
    text::plain_text(&document);
}

/// The shape is also that of Falco's own schemas, where they are there. They prove less than our own
/// checks, but they are not ours.
fn check_schema(name: &str, text: &str) {
    static SCHEMAS: LazyLock<Option<[Validator; 2]>> = LazyLock::new(|| {
        let read = |file: &str| {
            let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/falco/");
            let text = std::fs::read_to_string(format!("{shared}{file}")).ok()?;
            jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).ok()
        };
        Some([read("rules.schema.json")?, read("config.schema.json")?])
    });
    let Some([rules, config]) = &*SCHEMAS else {
        println!("skipped: Falco's schemas are not here");
        return;
    };
    let yaml: Json = serde_saphyr::from_str(text).unwrap();
    let schema = if yaml.is_array() { rules } else { config };
    if let Err(error) = schema.validate(&yaml) {
        panic!("{name}: {error}\n{text}");
    }
}

/// A real shell reads every block, there are not too many commands, and none lacks an argument.
fn check_shell(name: &str, blocks: &[&str]) {
    let mut commands = 0;
    for block in blocks {
        let mut here = false;
        for line in block.lines() {
            commands += usize::from(!here && !line.starts_with('#') && !line.starts_with("BASE="));
            here = (here || line.contains("<<'EOF'")) && line != "EOF";
            assert!(
                !line.trim_end().ends_with(" -n") && !line.contains("-n  "),
                "{name}: {line}"
            );
        }
    }
    assert!(commands <= MAX_COMMANDS, "{name}: {commands} commands");
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text = blocks.join("\n");
    bash.stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = bash.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && error.is_empty(),
        "{name}: {error}\n{text}"
    );
}
