use super::*;

#[test]
fn conditions_are_written_in_falcos_language() {
    for good in [
        "spawned_process and not proc.name in (a, b)",
        "spawned_process and proc.name == sh",
        "spawned_process and container.privileged = true",
        "spawned_process and fd.sport = http and fd.rport = 443",
        "spawned_process and proc.cmdline contains \"sh -c\"",
        "spawned_process and proc.cmdline contains 'sh -c'",
        "evt.type in (open, openat) and fd.snet in (10.0.0.0/8)",
        "spawned_process and proc.aname[2] exists",
        "evt.type = execve and k8s.pod.label[app] = web",
        "spawned_process and (proc.name = a or (not proc.name = b))",
    ] {
        loads(&condition(good));
    }
    for (bad, why) in [
        (
            "spawned_process and proc.name not in (a)",
            "write `not field in",
        ),
        ("spawned_process AND proc.name = a", "expected `and`"),
        ("spawned_process && proc.name = a", "expected `and`"),
        (
            "spawned_process and proc.name IN (a)",
            "expected an operator",
        ),
        ("spawned_process and proc.name matches x", "use `regex`"),
        ("spawned_process and proc.name like x", "use `regex`"),
        ("spawned_process and proc.name = (a, b)", "takes one value"),
        ("spawned_process and proc.name in [a, b]", "round brackets"),
        (
            "spawned_process and proc.name startswith (a, b)",
            "takes one value",
        ),
        (
            "spawned_process and proc.name startswith oneof (a, b)",
            "Falco 0.44",
        ),
        (
            "spawned_process and proc.duration > 60s",
            "compares with a number",
        ),
        (
            "spawned_process and container.privileged",
            "compared: `= true`",
        ),
        (
            "spawned_process and container.privileged = yes",
            "`true` or `false`",
        ),
        (
            "spawned_process and container.privileged = True",
            "`true` or `false`",
        ),
        ("spawned_process and user.uid = root", "not a number"),
        (
            "evt.type = connect and fd.sip = example.com",
            "not an IP address",
        ),
        (
            "evt.type = connect and fd.sip = 10.0.0.0/8",
            "not an IP address",
        ),
        (
            "evt.type = launch and proc.name = a",
            "the name of an event",
        ),
        ("spawned_process and proc.cmdline = sh -c", "expected `and`"),
        ("spawned_process # all of them", "expected `and`"),
        (
            "spawned_process and proc.name regex '('",
            "no regular expression",
        ),
        ("spawned_process and container.image.name = x", "no field"),
        ("spawned_process and k8s.namespace.name = x", "no field"),
        ("spawned_process and pod.name = x", "no field"),
        ("spawned_process and process.name = x", "no field"),
        ("spawned_process and fd.types = file", "holds a list"),
        ("spawned_process and evt.dir = <", "deprecated"),
        (
            "spawned_process and no_such_macro",
            "no macro `no_such_macro`",
        ),
        ("spawned_process and (proc.name = a", "expected `)`"),
        ("spawned_process and proc.name = \"a", "not closed"),
        ("proc.name = sh", "without `evt.type`"),
        (
            "container.id != c61b and proc.exe = x",
            "without `evt.type`",
        ),
        ("tolower(proc.name) = x", "functions"),
    ] {
        refused(&condition(bad), why);
    }
    refused(
        &changed(
            "condition",
            "  condition: >\n    spawned_process\n    # a comment\n    and container",
        ),
        "expected `and`",
    );
}

#[test]
fn outputs_name_fields() {
    for (bad, why) in [
        ("100% sure %proc.name", "followed by a field"),
        ("100%% sure %proc.name", "followed by a field"),
        ("text only", "without fields"),
        ("%proc.nam", "no field"),
        ("%container.info", "deprecated"),
        ("%evt.dir", "deprecated"),
        ("${x} {{proc.name}}", "without fields"),
    ] {
        refused(&changed("output", &format!("  output: \"{bad}\"")), why);
    }
    loads(&changed(
        "output",
        "  output: \"file=%fd.name parent=%proc.aname[2] arg=%evt.arg.flags.\"",
    ));
}
