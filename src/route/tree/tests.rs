use std::borrow::Cow;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::event::Priority;
use crate::route::condition::Operand;

/// A record of texts.
struct Fake(Vec<(&'static str, Operand<'static>)>);

impl Record for Fake {
    fn field(&self, name: &str) -> Option<Operand<'_>> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.clone())
    }
}

fn fake(fields: &[(&'static str, &'static str)]) -> Fake {
    let text = |value| Operand::Text(Cow::Borrowed(value));
    Fake(
        fields
            .iter()
            .map(|(name, value)| (*name, text(*value)))
            .collect(),
    )
}

fn config(yaml: &str) -> RouteConfig {
    serde_saphyr::from_str(yaml).unwrap()
}

fn times() -> TimeIntervals {
    let config =
        serde_saphyr::from_str("night: [{ times: [{ start_time: '00:00', end_time: '06:00' }] }]");
    crate::route::time_intervals(&config.unwrap()).unwrap()
}

fn tree(yaml: &str) -> Tree {
    match Tree::try_new(&config(yaml), &times()) {
        Ok(tree) => tree,
        Err(error) => panic!("{error}"),
    }
}

fn refuse(yaml: &str) -> String {
    Tree::try_new(&config(yaml), &times())
        .unwrap_err()
        .to_string()
}

fn taken(tree: &Tree, fields: &[(&'static str, &'static str)], lane: Lane) -> Vec<String> {
    let record = fake(fields);
    tree.matches(&record, lane)
        .into_iter()
        .map(|route| route.id.0.clone())
        .collect()
}

const SITE: &str = r"
to: [soc]
group_by: [rule, hostname]
group_interval: 1m
routes:
  - name: audit
    when: source = k8s_audit
    to: [lake]
    continue: true
  - when: source = k8s_audit and ka.user.name exists
    group_by: [ka.user.name]
    routes:
      - when: ka.user.name = root
        to: [oncall, soc, oncall]
        repeat_interval: 1h
      - when: ka.user.name startswith system
  - when: source = syscall
    quiet_after: 2h
  - test: true
    to: [screen]
    routes:
      - when: hostname = lab
        to: [lab]
";

#[test]
fn a_child_that_matches_ends_the_scan_unless_it_continues_and_parents_take_the_rest() {
    let tree = tree(SITE);
    let taken = |fields: &[_]| taken(&tree, fields, Lane::Alerts);
    assert_eq!(taken(&[]), ["0"], "the root takes what is left");
    assert_eq!(taken(&[("source", "syscall")]), ["0.2"]);
    assert_eq!(taken(&[("source", "k8s_audit")]), ["0.audit"]);
    let audit = |user| taken(&[("source", "k8s_audit"), ("ka.user.name", user)]);
    assert_eq!(audit("root"), ["0.audit", "0.1.0"]);
    assert_eq!(audit("system:node"), ["0.audit", "0.1.1"]);
    assert_eq!(audit("alice"), ["0.audit", "0.1"]);
}

#[test]
fn tests_go_to_test_routes_and_nothing_else_does() {
    let site = tree(SITE);
    assert_eq!(taken(&site, &[("source", "syscall")], Lane::Test), ["0.3"]);
    assert_eq!(taken(&site, &[("hostname", "lab")], Lane::Test), ["0.3.0"]);
    assert_eq!(taken(&site, &[("hostname", "lab")], Lane::Alerts), ["0"]);
    assert!(taken(&tree("to: [soc]"), &[], Lane::Test).is_empty());
}

