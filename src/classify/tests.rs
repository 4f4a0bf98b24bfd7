use super::*;
use crate::event::{Fields, TEST_RULE};
use crate::route::condition::Condition;

fn event(rule: &str, source: &str) -> Event {
    Event {
        rule: rule.into(),
        priority: Priority::Notice,
        time: Timestamp::UNIX_EPOCH,
        output: "out".into(),
        output_fields: Fields::default(),
        source: source.into(),
        tags: Vec::new(),
        hostname: "node1".into(),
    }
}

fn classify(event: Event) -> Alert {
    Classifier::default().classify(EventId(1), Timestamp::UNIX_EPOCH, event)
}

fn config(json: &str) -> ClassifyConfig {
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_known_rule_takes_its_class_from_the_catalogue_and_its_severity_from_the_event() {
    let mut shell = event("Terminal shell in container", "syscall");
    shell.priority = Priority::Alert;
    shell.tags = vec![
        "mitre_execution".into(),
        "T1059".into(),
        "mitre_persistence".into(),
    ];
    let alert = classify(shell);
    assert_eq!(alert.category, Category::ShellExecution);
    assert_eq!(alert.severity, Priority::Alert);
    assert_eq!(alert.tactics, ["execution", "persistence"]);
    assert_eq!(alert.techniques, ["T1059"]);
    assert_eq!(alert.nature, Nature::Security);
    assert_eq!(alert.entry.unwrap().rule, "Terminal shell in container");
    let old = classify(event("Run shell in container", "syscall"));
    assert_eq!(old.entry.unwrap().rule, "Terminal shell in container");
}

#[test]
fn an_unknown_rule_is_classified_by_source_then_fields_then_tags_then_words() {
    assert_eq!(
        classify(event("X", "k8s_audit")).category,
        Category::K8sControlPlane
    );
    assert_eq!(
        classify(event("X", "auditlogs")).category,
        Category::CloudSaasControlPlane
    );
    let mut by_field = event("X", "plugin");
    by_field.output_fields = [("ct.user", Value::Null)].into_iter().collect();
    by_field.tags = vec!["mitre_persistence".into()];
    assert_eq!(classify(by_field).category, Category::CloudSaasControlPlane);
    let mut by_tag = event("Shell", "syscall");
    by_tag.tags = vec![
        "mitre_execution".into(),
        "mitre_privilege_escalation".into(),
    ];
    assert_eq!(classify(by_tag).category, Category::PrivilegeEscalation);
    let mut by_bare_tag = event("X", "syscall");
    by_bare_tag.tags = vec!["discovery".into()];
    assert_eq!(classify(by_bare_tag).category, Category::Reconnaissance);
    assert_eq!(
        classify(event("My shell rule", "syscall")).category,
        Category::ShellExecution
    );
    assert_eq!(classify(event("X", "syscall")).category, Category::Other);
}

#[test]
fn falcos_own_events_and_tests_are_no_attacks() {
    for (rule, source) in [
        ("Falco internal: something new", ""),
        ("X", "internal"),
        ("Shell", "internal"),
    ] {
        let alert = classify(event(rule, source));
        assert_eq!(alert.nature, Nature::SensorHealth, "{rule}");
        assert_eq!(alert.category, Category::FalcoHealth, "{rule}");
    }
    for source in ["internal", "syscalls", ""] {
        assert_eq!(classify(event(TEST_RULE, source)).nature, Nature::Test);
    }
    assert_eq!(
        classify(event("Test rule ", "syscall")).nature,
        Nature::Security
    );
}

#[test]
fn the_first_override_that_matches_decides() {
    let classifier = Classifier::try_new(&config(
        r#"[
            {"when": "rule = X and hostname = node1", "severity": "critical"},
            {"when": "category = other", "category": "persistence", "runbook": "https://wiki/x"}
        ]"#,
    ))
    .unwrap();
    let classify = |rule| classifier.classify(EventId(1), Timestamp::UNIX_EPOCH, event(rule, "s"));
    let first = classify("X");
    assert_eq!(
        (first.severity, first.category),
        (Priority::Critical, Category::Other)
    );
    assert_eq!(first.runbook, None);
    let second = classify("Y");
    assert_eq!(
        (second.severity, second.category),
        (Priority::Notice, Category::Persistence)
    );
    assert_eq!(second.runbook.as_deref(), Some("https://wiki/x"));
    assert!(classifier.doubts().is_empty());
}

