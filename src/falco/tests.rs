//! The verdicts of two real engines (Falco 0.40 and 0.44) as a table, and what they let through by
//! mistake.

mod command;
mod conditions;
mod exceptions;

use super::*;

fn faults(yaml: &str) -> Vec<String> {
    let faults = check_rules(yaml, &[]);
    faults.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn loads(yaml: &str) {
    assert_eq!(faults(yaml), [""; 0], "{yaml}");
}

#[track_caller]
fn refused(yaml: &str, why: &str) {
    let faults = faults(yaml);
    assert!(
        faults.iter().any(|fault| fault.contains(why)),
        "{yaml}\nshould fail with {why:?}, not {faults:?}"
    );
}

const RULE: &str = "- rule: Agent writes\n  desc: d\n  condition: open_write and container\n  output: wrote | file=%fd.name\n  priority: WARNING\n";

/// The rule with one line changed.
fn changed(key: &str, line: &str) -> String {
    let lines = RULE.lines().map(|old| {
        if old.trim_start().starts_with(&format!("{key}:")) {
            line
        } else {
            old
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn condition(text: &str) -> String {
    changed(
        "condition",
        &format!("  condition: '{}'", text.replace('\'', "''")),
    )
}

fn append(body: &str) -> String {
    format!("- rule: Terminal shell in container\n{body}")
}

fn exception(fields: &str, comps: &str, values: &str) -> String {
    append(&format!(
        "  exceptions:\n    - name: e\n      fields: {fields}\n      comps: {comps}\n      values: {values}\n  override:\n    exceptions: append\n"
    ))
}

/// An exception of one tuple whose first value is compared by `comp`.
fn valued(comp: &str, value: &str) -> String {
    exception(
        "[proc.cmdline, proc.name]",
        &format!("[\"{comp}\", \"=\"]"),
        &format!("[[{value}, sh]]"),
    )
}

#[test]
fn whole_files_of_the_documented_shapes_load() {
    loads(
        "- list: allowed_acme_images\n  items: [docker.io/acme/agent]\n- macro: trusted_agent\n  condition: (container.image.repository in (allowed_acme_images) and proc.name = acme-agent)\n- rule: Agent Wrote Outside Its Directory\n  desc: Detect writes by the agent outside its directory\n  condition: open_write and container and trusted_agent and not fd.name startswith /var/lib/acme/\n  output: Agent wrote outside its directory | file=%fd.name command=%proc.cmdline\n  priority: WARNING\n  tags: [container, filesystem, mitre_persistence]\n",
    );
    loads(
        "- rule: Drop and execute new binary in container\n  exceptions:\n    - name: known_installer\n      fields: [container.image.repository, proc.name]\n      comps: [\"=\", \"in\"]\n      values:\n        - [docker.io/acme/builder, [make, cc1]]\n  override:\n    exceptions: append\n- rule: Terminal shell in container\n  condition: and not k8s.ns.name = debug\n  override:\n    condition: append\n- rule: Terminal shell in container\n  enabled: false\n  override:\n    enabled: replace\n- list: known_drop_and_execute_containers\n  items: [docker.io/acme/builder]\n  override:\n    items: append\n- macro: known_drop_and_execute_activities\n  condition: (container.image.repository = docker.io/acme/builder and proc.pname = make)\n  override:\n    condition: replace\n",
    );
    loads(RULE);
}

#[test]
fn items_that_define_nothing_or_have_no_shape_are_refused() {
    refused("rule: x\ncondition: y\n", "top level must be a list");
    refused("rules:\n  - rule: x\n", "top level must be a list");
    refused("- name: x\n  description: y\n", "defines nothing");
    refused("- alert: x\n", "defines nothing");
    refused("- just text\n", "must be a mapping");
    refused("- rule: [\n", "YAML");
    refused(&changed("output", "  output: a: b"), "YAML");
    refused(&format!("{RULE}  desc: again\n"), "YAML");
}

#[test]
fn a_new_rule_is_complete_and_its_values_are_of_the_right_kind() {
    for key in ["desc", "condition", "output", "priority"] {
        refused(&changed(key, ""), &format!("needs `{key}`"));
        refused(
            &changed(key, &format!("  {key}: ''")),
            &format!("needs `{key}`"),
        );
    }
    refused("- rule: x\n", "needs `desc`");
    refused(
        &changed("condition", "  condition: {or: [a, b]}"),
        "needs `condition`",
    );
    refused(&changed("output", "  output: [a]"), "needs `output`");
    for priority in ["warning", "Informational", "info", "CRITICAL"] {
        loads(&changed("priority", &format!("  priority: {priority}")));
    }
    for priority in ["HIGH", "MEDIUM", "WARN", "ERR", "INFORMATION"] {
        refused(
            &changed("priority", &format!("  priority: {priority}")),
            "there is no priority",
        );
    }
    for key in ["action: block", "severity: high", "remediation: none"] {
        refused(&format!("{RULE}  {key}\n"), "there is no key");
    }
    refused(&format!("{RULE}  append: true\n"), "deprecated");
    refused(
        &RULE.replace("Agent writes", "Terminal shell in container"),
        "replace the official rule",
    );
}

#[test]
fn overrides_name_what_is_there_and_only_that() {
    let tags = "  tags: [x]\n";
    loads(&append(&format!("{tags}  override:\n    tags: append\n")));
    loads(&append(&format!(
        "{tags}  source: syscall\n  override:\n    tags: append\n"
    )));
    refused(
        &append(&format!(
            "{tags}  source: k8s_audit\n  override:\n    tags: append\n"
        )),
        "cannot be changed",
    );
    refused(
        &append("  override:\n    tags: append\n"),
        "which is not there",
    );
    refused(
        &append(&format!("{tags}  desc: d\n  override:\n    tags: append\n")),
        "does not name it",
    );
    refused(
        &append(&format!("{tags}  override:\n    tags: merge\n")),
        "append or replace",
    );
    refused(
        &append(&format!("{tags}  override: append\n")),
        "key by key",
    );
    refused(&append(&format!("{tags}  override: {{}}\n")), "key by key");
    refused(
        &append(&format!("{tags}  overrides:\n    tags: append\n")),
        "there is no key `overrides`",
    );
    refused(
        &append("  priority: NOTICE\n  override:\n    priority: append\n"),
        "cannot be changed",
    );
    refused(
        &append("  enabled: false\n  override:\n    enabled: append\n"),
        "cannot be changed",
    );
    refused(&append("  enabled: false\n"), "deprecated");
    refused(
        &append("  condition: and x\n  append: true\n"),
        "deprecated",
    );
    refused(
        "- rule: No such rule\n  tags: [x]\n  override:\n    tags: append\n",
        "no such rule",
    );
    refused(
        "- rule: terminal shell in container\n  tags: [x]\n  override:\n    tags: append\n",
        "no such rule",
    );
    refused(
        "- list: no_such_list\n  items: [x]\n  override:\n    items: append\n",
        "no such list",
    );
    refused(
        "- macro: no_such_macro\n  condition: proc.name = x\n  override:\n    condition: replace\n",
        "no such macro",
    );
    refused(
        "- list: trusted_images\n  items: [x]\n",
        "replace the official list",
    );
    refused(
        &append("  condition: k8s.ns.name = x\n  override:\n    condition: append\n"),
        "begins with `and`",
    );
    loads(&append(
        "  output: shell | %proc.cmdline\n  priority: ERROR\n  override:\n    output: replace\n    priority: replace\n",
    ));
}

#[test]
fn lists_and_macros_have_valid_names_and_items() {
    loads("- list: my_list\n  items: [a, 'b c', 22]\n");
    refused("- list: my list\n  items: [a]\n", "name has no blanks");
    refused("- list: my_list\n  items: ['a,b']\n", "split into several");
    refused("- list: my_list\n  items: ['(a)']\n", "break the condition");
    refused(
        "- list: my_list\n  items: [trusted_images]\n",
        "is also a list",
    );
    refused("- list: my_list\n  items: [null]\n", "a text or a number");
    refused(
        "- macro: my-macro\n  condition: proc.name = a\n",
        "letters, digits",
    );
    refused("- macro: mine\n  condition: {a: b}\n", "needs `condition`");
}

#[test]
fn the_mistakes_of_generated_reports_are_refused() {
    // The report that started this project, and its siblings: rule blocks that define nothing.
    refused(
        "rule:\n  name: Drop and execute\n  description: d\n  condition:\n    or:\n      - a\n",
        "top level must be a list",
    );
    refused(
        &format!("{RULE}  action: block\n"),
        "there is no key `action`",
    );
    refused(
        &changed("condition", "  condition:\n    or: [a, b]"),
        "needs `condition`",
    );
    refused(
        &condition("container.id != \"c61b4be90d6\" or proc.exe = \"/tmp/x\""),
        "without `evt.type`",
    );
    refused(
        &changed("output", "  output: Binary executed"),
        "without fields",
    );
    refused(&changed("priority", ""), "needs `priority`");
    refused(
        &RULE.replace("Agent writes", "Drop and execute new binary in container"),
        "replace the official rule",
    );
    for line in [
        "falco -c rules.yaml",
        "falco --event_logger enabled=true --log_format json",
        "falco --alert-only",
        "falco --log-format json",
    ] {
        assert!(!check_command(line).is_empty(), "{line}");
    }
    assert!(!check_config("event_logger:\n  enabled: true\n  log_format: json\n").is_empty());
}