#[test]
fn a_route_inherits_what_it_leaves_out() {
    let tree = tree(SITE);
    let get = |id: &str| tree.get(&RouteId(id.to_owned())).unwrap();
    let fields =
        |names: &[&str]| GroupBy::Fields(names.iter().map(|name| (*name).to_owned()).collect());
    let nested = get("0.1.0");
    assert_eq!(nested.to, ["oncall", "soc"]);
    assert_eq!(nested.group_by, fields(&["ka.user.name"]));
    assert_eq!(nested.timers.group_interval, Duration::from_mins(1));
    assert_eq!(nested.timers.repeat_interval, Duration::from_hours(1));
    assert_eq!(nested.timers.quiet_after, Duration::from_hours(1));
    let syscall = get("0.2");
    assert_eq!(syscall.to, ["soc"]);
    assert_eq!(syscall.group_by, fields(&["rule", "hostname"]));
    assert_eq!(syscall.timers.quiet_after, Duration::from_hours(2));
    assert_eq!(syscall.timers.group_wait, Duration::ZERO);
    assert!(
        get("0.3.0").lane == Lane::Test,
        "below a test route stand test routes"
    );
    let ids: Vec<_> = tree.routes().map(|route| route.id.0.as_str()).collect();
    assert_eq!(
        ids,
        [
            "0", "0.audit", "0.1", "0.1.0", "0.1.1", "0.2", "0.3", "0.3.0"
        ]
    );
}

