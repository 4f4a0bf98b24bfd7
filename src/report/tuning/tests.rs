//! What is proposed loads in Falco, and hits only what happened.

use super::*;
use crate::classify::{Catalogue, Category};
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

fn change(alert: &Alert) -> (String, String, String) {
    match proposal(alert) {
        Tuning::Change { yaml, what, scope } => (yaml, what.prose(), scope.prose()),
        Tuning::None(reason) => panic!("no change: {reason}"),
    }
}

#[test]
fn the_macro_that_the_rule_offers_is_told_what_stays_the_same() {
    let (yaml, what, scope) = change(&sample("drift"));
    insta::assert_snapshot!(yaml, @r#"
    - macro: known_drop_and_execute_activities
      condition: 'or (container.image.repository = "registry.example.com/shop/web" and proc.exepath = "/usr/local/bin/agent" and proc.pname = "containerd-shim")'
      override:
        condition: append
    "#);
    assert_eq!(
        what,
        "add it to the macro that the rule offers for this, `known_drop_and_execute_activities`"
    );
    assert_eq!(
        scope,
        "the image is `registry.example.com/shop/web`, the program is `/usr/local/bin/agent` and its parent is `containerd-shim`"
    );
}

#[test]
fn without_such_a_macro_the_rule_gets_an_exception() {
    let mut alert = sample("drift");
    alert.entry = None;
    let (yaml, what, _) = change(&alert);
    assert_eq!(
        values(&yaml),
        [
            "registry.example.com/shop/web",
            "/usr/local/bin/agent",
            "containerd-shim"
        ]
    );
    assert_eq!(what, "append an exception to the rule");
    // A macro that other rules use too would silence them as well.
    alert.event.rule = "Read sensitive file untrusted".into();
    alert.entry = Catalogue::builtin().get("Read sensitive file untrusted");
    assert!(
        change(&alert)
            .0
            .starts_with("- rule: Read sensitive file untrusted\n")
    );
}

#[test]
fn an_exception_of_every_system_call_rule_loads() {
    let rules = Catalogue::builtin()
        .iter()
        .filter(|entry| entry.source == "syscall");
    let mut loaded = 0;
    for entry in rules {
        let mut alert = sample("drift");
        alert.event.rule = entry.rule.as_str().into();
        alert.entry = Some(entry);
        change(&alert);
        loaded += 1;
    }
    assert!(loaded >= 97, "{loaded}");
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
        json!({"proc.exepath": "/usr/bin/python3.11", "proc.pname": "cron", "fd.name": "/etc/shadow"}),
    ] {
        assert!(
            matches!(proposal(&with(&fields)), Tuning::None(_)),
            "{fields}"
        );
    }
}

#[test]
fn requests_and_accounts_need_an_object_and_tests_take_none() {
    for name in ["drops", "test_rule"] {
        assert!(matches!(proposal(&sample(name)), Tuning::None(_)), "{name}");
    }
    let request = |fields: Json| {
        let mut alert = with(&fields);
        alert.category = Category::K8sControlPlane;
        proposal(&alert)
    };
    let user = "system:serviceaccount:ci:deployer";
    let secret = json!({"ka.user.name": user, "ka.target.resource": "secrets", "ka.target.namespace": "ci", "ka.target.name": "web-6c8f9d7b5-x2x7k"});
    let Tuning::Change { yaml, .. } = request(secret) else {
        panic!("no change")
    };
    assert_eq!(values(&yaml), [user, "secrets", "ci"]);
    for fields in [
        json!({"ka.user.name": user}),
        json!({"ka.user.name": "system:anonymous", "ka.target.resource": "secrets"}),
        json!({"ka.target.resource": "secrets"}),
    ] {
        assert!(
            matches!(request(fields.clone()), Tuning::None(_)),
            "{fields}"
        );
    }
    let account = |fields: Json| {
        let mut alert = with(&fields);
        alert.category = Category::CloudSaasControlPlane;
        proposal(&alert)
    };
    assert!(matches!(
        account(json!({"ct.user": "ci", "s3.bucket": "logs"})),
        Tuning::Change { .. }
    ));
    assert!(matches!(
        account(json!({"okta.actor.name": "Ann"})),
        Tuning::None(_)
    ));
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
        if let Tuning::Change { yaml, .. } = proposal(&alert) {
            let parsed: Json = serde_saphyr::from_str(&yaml).unwrap();
            prop_assert_eq!(parsed[0]["rule"].as_str(), Some(rule.as_str()));
            for value in values(&yaml) {
                prop_assert!([image.as_str(), program.as_str(), "p"].contains(&value.as_str()), "{}", value);
            }
        }
    }
}
