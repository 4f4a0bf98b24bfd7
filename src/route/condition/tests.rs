mod hints;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A record made by hand.
#[derive(Debug, Default)]
struct Fake(BTreeMap<String, Operand<'static>>);

impl Record for Fake {
    fn field(&self, name: &str) -> Option<Operand<'_>> {
        self.0.get(name).cloned()
    }
}

fn text(value: &str) -> Operand<'static> {
    Operand::Text(Cow::Owned(value.to_owned()))
}

fn list(items: &[&str]) -> Operand<'static> {
    Operand::List(
        items
            .iter()
            .map(|item| Cow::Owned((*item).to_owned()))
            .collect(),
    )
}

fn record() -> Fake {
    let fields = [
        ("rule", text("Terminal shell in container")),
        ("priority", Operand::Priority(Priority::Warning)),
        ("source", text("syscall")),
        ("fd.name", text("/etc/ssh/sshd_config")),
        ("proc.cmdline", text("curl -s http://x\n| sh")),
        ("proc.aname[2]", text("containerd-shim")),
        ("user.uid", text("1000")),
        ("evt.time", text("1783414899120272414")),
        ("container.privileged", text("true")),
        ("tags", list(&["container", "shell", "T1059"])),
    ];
    Fake(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn holds(condition: &str) -> bool {
    match Condition::parse(condition) {
        Ok(condition) => condition.eval(&record()),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_operator_means_what_falco_means() {
    for condition in [
        r#"rule = "Terminal shell in container""#,
        "source == syscall",
        "source != k8s_audit",
        "source in (k8s_audit, 'syscall')",
        "fd.name startswith /etc/",
        "fd.name endswith config",
        "fd.name contains ssh",
        "fd.name icontains SSHD",
        "fd.name pmatch (/usr, /etc/ssh)",
        "fd.name pmatch /etc/",
        "fd.name glob /etc/*",
        r#"fd.name regex "/etc/.*""#,
        r#"proc.cmdline regex "curl.*sh""#,
        "proc.aname[2] = containerd-shim",
        "container.privileged = true",
        "user.uid exists",
        "user.uid=1000",
    ] {
        assert!(holds(condition), "{condition}");
    }
    for condition in [
        "rule = \"terminal shell in container\"",
        "fd.name pmatch (/etc/ss)",
        "fd.name regex /etc",
        "fd.name glob /etc/?",
        "fd.name contains SSHD",
        "source in (syscalls)",
    ] {
        assert!(!holds(condition), "{condition}");
    }
}

#[test]
fn a_missing_field_matches_nothing_but_not_exists() {
    for op in [
        "= x",
        "!= x",
        "< 1",
        "<= 1",
        "> 1",
        ">= 1",
        "in (x)",
        "intersects (x)",
        "contains x",
        "icontains x",
        "startswith x",
        "endswith x",
        "glob *",
        "regex .*",
        "pmatch (/)",
        "exists",
    ] {
        assert!(!holds(&format!("no.such {op}")), "{op}");
        assert!(holds(&format!("not no.such {op}")), "not {op}");
    }
}

#[test]
fn numbers_compare_as_numbers() {
    for condition in [
        "user.uid > 999",
        "user.uid >= 1000.0",
        "user.uid < 10000",
        "user.uid = 01000",
        "user.uid in (5, 1000.00)",
        "evt.time > 1783414899120272413",
        "evt.time != 1783414899120272413",
    ] {
        assert!(holds(condition), "{condition}");
    }
    assert!(!holds("source > 5"), "text is no number");
    assert!(!holds("source < 5"), "text is no number");
}

#[test]
fn priorities_compare_by_how_severe_they_are() {
    for condition in [
        "priority >= warning",
        "priority >= info",
        "priority < Error",
        "priority = WARNING",
        "priority != critical",
        "priority in (notice, warning)",
        "priority exists",
    ] {
        assert!(holds(condition), "{condition}");
    }
    assert!(!holds("priority > warning"));
}

#[test]
fn in_asks_for_every_item_of_a_list_and_intersects_for_some() {
    assert!(holds("tags in (container, shell, T1059, more)"));
    assert!(!holds("tags in (container, shell)"));
    assert!(holds("tags intersects (shell, other)"));
    assert!(!holds("tags intersects (other)"));
    assert!(holds("tags = shell"));
    assert!(holds("tags contains shell"));
    assert!(
        !holds("tags contains shel"),
        "contains means equals on a list"
    );
    assert!(holds("tags icontains SHELL"));
    assert!(!holds("tags icontains SHEL"));
    assert!(!holds("tags != shell"));
    assert!(holds("tags != other"));
    assert!(holds("tags startswith T1"));
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    assert!(holds("source = syscall or source = x and source = y"));
    assert!(!holds("(source = syscall or source = x) and source = y"));
    assert!(!holds("not source = syscall and source = syscall"));
    assert!(holds("not(source = x)and(source = syscall)"));
}

#[test]
fn the_canonical_form_is_short_and_clear() {
    let print = |source| Condition::parse(source).unwrap().to_string();
    insta::assert_snapshot!(
        print("a.b==1 and(b=x or not  (c in('x y',\"it's\")and d exists)) and priority>=WARNING"),
        @r#"a.b = 1 and (b = x or not (c in ("x y", "it's") and d exists)) and priority >= warning"#
    );
    insta::assert_snapshot!(print("((a = 1 or b = 2) or c = 3 and d = 4)"), @"a = 1 or b = 2 or (c = 3 and d = 4)");
    insta::assert_snapshot!(print(r#"a regex "\\w+ \"x\"" or a = 'and'"#), @r#"a regex '\\w+ "x"' or a = "and""#);
}

#[test]
fn explain_says_which_comparisons_held() {
    let condition =
        Condition::parse("source = syscall or not (user.uid = 0 and x exists)").unwrap();
    let leaves = condition.explain(&record());
    let expected = [
        ("source = syscall", true),
        ("user.uid = 0", false),
        ("x exists", false),
    ];
    let expected: Vec<_> = expected.map(|(leaf, held)| (leaf.to_owned(), held)).into();
    assert_eq!(leaves, expected);
    assert_eq!(
        condition.fields().collect::<Vec<_>>(),
        ["source", "user.uid", "x"]
    );
    assert_eq!(condition.values_of("user.uid").collect::<Vec<_>>(), ["0"]);
}

#[test]
fn size_and_depth_are_bounded() {
    let deep = |n| format!("{}a = 1{}", "(".repeat(n), ")".repeat(n));
    assert!(Condition::parse(&deep(64)).is_ok());
    assert!(Condition::parse(&deep(65)).is_err());
    assert!(Condition::parse(&format!("{}a = 1", "not ".repeat(65))).is_err());
    assert!(Condition::parse(&"(".repeat(60_000)).is_err());
    assert!(Condition::parse(&"a".repeat(Condition::MAX_LEN + 1)).is_err());
    let wide = vec!["a = 1"; 6000].join(" or ");
    assert!(Condition::parse(&wide).is_ok());
}

#[test]
fn what_is_accepted_at_the_limits_prints_a_form_that_is_accepted_too() {
    let nested = |n| format!("{}a = 1{}", "a = 1 or b = 2 and (".repeat(n), ")".repeat(n));
    let wide = |n| vec!["a=1"; n].join(" or ");
    let mut refused = 0;
    let sources = (28..=64)
        .map(nested)
        .chain([5000, 7000, 8000, 9000].map(wide));
    for source in sources {
        match Condition::parse(&source) {
            Ok(condition) => assert_eq!(
                Condition::parse(&condition.to_string()).as_ref(),
                Ok(&condition)
            ),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0, "the limits are reached");
}

#[test]
fn a_condition_reads_from_a_string_and_names_the_place_of_a_mistake() {
    let condition: Condition = serde_json::from_str(r#""a = 1""#).unwrap();
    assert_eq!(serde_json::to_string(&condition).unwrap(), r#""a = 1""#);
    let error = serde_json::from_str::<Condition>(r#""a in b""#).unwrap_err();
    assert!(error.to_string().contains("takes a list"), "{error}");
    let error = Condition::parse("a = 1 and\n  b in c").unwrap_err();
    assert_eq!((error.line(), error.column()), (2, 8));
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}",
        "-?[0-9]{1,4}(\\.[0-9]{1,2})?",
        "[ -~]{1,8}",
        "\\PC{1,6}",
        Just("and".to_owned()),
        Just("tab\tnew\nline\r\u{8}\u{c}\u{0}".to_owned()),
    ]
    .prop_filter("never equal to anything", |value| value != "<NA>")
}

fn quoted(value: &str) -> String {
    scan::Quoted(value).to_string()
}

fn leaf() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        Just("proc.name"),
        Just("user.uid"),
        Just("tags"),
        Just("proc.aname[2]"),
        Just("x.y-z"),
    ];
    let scalar = proptest::sample::select(vec![
        "=",
        "==",
        "!=",
        "contains",
        "icontains",
        "startswith",
        "endswith",
    ]);
    let list = proptest::sample::select(vec!["in", "intersects", "pmatch"]);
    let level = proptest::sample::select(vec!["info", "WARNING", "emergency", "Debug"]);
    let relation = proptest::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    prop_oneof![
        (field.clone(), scalar, word())
            .prop_map(|(field, op, value)| format!("{field} {op} {}", quoted(&value))),
        (field.clone(), list, prop::collection::vec(word(), 1..4)).prop_map(
            |(field, op, values)| {
                let values: Vec<_> = values.iter().map(|value| quoted(value)).collect();
                format!("{field} {op} ({})", values.join(","))
            }
        ),
        (field.clone(), relation.clone(), -99..99_i32)
            .prop_map(|(field, op, number)| format!("{field}{op}{number}")),
        (field.clone(), word()).prop_map(|(field, value)| {
            format!("{field} regex {}", quoted(&regex::escape(&value)))
        }),
        (field.clone(), "[a-z*?/.]{1,8}")
            .prop_map(|(field, glob)| format!("{field} glob {}", quoted(&glob))),
        (relation, level).prop_map(|(op, level)| format!("severity {op} {level}")),
        field.prop_map(|field| format!("{field} exists")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(") and ("))),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(") or ("))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join(" or ")),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

fn operand() -> impl Strategy<Value = Operand<'static>> {
    prop_oneof![
        ".*".prop_map(|value| text(&value)),
        word().prop_map(|value| text(&value)),
        prop::collection::vec(word(), 0..4)
            .prop_map(|items| Operand::List(items.into_iter().map(Cow::Owned).collect())),
        proptest::sample::select(Priority::ALL.to_vec()).prop_map(Operand::Priority),
    ]
}

fn any_record() -> impl Strategy<Value = Fake> {
    let name = proptest::sample::select(vec![
        "proc.name",
        "user.uid",
        "tags",
        "proc.aname[2]",
        "x.y-z",
        "severity",
    ]);
    prop::collection::btree_map(name.prop_map(str::to_owned), operand(), 0..6).prop_map(Fake)
}

proptest! {
    #[test]
    fn printing_and_parsing_give_the_condition_back(source in condition(), record in any_record()) {
        let condition = Condition::parse(&source).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let printed = condition.to_string();
        let again = Condition::parse(&printed).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(&again, &condition);
        prop_assert_eq!(again.to_string(), printed);
        prop_assert_eq!(again.eval(&record), condition.eval(&record));
        for (leaf, held) in condition.explain(&record) {
            prop_assert_eq!(Condition::parse(&leaf).unwrap().eval(&record), held);
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused_on_one_line_with_a_caret(source in "[a-z.=!<>()\"' ,\\\\\nandotri&é]{0,60}") {
        if let Err(error) = Condition::parse(&source) {
            prop_assert!(!error.message().contains('\n'), "{}", error);
            prop_assert_eq!(error.to_string().lines().count(), 3, "{}", error);
        }
    }

    #[test]
    fn values_survive_quoting(value in word()) {
        let condition = Condition::parse(&format!("a contains {}", quoted(&value))).unwrap();
        let record = Fake([("a".to_owned(), text(&value))].into());
        prop_assert!(condition.eval(&record));
    }
}
