//! Rules files: lists of rules, macros and lists, new ones and changes of those that exist.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::names::{NAMES, PRIORITIES};
use super::{Fault, condition, exception, output, value};
use crate::classify::Catalogue;

/// The keys that `override` may append to or replace.
const APPENDABLE: [&str; 6] = ["condition", "output", "desc", "tags", "exceptions", "items"];
const REPLACEABLE: [&str; 13] = [
    "condition",
    "output",
    "desc",
    "tags",
    "exceptions",
    "items",
    "priority",
    "enabled",
    "capture",
    "capture_duration",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "append",
];

/// The keys of a rule.
const RULE_KEYS: [&str; 15] = [
    "rule",
    "desc",
    "condition",
    "output",
    "priority",
    "source",
    "enabled",
    "tags",
    "exceptions",
    "override",
    "append",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
];

/// What would keep a rules file from loading, or from meaning what it says, after the official rules
/// and those of the site: `own`, with their sources. Empty when all is well.
pub fn check_rules(yaml: &str, own: &[(&str, &str)]) -> Vec<Fault> {
    let parsed: Value = match serde_saphyr::from_str(yaml) {
        Ok(parsed) => parsed,
        Err(error) => {
            let what = error.without_snippet().to_string();
            return vec![Fault::new("YAML", what)];
        }
    };
    let Some(items) = parsed.as_array() else {
        return vec![Fault::new(
            "rules file",
            "the top level must be a list: `- rule: ...`",
        )];
    };
    let mut file = File {
        own,
        macros: HashSet::new(),
        lists: HashSet::new(),
        rules: HashSet::new(),
        faults: Vec::new(),
    };
    file.define(items);
    for item in items {
        file.item(item);
    }
    file.faults
}

struct File<'o> {
    own: &'o [(&'o str, &'o str)],
    macros: HashSet<String>,
    lists: HashSet<String>,
    rules: HashSet<String>,
    faults: Vec<Fault>,
}

type Checked = Result<(), String>;

/// The source of an official rule.
fn official(rule: &str) -> Option<&'static str> {
    let entry = Catalogue::builtin().get(rule);
    entry
        .filter(|entry| entry.rule == rule)
        .map(|entry| entry.source.as_str())
}

