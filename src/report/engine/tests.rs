//! Whole reports: complete, safe, true to what Falco takes, and readable.

use super::*;
use crate::markup::document::{Block, Document, plain};
use crate::markup::{html, slack, text};
use crate::report::testing::{alert, incident, real_events, sample, samples, subject};
use serde_json::Value as Json;

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

fn report_of(alert: &crate::classify::Alert, count: u32) -> Report {
    let incident = incident(alert, count);
    Engine::default()
        .render(&subject(&incident, alert))
        .unwrap()
}

fn named(name: &str) -> Report {
    report_of(&sample(name), 1)
}

/// What must be true of every report.
fn check(name: &str, report: &Report) {
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

#[test]
fn every_sample_becomes_a_complete_report() {
    for sample in samples() {
        for count in [1, 37] {
            check(&sample.name, &report_of(&sample.alert, count));
        }
        let report = report_of(&sample.alert, 1);
        let (before, _) = report.markdown.split_once("\n## Evidence\n").unwrap();
        let words = before.split_whitespace().count();
        assert!(
            words <= 900 || sample.name == "hostile",
            "{}: {words} words",
            sample.name
        );
    }
}

#[test]
fn every_recorded_event_becomes_a_complete_report() {
    for (line, alert) in real_events().into_iter().flatten().enumerate() {
        check(&format!("line {}", line + 1), &report_of(&alert, 1));
    }
}

#[test]
fn every_category_has_its_own_template() {
    let names: Vec<_> = source::builtin()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    for category in crate::classify::Category::ALL {
        let own = names.contains(&format!("report/{}.md", category.id()));
        assert_eq!(
            own,
            category != crate::classify::Category::Other,
            "{}",
            category.id()
        );
    }
}

#[test]
fn every_corpus_value_in_every_field_leaves_the_report_intact() {
    let shape = |report: &Report| {
        let blocks = Document::parse(&report.markdown).blocks;
        blocks
            .iter()
            .map(|block| match block {
                Block::Heading { level, content } => format!("{level} {}", plain(content)),
                Block::Code { language, .. } => format!("{language:?}"),
                Block::Table { head, rows } => format!("table {} {}", head.len(), rows.len()),
                Block::Paragraph(_) => "p".to_owned(),
                other => format!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    let build = |value: &str| {
        let mut alert = sample("network");
        for name in [
            "proc.cmdline",
            "proc.name",
            "proc.pname",
            "container.name",
            "user.name",
            "evt.args",
            "extra",
        ] {
            alert.event.output_fields.insert(name.into(), value.into());
        }
        alert.event.hostname = value.into();
        alert.event.output = value.into();
        report_of(&alert, 1)
    };
    // Longer than one letter, so that it is not taken for a missing or special value.
    let plain_shape = shape(&build("xyz"));
    for row in crate::markup::testing::corpus() {
        if matches!(row.value.trim(), "" | "<NA>") {
            continue;
        }
        let with_notes = shape(&build(&row.value));
        // Notes and the exception depend on the value; everything that cannot be inert would add
        // headings, lists, links, rules or quotes.
        let fixed = |shape: &[String]| {
            shape
                .iter()
                .filter(|part| {
                    part.starts_with(|c: char| c.is_ascii_digit()) || part.starts_with("table")
                })
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(fixed(&with_notes), fixed(&plain_shape), "{}", row.id);
        assert!(
            with_notes.iter().all(|part| part.len() < 200),
            "{}: {with_notes:?}",
            row.id
        );
    }
}

#[test]
fn a_hostile_event_stays_inert() {
    let report = named("hostile");
    let document = Document::parse(&report.markdown);
    let page = html::html_page(&report.title, &document);
    assert!(!page.contains("<img") && !page.contains("href=\"https://evil"));
    let commands: String = document
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Code {
                language: Some(language),
                text,
            } if language == "bash" => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert!(
        !commands.contains("reboot") && !commands.contains("$(id)"),
        "{commands}"
    );
    assert!(commands.contains("not a valid one"), "{commands}");
}

#[test]
fn a_huge_event_stays_small() {
    let mut fields = serde_json::Map::new();
    for number in 0..5_000 {
        fields.insert(
            format!("field.{number}"),
            Json::String("\u{202e}".repeat(2_000)),
        );
    }
    fields.insert(
        "proc.cmdline".to_owned(),
        Json::String("x".repeat(1_000_000)),
    );
    let event = serde_json::json!({"rule": "r".repeat(100_000), "priority": "notice", "output_fields": fields, "output": "y".repeat(1_000_000)});
    let report = report_of(&alert(&event, crate::classify::Category::Other), 1);
    assert!(report.markdown.len() < 120_000, "{}", report.markdown.len());
    assert!(report.markdown.contains("more fields are not shown"));
    assert!(report.title.chars().count() <= 300 && report.lead.chars().count() <= 300);
}

#[test]
fn the_title_does_not_change_with_the_count() {
    let alert = sample("drift");
    assert_eq!(report_of(&alert, 1).title, report_of(&alert, 500).title);
    assert_eq!(
        report_of(&alert, 1).title,
        "Drop and execute new binary in container"
    );
    let mut grouped = incident(&alert, 1);
    grouped.labels = vec![
        ("hostname".to_owned(), "node-7".into()),
        ("proc.name".to_owned(), "sh".into()),
    ];
    let report = Engine::default()
        .render(&subject(&grouped, &alert))
        .unwrap();
    assert_eq!(
        report.title,
        "Drop and execute new binary in container · node-7"
    );
}

fn site(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

#[test]
fn a_runbook_of_the_site_replaces_parts_of_the_report() {
    let dir = site(&[(
        "runbooks/terminal-shell-in-container.md",
        "{% extends \"report/shell_execution.md\" %}\n{% block decide %}Call the *web* team. {{ fields[\"proc.name\"] }}{% endblock %}\n",
    )]);
    let engine = Engine::try_new(Some(dir.path())).unwrap();
    let alert = sample("shell");
    let incident = incident(&alert, 1);
    let report = engine.render(&subject(&incident, &alert)).unwrap();
    check("runbook", &report);
    assert!(
        report
            .markdown
            .contains("**Decide** Call the *web* team. `bash`")
    );
}

#[test]
fn a_broken_template_is_refused_with_its_place() {
    for (text, wanted) in [
        ("a\n{% if %}", "report/incident.md:2: syntax error: "),
        (
            "a\n{{ x | safe }}",
            "report/incident.md:2: unknown filter: ",
        ),
    ] {
        let dir = site(&[("report/incident.md", text)]);
        let result = Engine::try_new(Some(dir.path())).and_then(|engine| {
            let alert = sample("test_rule");
            engine.try_render(&subject(&incident(&alert, 1), &alert))
        });
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with(wanted), "{error}");
    }
    let missing = Engine::try_new(Some(Path::new("/nonexistent"))).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "cannot read the templates in /nonexistent"
    );
}

#[test]
fn a_template_that_fails_is_replaced_and_named() {
    for (text, wanted) in [
        (
            "{{ nothing_like_this }}",
            "a value that does not exist is used",
        ),
        (
            "{{ runbook }}",
            "a value that the event does not have is printed",
        ),
        ("{{ cmd }}", "this is a structure"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", ""),
        ("{% include \"report/incident.md\" %}", ""),
    ] {
        let dir = site(&[("report/incident.md", text)]);
        let engine = Engine::try_new(Some(dir.path())).unwrap();
        let alert = sample("test_rule");
        let incident = incident(&alert, 1);
        let error = engine
            .try_render(&subject(&incident, &alert))
            .unwrap_err()
            .to_string();
        assert!(error.contains(wanted), "{error}");
        let report = engine.render(&subject(&incident, &alert)).unwrap();
        assert!(report.markdown.contains("## Evidence"), "{text}");
        assert!(
            report.markdown.contains("The site's own template failed"),
            "{text}"
        );
    }
}

#[test]
fn a_template_cannot_turn_escaping_off() {
    let dir = site(&[(
        "report/incident.md",
        "{% autoescape false %}{{ fields[\"proc.name\"] }}{% endautoescape %} {{ fields[\"proc.name\"] ~ \"*x*\" }} {{ fields[\"proc.name\"] | text }} {{ \"*y*\" }}",
    )]);
    let engine = Engine::try_new(Some(dir.path())).unwrap();
    let mut alert = sample("test_rule");
    alert
        .event
        .output_fields
        .insert("proc.name".into(), "<b>*z*".into());
    let incident = incident(&alert, 1);
    let report = engine.try_render(&subject(&incident, &alert)).unwrap();
    assert_eq!(
        report.markdown,
        "`<b>*z*` “\\<b\\>\\*z\\*”\\*x\\* \\<b\\>\\*z\\* \\*y\\*\n"
    );
}

#[test]
fn whole_reports_read_well() {
    for name in ["drift", "shell", "credentials_host", "k8s", "drops"] {
        insta::assert_snapshot!(name, named(name).markdown);
    }
}

#[test]
fn whole_reports_read_well_in_other_formats() {
    let report = report_of(&sample("network"), 37);
    let document = Document::parse(&report.markdown);
    insta::assert_snapshot!("network_text", text::plain_text(&document));
    insta::assert_snapshot!("network_html", html::html_page(&report.title, &document));
    let thread = slack::message(&report);
    let json = serde_json::json!({
        "head": {"text": thread.head.text, "blocks": thread.head.blocks},
        "details": thread.details.iter().map(|message| serde_json::json!({"text": message.text, "blocks": message.blocks})).collect::<Vec<_>>(),
    });
    insta::assert_snapshot!(
        "network_slack",
        serde_json::to_string_pretty(&json).unwrap()
    );
}
