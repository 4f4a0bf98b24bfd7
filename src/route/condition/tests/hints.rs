use super::*;

/// Prints what each mistake is answered with.
fn answers(sources: &[&str]) -> String {
    let answer = |source: &&str| match Condition::parse(source) {
        Ok(condition) => format!("ACCEPTED {condition}\n"),
        Err(error) => format!("{error}\n"),
    };
    sources.iter().map(answer).collect()
}

#[test]
fn mistakes_in_words_and_operators_are_answered_with_a_hint() {
    let text = answers(&[
        "",
        "a = 1 AND b = 2",
        "a = 1 && b = 2",
        "a = 1 || b = 2",
        "NOT a = 1",
        "!a exists",
        "proc.name not in (a, b)",
        "proc.name IN (a)",
        "proc.cmdline matches foo",
        "proc.cmdline like foo",
        "proc.cmdline =~ foo",
        "proc.cmdline === foo",
        "proc.cmdline resembles foo",
        "container.privileged",
        "container and a = 1",
        "spawned_process",
        "tolower(proc.name) = x",
        "%proc.name = x",
        "\"proc.name\" = x",
        "priority >= high",
        "priority >= 4",
        "severity in (warning, bad)",
        "priority contains crit",
        "source = syscall priority = warning",
    ]);
    insta::assert_snapshot!(text);
}

#[test]
fn mistakes_in_values_and_parentheses_are_answered_with_a_hint() {
    let text = answers(&[
        "rule = Terminal shell in container",
        "rule = (a, b)",
        "rule in a",
        "rule in [a, b]",
        "rule in (a b)",
        "rule in (a, b",
        "rule in ()",
        "rule in (a,)",
        "rule startswith (a, b)",
        "rule =",
        "rule = and b = 1",
        "rule = a=b",
        "rule = \"abc",
        r#"proc.cmdline regex "\d+""#,
        "proc.cmdline regex '(a'",
        "proc.cmdline regex 'a{1000}{1000}'",
        "proc.cmdline glob '[a'",
        "proc.duration > 60s",
        "proc.pname = <NA>",
        "proc.pname != \"\"",
        "(a = 1",
        "a = 1)",
        "a = 1 and",
        "a = 1 and # why\n b = 2",
        "source = syscall and\n\tproc.name matches x and\n a = 1",
        &format!("{}{}", "a = 1 and ".repeat(30), "b = 日本 &&"),
    ]);
    insta::assert_snapshot!(text);
}
