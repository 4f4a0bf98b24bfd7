//! What readers paste: flags and keys that exist, manifests of the right shape, shell that is sound.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::falco;
use crate::markup::document::Inline;
use crate::markup::escape::shell_word;
use proptest::prelude::*;

/// Every inline code span and every block of commands of all reports and runbook pages.
fn advice() -> (BTreeSet<String>, BTreeSet<String>) {
    let engine = Engine::default();
    let (mut spans, mut blocks) = (BTreeSet::new(), BTreeSet::new());
    let mut take = |markdown: &str| {
        for block in Document::parse(markdown).blocks {
            match block {
                Block::Code { language, text } if language.as_deref() == Some("bash") => {
                    blocks.insert(text);
                }
                Block::Paragraph(content) => spans.extend(codes(&content)),
                Block::List { items, .. } => {
                    for block in items.into_iter().flatten() {
                        if let Block::Paragraph(content) = block {
                            spans.extend(codes(&content));
                        }
                    }
                }
                _ => {}
            }
        }
    };
    for entry in Catalogue::builtin().iter() {
        take(&report_of(&synthetic(entry), 1).markdown);
        take(&engine.runbook(&entry.rule).unwrap().unwrap());
    }
    for sample in samples() {
        take(&report_of(&sample.alert, 1).markdown);
    }
    (spans, blocks)
}

fn codes(content: &[Inline]) -> Vec<String> {
    let code = |inline: &Inline| match inline {
        Inline::Code(text) => Some(text.clone()),
        _ => None,
    };
    content.iter().filter_map(code).collect()
}

#[test]
fn flags_keys_and_fields_that_are_named_exist() {
    let (spans, blocks) = advice();
    assert!(spans.len() > 300 && blocks.len() > 20);
    let lines = blocks.iter().flat_map(|block| block.lines());
    for line in lines.chain(spans.iter().map(String::as_str)) {
        if line.starts_with("falco ") {
            assert_eq!(falco::check_command(line), [], "{line}");
        }
    }
    let mut wrong = Vec::new();
    for span in &spans {
        let root = span.split(['.', '[', ':']).next().unwrap_or_default();
        let is_path = span
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._[]".contains(c));
        if is_path && falco::is_key(root) && span != "rules.d" {
            wrong.extend(falco::check_key(span));
        }
        // `fs.` and `user.max_` are kernel settings, `user.lifecycle.` is Okta's.
        let families = [
            "proc",
            "fd",
            "user",
            "group",
            "thread",
            "container",
            "k8s",
            "ka",
            "ct",
            "gcp",
            "okta",
            "github",
            "krsi",
        ];
        let is_field = is_path && span.contains('.') && families.contains(&root);
        if is_field && !span.starts_with("user.max_") && !span.starts_with("user.lifecycle.") {
            wrong.extend(falco::check_field(span));
        }
        let hooks = [
            "user_known_",
            "user_expected_",
            "known_drop_",
            "known_p",
            "allowed_",
        ];
        if hooks.iter().any(|prefix| span.starts_with(prefix)) {
            assert!(falco::is_macro_or_list(span), "{span}");
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn the_quarantine_is_a_policy_that_the_api_server_takes() {
    let report = named("shell");
    let (_, rest) = report.markdown.split_once("<<'EOF'\n").unwrap();
    let (manifest, _) = rest.split_once("\nEOF\n").unwrap();
    let policy: Json = serde_saphyr::from_str(manifest).unwrap();
    let wanted = serde_json::json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "name": "quarantine-deny-all" },
        "spec": {
            "podSelector": { "matchLabels": { "quarantine": "deny-all" } },
            "policyTypes": ["Ingress", "Egress"],
        },
    });
    assert_eq!(policy, wanted);
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/shellcheck");
    if !program.exists() {
        println!("skipped: shellcheck is not here; tests/peers/install brings it");
        return;
    }
    let (_, blocks) = advice();
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = blocks
        .iter()
        .enumerate()
        .map(|(number, block)| {
            let file = folder.path().join(format!("{number}.sh"));
            std::fs::write(&file, block).unwrap();
            file
        })
        .collect();
    let output = Command::new(program)
        .args(["--shell=bash", "--format=gcc"])
        .args(&files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}

/// What a real shell makes of words.
fn bash(words: &[String]) -> Vec<String> {
    let mut shell = Command::new("bash")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let script = format!("printf '%s\\0' {}\n", words.join(" "));
    shell
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = shell.wait_with_output().unwrap().stdout;
    let text = String::from_utf8(output).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn every_hostile_value_is_one_word_to_a_real_shell_or_none() {
    let rows = crate::markup::testing::corpus();
    let values: Vec<_> = rows.iter().map(|row| row.value.clone()).collect();
    let (words, values): (Vec<_>, Vec<_>) = values
        .into_iter()
        .filter_map(|value| Some((shell_word(&value)?.into_owned(), value)))
        .unzip();
    assert!(words.len() > 100, "{}", words.len());
    assert_eq!(bash(&words), values);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_value_is_one_word_to_a_real_shell(values in proptest::collection::vec("[ -~é日]{0,20}", 1..40)) {
        let words: Vec<_> = values.iter().map(|value| shell_word(value).unwrap().into_owned()).collect();
        prop_assert_eq!(bash(&words), values);
    }
}
