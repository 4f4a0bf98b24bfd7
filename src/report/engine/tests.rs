//! Whole reports: complete, safe, true to what Falco takes, and readable.

mod advice;
mod overrides;

use super::checks::check;
use super::*;
use crate::markup::document::{Block, Document, plain};
use crate::markup::{html, slack, text};
use crate::report::testing::{alert, incident, real_events, sample, samples, subject, synthetic};
use overrides::site;
use serde_json::Value as Json;
use std::sync::LazyLock;

fn report_of(alert: &crate::classify::Alert, count: u32) -> Report {
    static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);
    let incident = incident(alert, count);
    ENGINE.render(&subject(&incident, alert)).unwrap()
}

fn named(name: &str) -> Report {
    report_of(&sample(name), 1)
}

#[test]
fn every_sample_becomes_a_complete_report() {
    for sample in samples() {
        for count in [1, 37] {
            check(&sample.name, &report_of(&sample.alert, count));
        }
    }
}

#[test]
fn every_official_rule_has_a_runbook_and_becomes_a_complete_report() {
    let engine = Engine::default();
    for entry in Catalogue::builtin().iter() {
        assert!(engine.has_runbook(&entry.rule), "{}", entry.rule);
        let alert = synthetic(entry);
        check(&entry.rule, &report_of(&alert, 1));
        if entry.maturity.as_deref() == Some("stable") {
            check(&entry.rule, &report_of(&alert, 1_234));
        }
    }
}

#[test]
fn every_runbook_is_of_a_rule_and_agrees_with_the_catalogue() {
    let engine = Engine::default();
    let mut rules = 0;
    for name in source::builtin_names()
        .filter(|name| name.starts_with("runbooks/") && !name.starts_with("runbooks/families/"))
    {
        let text = source::builtin(&name).unwrap();
        let matter = runbook::front_matter(&name, &text).unwrap().unwrap();
        let entry = Catalogue::builtin().get(&matter.rule).unwrap();
        assert_eq!(entry.rule, matter.rule, "{name}");
        assert_eq!(*name, format!("runbooks/{}.md", slug(&matter.rule)));
        assert_eq!(
            matter.source.as_deref(),
            Some(entry.source.as_str()),
            "{name}"
        );
        assert_eq!(matter.category, Some(entry.category), "{name}");
        assert_eq!(
            (&matter.tactics, &matter.techniques),
            (&entry.tactics, &entry.techniques),
            "{name}"
        );
        let hooks = |pick: fn(&crate::classify::Hook) -> Option<&str>| -> Vec<&str> {
            let mut names: Vec<_> = entry.hooks.iter().filter_map(pick).collect();
            names.dedup();
            names
        };
        assert_eq!(matter.lists, hooks(|hook| hook.list.as_deref()), "{name}");
        assert_eq!(
            matter.macros,
            hooks(|hook| hook.macro_.as_deref()),
            "{name}"
        );
        for old in &matter.old_names {
            assert_eq!(Catalogue::builtin().get(old).unwrap().rule, matter.rule);
            assert!(engine.has_runbook(old), "{old}");
        }
        let page = engine.runbook(&matter.rule).unwrap().unwrap();
        let words = page.split_whitespace().count();
        assert!((100..=420).contains(&words), "{name}: {words} words");
        assert_eq!(snippets::all_faults(&page, &[]), [], "{name}");
        for claim in ["Falco blocks", "Falco prevents", "Falco stops"] {
            assert!(!page.contains(claim), "{name}: Falco only reports");
        }
        for part in ["**Usually harmless when**", "\n- "] {
            assert!(page.contains(part), "{name} lacks {part}");
        }
        rules += 1;
    }
    // `Sample dummy plugin rule` comes with two plugins.
    assert_eq!(rules, Catalogue::builtin().iter().count() - 1);
}

#[test]
fn every_recorded_event_becomes_a_complete_report() {
    for (line, alert) in real_events().into_iter().flatten().enumerate() {
        check(&format!("line {}", line + 1), &report_of(&alert, 1));
    }
}

#[test]
fn every_category_has_its_own_template() {
    for category in Category::ALL {
        let own = source::builtin(&format!("report/{}.md", category.id())).is_some();
        assert_eq!(own, category != Category::Other, "{}", category.id());
    }
}

#[test]
fn every_corpus_value_in_every_field_leaves_the_report_intact() {
    let shape = |report: &Report| {
        let blocks = Document::parse(&report.markdown).blocks;
        blocks
            .iter()
            .map(|block| match block {
                // Of the runbook, which holds no value.
                Block::List { .. } => "list".to_owned(),
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
    let report = report_of(&alert(&event, Category::Other), 1);
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