#[test]
fn a_refused_section_says_which_entry_and_why() {
    let refuse = |json: &str| Classifier::try_new(&config(json)).unwrap_err().to_string();
    insta::assert_snapshot!(
        refuse(r#"[{"when": "a = 1", "severity": "info"}, {"when": "rule matches x", "severity": "error"}]"#),
        @r"
    classify[1].when: `matches` is not known here; use `regex` (it matches the whole value) or `glob`
      rule matches x
           ^
    "
    );
    insta::assert_snapshot!(refuse(r#"[{"when": "a = 1"}]"#), @"classify[0] changes nothing; set severity, category or runbook");
    for runbook in [
        "javascript:alert(1)",
        "https://",
        "https:// x",
        "http://a\nb",
        "wiki",
        "",
    ] {
        let entry = serde_json::json!([{"when": "a = 1", "runbook": runbook}]).to_string();
        assert!(
            refuse(&entry).starts_with("classify[0].runbook must be"),
            "{runbook}"
        );
    }
    assert!(serde_json::from_str::<ClassifyConfig>(r#"[{"when": "a", "sevrity": "x"}]"#).is_err());
}

#[test]
fn categories_that_do_not_exist_and_rules_in_another_case_are_doubted() {
    let config = config(
        r#"[{"when": "category in (other, shells)", "severity": "info"},
            {"when": "rule in ('Run shell Untrusted', X)", "severity": "info"}]"#,
    );
    let doubts = Classifier::try_new(&config).unwrap().doubts();
    assert_eq!(doubts.len(), 2);
    assert!(doubts[0].starts_with("classify[0].when: no alert has the category `shells`"));
    assert!(
        doubts[1].ends_with("write `Run shell untrusted`"),
        "{}",
        doubts[1]
    );
}

#[test]
fn every_field_of_an_alert_can_be_asked_for() {
    let mut shell = event("Terminal shell in container", "syscall");
    shell.tags = vec!["a".into(), "".into(), "<NA>".into()];
    let fields = [
        ("proc.name", Value::from("bash")),
        ("proc.pid", Value::from(42)),
        ("proc.tty", Value::Bool(true)),
        ("k8s.ns.name", Value::Null),
        ("container.image.tag", Value::from("<NA>")),
        ("proc.cwd", Value::from("")),
        (
            "ka.verbs",
            Value::List(vec![Value::from("get"), Value::Null]),
        ),
        ("ka.none", Value::List(vec![Value::Null])),
        ("hostname", Value::from("not this one")),
    ];
    shell.output_fields = fields.into_iter().collect();
    let alert = classify(shell);
    let borrowed = |name: &str| match alert.field(name) {
        Some(Operand::Text(Cow::Borrowed(text))) => Some(text.to_owned()),
        Some(other) => panic!("{name}: {other:?}"),
        None => None,
    };
    for (name, value) in [
        ("rule", "Terminal shell in container"),
        ("source", "syscall"),
        ("hostname", "node1"),
        ("output", "out"),
        ("category", "shell_execution"),
        ("proc.name", "bash"),
        ("proc.pid", "42"),
        ("proc.tty", "true"),
    ] {
        assert_eq!(borrowed(name).as_deref(), Some(value), "{name}");
    }
    for name in [
        "k8s.ns.name",
        "container.image.tag",
        "proc.cwd",
        "ka.none",
        "no.such",
    ] {
        assert_eq!(alert.field(name), None, "{name}");
    }
    let list = |name: &str, item| {
        assert_eq!(
            alert.field(name),
            Some(Operand::List(vec![Cow::Borrowed(item)])),
            "{name}"
        );
    };
    list("tags", "a");
    list("ka.verbs", "get");
    list("tactic", "execution");
    list("technique", "T1059");
    assert_eq!(
        alert.field("priority"),
        Some(Operand::Priority(Priority::Notice))
    );
    assert_eq!(classify(event("X", "<NA>")).field("source"), None);
}

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus");

/// The objects of a corpus file; none, said aloud, where the corpus is not at hand.
fn corpus(file: &str) -> Vec<serde_json::Value> {
    let Ok(text) = std::fs::read_to_string(format!("{CORPUS}/{file}")) else {
        println!("skipped: no {file}");
        return Vec::new();
    };
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_real_event_has_a_category_and_its_rule_is_found() {
    let mut unknown = std::collections::BTreeMap::new();
    for json in corpus("real-events.ndjson") {
        let text = |key: &str| json[key].as_str().unwrap_or_default();
        let mut event = event(text("rule"), text("source"));
        let tags = json["tags"].as_array().into_iter().flatten();
        event.tags = tags.map(|tag| tag.as_str().unwrap().into()).collect();
        let fields = json["output_fields"].as_object().into_iter().flatten();
        event.output_fields = fields
            .map(|(name, _)| (name.as_str(), Value::Null))
            .collect();
        let alert = classify(event);
        if alert.entry.is_none() && alert.nature == Nature::Security {
            unknown.insert(text("rule").to_owned(), alert.category.id());
        }
    }
    let lines: Vec<_> = unknown
        .iter()
        .map(|(rule, category)| format!("{rule}: {category}"))
        .collect();
    if !lines.is_empty() {
        insta::assert_snapshot!(lines.join("\n"));
    }
}

#[test]
fn hostile_text_is_classified_and_matches_itself_and_nothing_more() {
    for row in corpus("hostile-fields.ndjson") {
        let value = row["value"].as_str().unwrap();
        let mut event = event(value, value);
        event.tags = vec![value.into()];
        event.output_fields = [(value, Value::from(value)), ("proc.cmdline", value.into())]
            .into_iter()
            .collect();
        let alert = classify(event);
        let holds = |condition: &str| Condition::parse(condition).unwrap().eval(&alert);
        assert!(!holds("proc.cmdline = other or rule in (other)"));
        // Longer ones than a condition may be are only classified.
        let quoted = value.replace('\\', r"\\").replace('"', "\\\"");
        if alert.event.rule.is_missing() || quoted.len() > Condition::MAX_LEN / 4 {
            continue;
        }
        assert!(
            holds(&format!(
                "proc.cmdline = \"{quoted}\" and rule in (\"{quoted}\")"
            )),
            "{row}"
        );
        assert!(holds(&format!("tags intersects (\"{quoted}\")")), "{row}");
    }
}