#[test]
fn explain_shows_each_route_tried_and_why() {
    let tree = tree(SITE);
    let record = fake(&[("source", "k8s_audit"), ("ka.user.name", "alice")]);
    let mut text = String::new();
    for Tried {
        route,
        matched,
        taken,
        leaves,
    } in tree.explain(&record, Lane::Alerts)
    {
        let RouteId(id) = &route.id;
        writeln!(text, "{id} matched={matched} taken={taken}").unwrap();
        for (leaf, held) in leaves {
            writeln!(text, "    {held}: {leaf}").unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_refused_section_says_where_and_why() {
    let all = [
        "{}",
        "to: []",
        "{to: [a], when: x exists}",
        "{to: [a], test: true}",
        "{to: [a], continue: true}",
        "{to: [a], routes: [{}, {routes: [{when: 'rule = a or\n  rule like b'}]}]}",
        "{to: [a], routes: [{to: []}]}",
        "{to: [a], routes: [{name: x}, {name: x}]}",
        "{to: [a], routes: [{name: '1'}]}",
        "{to: [a], group_by: ['...']}",
        "{to: [a], group_by: [rule, rule]}",
        "{to: [a], quiet_after: 0s}",
        "{to: [a], routes: [{routes: [{test: true}]}]}",
    ];
    let text: String = all.iter().map(|yaml| refuse(yaml) + "\n").collect();
    insta::assert_snapshot!(text);
    assert!(serde_saphyr::from_str::<RouteConfig>("{to: [a], wen: x}").is_err());
}

#[test]
fn routes_are_nested_only_so_deep() {
    let nest = |depth| {
        let mut config = RouteConfig::default();
        for _ in 0..depth {
            config = RouteConfig {
                routes: vec![config],
                ..RouteConfig::default()
            };
        }
        config.to = Some(vec!["soc".to_owned()]);
        Tree::try_new(&config, &times())
    };
    assert!(nest(32).is_ok());
    assert!(nest(33).is_err());
}

#[test]
fn without_group_by_the_fields_suit_the_source() {
    let tree = tree("to: [soc]");
    let root = tree.routes().next().unwrap();
    let names = |source| {
        let record = fake(&[("source", source)]);
        let values = root.group_values(&record);
        values
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let syscall = "rule hostname k8s.ns.name container.image.repository proc.name";
    assert_eq!(names("syscall"), syscall);
    assert_eq!(names("my_plugin"), syscall);
    assert_eq!(
        names("k8s_audit"),
        "rule ka.user.name ka.target.namespace ka.target.name"
    );
    assert_eq!(names("auditlogs"), "rule gcp.user gcp.projectId");
    assert_eq!(names("internal"), "rule hostname");
}

#[test]
fn group_values_come_in_the_order_of_the_config_and_missing_ones_as_none() {
    let tree = tree("{to: [soc], group_by: [b, a, tags, severity]}");
    let mut record = fake(&[("a", "1"), ("rule", "x")]);
    record
        .0
        .push(("tags", Operand::List(vec!["x".into(), "y".into()])));
    record
        .0
        .push(("severity", Operand::Priority(Priority::Error)));
    let route = tree.routes().next().unwrap();
    let values = route.group_values(&record);
    let values: Vec<_> = values.iter().map(|(n, v)| (*n, v.as_deref())).collect();
    let expected = [
        ("b", None),
        ("a", Some("1")),
        ("tags", Some("x,y")),
        ("severity", Some("Error")),
    ];
    assert_eq!(values, expected);
}

#[test]
fn routes_that_nothing_reaches_and_groups_that_never_fold_are_doubted() {
    let doubts = |yaml| {
        let doubts: Vec<_> = tree(yaml)
            .doubts()
            .iter()
            .map(ToString::to_string)
            .collect();
        doubts.join("\n")
    };
    let text = doubts(
        "{to: [a], group_by: [rule, evt.time], routes: [
            {when: a = 1, continue: true}, {when: (a=1)}, {when: a == 1, group_by: [proc.pid]},
            {test: true}, {name: rest, routes: [{}, {}]}, {when: b = 2}]}",
    );
    insta::assert_snapshot!(text);
    assert_eq!(doubts(SITE), "");
}

#[test]
fn the_schema_describes_every_setting_and_takes_what_the_code_takes() {
    let schema = serde_json::to_value(schemars::schema_for!(RouteConfig)).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(properties.len(), 18);
    for (name, property) in properties {
        assert!(property["description"].is_string(), "{name}");
    }
    let site: serde_json::Value = serde_saphyr::from_str(SITE).unwrap();
    assert!(jsonschema::is_valid(&schema, &site));
}

/// Alertmanager's `Route.Match`, over the config, with ids for routes.
fn reference(config: &RouteConfig, id: &str, record: &Fake) -> Option<Vec<String>> {
    let when = config
        .when
        .as_ref()
        .map(|when| Condition::parse(when).unwrap());
    if when.is_some_and(|when| !when.eval(record)) {
        return None;
    }
    let mut all = Vec::new();
    for (index, child) in config.routes.iter().enumerate() {
        if let Some(found) = reference(child, &format!("{id}.{index}"), record) {
            all.extend(found);
            if !child.r#continue {
                break;
            }
        }
    }
    Some(if all.is_empty() {
        vec![id.to_owned()]
    } else {
        all
    })
}

fn route_config() -> impl Strategy<Value = RouteConfig> {
    let when = proptest::option::of(proptest::sample::select(vec![
        "a exists",
        "a = 1",
        "not a = 1",
        "b = 2 or a = 1",
        "b exists and not a exists",
        "b != 2",
    ]));
    let leaf = (when, any::<bool>()).prop_map(|(when, goes_on)| RouteConfig {
        when: when.map(str::to_owned),
        r#continue: goes_on,
        ..RouteConfig::default()
    });
    let node = leaf.clone();
    leaf.prop_recursive(4, 40, 5, move |inner| {
        (node.clone(), prop::collection::vec(inner, 0..5))
            .prop_map(|(route, routes)| RouteConfig { routes, ..route })
    })
}

proptest! {
    #[test]
    fn any_tree_routes_as_alertmanager_does(
        routes in prop::collection::vec(route_config(), 0..5),
        a in proptest::option::of(proptest::sample::select(vec!["1", "2"])),
        b in proptest::option::of(proptest::sample::select(vec!["1", "2"])),
    ) {
        let to = Some(vec!["soc".to_owned()]);
        let config = RouteConfig { to, routes, ..RouteConfig::default() };
        let tree = Tree::try_new(&config, &times()).unwrap();
        let fields: Vec<_> = a.map(|a| ("a", a)).into_iter().chain(b.map(|b| ("b", b))).collect();
        let record = fake(&fields);
        let expected = reference(&config, "0", &record).unwrap();
        prop_assert_eq!(&taken(&tree, &fields, Lane::Alerts), &expected);
        let tried = tree.explain(&record, Lane::Alerts);
        let taken: Vec<_> = tried.iter().filter(|step| step.taken).collect();
        prop_assert_eq!(taken.len(), expected.len());
        prop_assert!(taken.iter().all(|step| step.matched && expected.contains(&step.route.id.0)));
    }
}
