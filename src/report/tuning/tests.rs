//! What is proposed loads in Falco, and hits only what happened.

use super::*;
use crate::classify::Category;
use crate::report::testing::{alert, incident, sample, subject};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn proposal(alert: &Alert) -> Tuning {
    let incident = incident(alert, 1);
    propose(&View::new(&subject(&incident, alert)))
}

fn with(fields: &Json) -> Alert {
    let event = json!({"rule": "Some rule", "priority": "Notice", "source": "syscall", "time": "2026-03-01T10:15:00Z", "output_fields": fields});
    alert(&event, Category::Other)
}

/// Reads a value as Falco's condition parser does.
fn unquoted(value: &str) -> String {
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap();
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        assert_ne!(c, '"', "a quote ends the value: {value}");
        out.push(if c == '\\' {
            chars.next().expect("an escape is complete")
        } else {
            c
        });
    }
    out
}

fn values(yaml: &str) -> Vec<String> {
    let yaml: Json = serde_saphyr::from_str(yaml).unwrap();
    let tuple = yaml[0]["exceptions"][0]["values"][0].as_array().unwrap();
    tuple
        .iter()
        .map(|value| unquoted(value.as_str().unwrap()))
        .collect()
}

#[test]
fn the_exception_names_what_stays_the_same() {
    let Tuning::Exception { yaml, scope } = proposal(&sample("drift")) else {
        panic!("no exception")
    };
    assert_eq!(
        values(&yaml),
        [
            "registry.example.com/shop/web",
            "/usr/local/bin/agent",
            "containerd-shim"
        ]
    );
    assert_eq!(
        scope.prose(),
        "the image is `registry.example.com/shop/web`, the program is `/usr/local/bin/agent` and its parent is `containerd-shim`"
    );
}

#[test]
fn what_changes_or_cannot_be_matched_is_left_out() {
    let long = "x".repeat(256);
    for fields in [
        json!({"container.id": "3f1c0a9b7d52", "proc.pid": 7, "proc.pname": "sh"}),
        json!({"container.image.repository": "a", "proc.exepath": "/tmp/x", "proc.pname": "sh"}),
        json!({"container.image.repository": long, "proc.exepath": "/bin/sh"}),
        json!({"container.image.repository": "a\\", "proc.exepath": "/bin/sh"}),
        json!({"container.image.repository": "", "proc.exepath": "/bin/sh", "proc.pname": null}),
        json!({"container.image.repository": "a\u{202e}", "proc.exepath": "/bin/sh", "proc.pname": "<NA>"}),
        json!({"proc.name": "sh", "proc.pname": "bash"}),
    ] {
        assert!(
            matches!(proposal(&with(&fields)), Tuning::None(_)),
            "{fields}"
        );
    }
}

#[test]
fn other_sources_and_tests_take_no_exception() {
    for name in [
        "k8s",
        "cloudtrail",
        "okta",
        "github",
        "gcp",
        "drops",
        "test_rule",
    ] {
        assert!(matches!(proposal(&sample(name)), Tuning::None(_)), "{name}");
    }
}

#[test]
fn a_rule_name_is_a_yaml_scalar() {
    for (name, scalar) in [
        ("Write below etc", "Write below etc"),
        ("null", "'null'"),
        ("it's: a # rule", "'it''s: a # rule'"),
        ("- x y", "'- x y'"),
    ] {
        assert_eq!(rule_scalar(name).as_deref(), Some(scalar));
    }
    assert_eq!(rule_scalar("a\nb"), None);
}

proptest! {
    #[test]
    fn every_value_comes_back_from_yaml_and_quotes(image in "[ -~]{1,40}", program in "/[ -~é日]{1,40}", rule in "[ -~]{1,30}") {
        let mut alert = with(&json!({"container.image.repository": image, "proc.exepath": program, "proc.pname": "p"}));
        alert.event.rule = rule.as_str().into();
        if let Tuning::Exception { yaml, .. } = proposal(&alert) {
            let parsed: Json = serde_saphyr::from_str(&yaml).unwrap();
            prop_assert_eq!(parsed[0]["rule"].as_str(), Some(rule.as_str()));
            for value in values(&yaml) {
                prop_assert!([image.as_str(), program.as_str(), "p"].contains(&value.as_str()), "{}", value);
            }
        }
    }
}