impl File<'_> {
    /// The source of a rule that exists before the file.
    fn source_of(&self, rule: &str) -> Option<&str> {
        let own = self.own.iter().find(|(name, _)| *name == rule);
        official(rule).or(own.map(|(_, source)| *source))
    }

    /// A rule may use a macro that is defined further down.
    fn define(&mut self, items: &[Value]) {
        for item in items.iter().filter(|item| item.get("override").is_none()) {
            for (key, names) in [("macro", &mut self.macros), ("list", &mut self.lists)] {
                if let Some(name) = item.get(key).and_then(Value::as_str) {
                    names.insert(name.to_owned());
                }
            }
        }
    }

    fn item(&mut self, item: &Value) {
        let Some(map) = item.as_object() else {
            self.faults.push(Fault::new(
                "item",
                "an item must be a mapping with `rule`, `macro` or `list`",
            ));
            return;
        };
        let kinds = [
            "rule",
            "macro",
            "list",
            "required_engine_version",
            "required_plugin_versions",
        ];
        let Some(kind) = kinds.into_iter().find(|kind| map.contains_key(*kind)) else {
            let what = "an item without `rule`, `macro` or `list` defines nothing, and Falco does not say so";
            self.faults.push(Fault::new("item", what));
            return;
        };
        let name = map.get(kind).and_then(Value::as_str);
        let place = format!("{kind} {}", name.unwrap_or_default());
        let checked = match (kind, name) {
            ("required_engine_version" | "required_plugin_versions", _) => Ok(()),
            (_, None | Some("")) => Err(format!("`{kind}` must be a name")),
            ("rule", Some(name)) => self.rule(name, map),
            ("macro", Some(name)) => self.macro_(name, map),
            (_, Some(name)) => self.list(name, map),
        };
        if let Err(what) = checked {
            self.faults.push(Fault::new(place.trim_end(), what));
        }
    }

    fn rule(&mut self, name: &str, map: &Map<String, Value>) -> Checked {
        keys(map, &RULE_KEYS)?;
        if map.contains_key("append") {
            return Err("`append: true` is deprecated; use `override`".to_owned());
        }
        let source = map
            .get("source")
            .map(|source| source.as_str().unwrap_or_default());
        if let Some(changes) = map.get("override") {
            let of = self
                .source_of(name)
                .or_else(|| self.rules.contains(name).then_some("syscall"));
            let of = of.ok_or("there is no such rule to change; names are exact, and the file that defines it comes first")?;
            if source.is_some_and(|source| source != of) {
                return Err(format!("the rule's source is {of} and cannot be changed"));
            }
            self.changes(changes, map)?;
        } else {
            if map.contains_key("enabled") && map.len() == 2 {
                return Err(
                    "a lone `enabled` is deprecated; add `override: { enabled: replace }`"
                        .to_owned(),
                );
            }
            for key in ["desc", "condition", "output", "priority"] {
                let text = map.get(key).and_then(Value::as_str).unwrap_or_default();
                if text.trim().is_empty() {
                    return Err(format!("a new rule needs `{key}`, as text"));
                }
            }
            if official(name).is_some() {
                return Err("this would replace the official rule without a word; change it with `override`".to_owned());
            }
            self.rules.insert(name.to_owned());
        }
        self.rule_values(map, source)
    }

    fn rule_values(&self, map: &Map<String, Value>, source: Option<&str>) -> Checked {
        let appended = |key: &str| {
            map.get("override").and_then(|changes| changes.get(key)) == Some(&Value::from("append"))
        };
        if let Some(condition) = map.get("condition") {
            let text = condition.as_str().ok_or("`condition` must be one text")?;
            if appended("condition") {
                self.appended(text)?;
            } else {
                let used = self.condition(text)?;
                let of_calls = source.is_none_or(|source| source == "syscall");
                let typed = used.event_type
                    || used
                        .macros
                        .iter()
                        .any(|name| NAMES.typed.contains(name) || self.macros.contains(name));
                if of_calls && !typed {
                    return Err(
                        "without `evt.type` the condition is evaluated on every event; restrict it"
                            .to_owned(),
                    );
                }
            }
        }
        if let Some(text) = map.get("output") {
            let text = text.as_str().ok_or("`output` must be one text")?;
            output::check(text)?;
        }
        if let Some(priority) = map.get("priority") {
            let known = priority.as_str().is_some_and(|priority| {
                PRIORITIES.contains(&priority.to_ascii_lowercase().as_str())
            });
            if !known {
                return Err(format!(
                    "there is no priority {priority}; use one of {}",
                    PRIORITIES.join(", ")
                ));
            }
        }
        if let Some(tags) = map.get("tags") {
            texts("tags", tags)?;
        }
        for key in [
            "enabled",
            "warn_evttypes",
            "skip-if-unknown-filter",
            "capture",
        ] {
            if map.get(key).is_some_and(|value| !value.is_boolean()) {
                return Err(format!("`{key}` must be true or false"));
            }
        }
        match map.get("exceptions") {
            Some(exceptions) => exception::check(exceptions, map.contains_key("override")),
            None => Ok(()),
        }
    }

    fn macro_(&mut self, name: &str, map: &Map<String, Value>) -> Checked {
        keys(map, &["macro", "condition", "override"])?;
        let valid = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            return Err("a macro's name has letters, digits and `_`".to_owned());
        }
        let text = map
            .get("condition")
            .and_then(Value::as_str)
            .ok_or("a macro needs `condition`, as text")?;
        let Some(changes) = map.get("override") else {
            if NAMES.macros.contains(name) {
                return Err("this would replace the official macro without a word; change it with `override`".to_owned());
            }
            return self.condition(text).map(drop);
        };
        if !NAMES.macros.contains(name) && !self.macros.contains(name) {
            return Err("there is no such macro to change".to_owned());
        }
        self.changes(changes, map)?;
        if changes.get("condition") == Some(&Value::from("append")) {
            self.appended(text)
        } else {
            self.condition(text).map(drop)
        }
    }

    fn list(&mut self, name: &str, map: &Map<String, Value>) -> Checked {
        keys(map, &["list", "items", "override"])?;
        if name.contains(|c: char| c.is_whitespace() || "\"'()=,".contains(c)) {
            return Err("a list's name has no blanks, quotes, brackets, `=` or `,`".to_owned());
        }
        let items = map
            .get("items")
            .and_then(Value::as_array)
            .ok_or("a list needs `items`, as a list")?;
        for item in items {
            match item {
                Value::String(item) => drop(value::meaning(item, true)?),
                Value::Number(_) => {}
                _ => return Err("an item must be a text or a number".to_owned()),
            }
        }
        match map.get("override") {
            Some(_) if !NAMES.lists.contains(name) && !self.lists.contains(name) => {
                Err("there is no such list to change".to_owned())
            }
            Some(changes) => self.changes(changes, map),
            None if NAMES.lists.contains(name) => Err(
                "this would replace the official list without a word; change it with `override`"
                    .to_owned(),
            ),
            None => Ok(()),
        }
    }

    /// Every key that is overridden is there, and every key that is there is overridden.
    #[expect(clippy::unused_self, reason = "one of the checks of a file")]
    fn changes(&self, changes: &Value, map: &Map<String, Value>) -> Checked {
        let changes = changes.as_object().filter(|changes| !changes.is_empty());
        let changes =
            changes.ok_or("`override` must say what it appends to or replaces, key by key")?;
        for (key, how) in changes {
            if !map.contains_key(key) {
                return Err(format!("`override` names `{key}`, which is not there"));
            }
            let allowed: &[&str] = match how.as_str() {
                Some("append") => &APPENDABLE,
                Some("replace") => &REPLACEABLE,
                _ => return Err(format!("`override.{key}` must be append or replace")),
            };
            if !allowed.contains(&key.as_str()) {
                return Err(format!("`{key}` cannot be changed by {how}"));
            }
        }
        let fixed = ["rule", "macro", "list", "source", "override"];
        let unnamed = map
            .keys()
            .find(|key| !fixed.contains(&key.as_str()) && !changes.contains_key(*key));
        unnamed.map_or(Ok(()), |key| {
            Err(format!("`{key}` is there but `override` does not name it"))
        })
    }

    /// A condition that is added to another with a blank between.
    fn appended(&self, text: &str) -> Checked {
        let text = text.trim();
        let rest = text
            .strip_prefix("and ")
            .or_else(|| text.strip_prefix("or "));
        let rest = rest.ok_or("an appended condition begins with `and` or `or`")?;
        self.condition(rest).map(drop)
    }

    fn condition(&self, text: &str) -> Result<condition::Used, String> {
        let used = condition::parse(text)?;
        let unknown =
            |name: &&String| !NAMES.macros.contains(*name) && !self.macros.contains(*name);
        if let Some(name) = used.macros.iter().find(unknown) {
            return Err(format!(
                "there is no macro `{name}`; a boolean field is compared: `= true`"
            ));
        }
        Ok(used)
    }
}

fn keys(map: &Map<String, Value>, known: &[&str]) -> Checked {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!(
            "there is no key `{key}`, and Falco would ignore it"
        )),
        None => Ok(()),
    }
}

fn texts(key: &str, value: &Value) -> Checked {
    let list = value
        .as_array()
        .filter(|list| list.iter().all(Value::is_string));
    list.map(drop)
        .ok_or_else(|| format!("`{key}` must be a list of texts"))
}
