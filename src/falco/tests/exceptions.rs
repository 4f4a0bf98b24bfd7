use super::*;

#[test]
fn exceptions_have_one_shape() {
    loads(&exception(
        "[proc.name, fd.name]",
        "[=, in]",
        "[[a, [b, c]]]",
    ));
    loads(&exception(
        "[proc.name, fd.name]",
        "[\"=\", \"in\"]",
        "[[a, b]]",
    ));
    loads(&exception("[\"proc.aname[2]\"]", "[\"=\"]", "[[a]]"));
    loads(&exception("proc.name", "in", "[a, b]"));
    for operator in [
        "=",
        "==",
        "!=",
        "contains",
        "icontains",
        "startswith",
        "endswith",
        "glob",
        "iglob",
        "regex",
        "in",
        "pmatch",
        "intersects",
    ] {
        loads(&valued(operator, "a"));
    }
    for operator in [
        "matches",
        "not in",
        "IN",
        "exists",
        "bcontains",
        "bstartswith",
    ] {
        let faults = faults(&valued(operator, "a"));
        assert!(
            faults.len() == 1 && faults[0].contains(operator),
            "{faults:?}"
        );
    }
    refused(
        &exception("[proc.name, fd.name]", "[\"=\"]", "[[a, b]]"),
        "equal length",
    );
    refused(
        &exception("[proc.name, fd.name]", "[\"=\", \"=\"]", "[[a]]"),
        "1 values for 2 fields",
    );
    refused(
        &exception("[proc.name, fd.name]", "[\"=\", \"=\"]", "[[a, b, c]]"),
        "3 values for 2 fields",
    );
    refused(
        &exception("[proc.name, fd.name]", "[\"=\", \"=\"]", "[a, b]"),
        "is a list",
    );
    refused(
        &exception("[proc.name, fd.name]", "[\"=\", \"=\"]", "{a: b}"),
        "must be a list",
    );
    refused(
        &exception("[proc.name, fd.name]", "[\"=\", \"=\"]", "[]"),
        "is empty",
    );
    refused(
        &exception("[proc.name, fd.name]", "[\"=\", \"=\"]", "[[[a], b]]"),
        "takes one value",
    );
    refused(&exception("proc.name", "=", "[a]"), "must be `in`");
    refused(&exception("[proc.nam]", "[\"=\"]", "[[a]]"), "no field");
    refused(
        &exception("[fd.types]", "[\"=\"]", "[[file]]"),
        "holds a list",
    );
    loads(&exception("[fd.types]", "[\"in\"]", "[[[file]]]"));
}

#[test]
fn an_appended_exception_has_all_its_keys() {
    refused(
        &append(
            "  exceptions:\n    - name: e\n      values: [[a]]\n  override:\n    exceptions: append\n",
        ),
        "`fields` is missing",
    );
    refused(
        &append(
            "  exceptions:\n    - name: e\n      fields: [proc.name]\n  override:\n    exceptions: append\n",
        ),
        "`values` is missing",
    );
    refused(
        &append("  exceptions:\n    name: e\n  override:\n    exceptions: append\n"),
        "must be a list",
    );
    refused(
        &append(
            "  exceptions:\n    - name: e\n      fields: [proc.name]\n      values: [[a]]\n      comment: x\n  override:\n    exceptions: append\n",
        ),
        "there is no key `comment`",
    );
    refused(
        &append("  exceptions:\n    - name: e\n      fields: [proc.name]\n      values: [[a]]\n"),
        "needs `desc`",
    );
}

#[test]
fn an_exception_is_not_keyed_on_what_changes() {
    for field in [
        "container.id",
        "proc.pid",
        "evt.time",
        "k8s.pod.uid",
        "container.start_ts",
        "\"proc.apid[2]\"",
    ] {
        refused(
            &exception(&format!("[{field}]"), "[\"=\"]", "[[\"1\"]]"),
            "once and never again",
        );
    }
}

#[test]
fn values_reach_the_engine_as_they_are_written() {
    // Bare, as the engine takes them.
    for good in [
        "a b",
        "'a, b (c) = d'",
        "C:\\x",
        "a%b$c#d",
        "'é'",
        "1.5",
        "\"'\"x y\"'\"",
    ] {
        let good = good.replace("\"'\"x y\"'\"", "\"x 'y' z\"");
        loads(&valued("=", &good));
    }
    for (bad, why) in [
        ("'(a)'", "break the condition"),
        ("a=b", "break the condition"),
        ("'a,b'", "break the condition"),
        ("'a\"b c'", "holds a quote"),
        ("'C:\\temp x'", "other characters"),
        ("''", "empty"),
        ("'\"\"'", "is empty"),
        ("null", "null"),
        ("~", "null"),
        ("\"a\\tb\"", "break the condition"),
    ] {
        refused(&valued("=", bad), why);
    }
    refused(&valued("in", "'a,b'"), "split into several");
    refused(&valued("in", "trusted_images"), "is also a list");
    loads(&valued("=", "trusted_images"));
    // In inner double quotes.
    for good in [
        r#"'"a,b"'"#,
        r#"'"(a=b)"'"#,
        r#"'"a\"b c"'"#,
        r#"'"C:\\temp x"'"#,
        r#"'"trusted_images"'"#,
        r#"'"\"sh -c x\""'"#,
        r#"'"null"'"#,
    ] {
        loads(&valued("in", good));
    }
    for (bad, why) in [
        (r#"'"a\q"'"#, "escape that Falco does not know"),
        (r#"'"a"b"'"#, "not escaped"),
        (r#"'"a\\"'"#, "ends in a backslash"),
    ] {
        refused(&valued("in", bad), why);
    }
    let long = "é".repeat(128);
    for operator in ["=", "in", "startswith", "glob", "pmatch"] {
        refused(
            &valued(operator, &format!("'\"{long}\"'")),
            "longer than 255",
        );
        loads(&valued(operator, &format!("'\"{}\"'", "x".repeat(255))));
    }
    for (field, good, bad) in [
        ("user.uid", "1000", "root"),
        ("container.privileged", "true", "yes"),
        ("fd.sip", "10.0.0.1", "example.com"),
        ("evt.type", "execve", "launch"),
        ("fd.rport", "443", "1:2"),
    ] {
        let one = |value: &str| {
            exception(
                &format!("[{field}]"),
                "[\"=\"]",
                &format!("[['\"{value}\"']]"),
            )
        };
        loads(&one(good));
        refused(&one(bad), "is not");
    }
}

#[test]
fn quoting_always_gives_the_value_back() {
    use proptest::prelude::*;
    proptest!(|(text in "\\PC{1,60}")| {
        if let Some(quoted) = quoted(&text) {
            prop_assert_eq!(value::meaning(&quoted, true).unwrap(), text.clone());
            let yaml = valued("in", &format!("'{}'", quoted.replace('\'', "''")));
            prop_assert_eq!(faults(&yaml), [""; 0]);
        } else {
            prop_assert!(text.ends_with('\\') || text.len() > MAX_VALUE_BYTES);
        }
    });
}
