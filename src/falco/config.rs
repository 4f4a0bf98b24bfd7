//! The keys of `falco.yaml`.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::Fault;
use super::names::PRIORITIES;

/// The type of each key, by its path; `[]` stands for the items of a list.
static KEYS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("config-keys.json"))
        .expect("the keys are compiled in, and a test reads them")
});

/// Keys of older releases that people still write.
const REMOVED: [(&str, &str); 8] = [
    ("rules_file", "it is called `rules_files`"),
    ("event_logger", "alerts as JSON are `json_output: true`"),
    (
        "outputs",
        "no rate limit exists any more; limit further down",
    ),
    ("grpc", "it was removed"),
    ("grpc_output", "it was removed"),
    (
        "container_engines",
        "the container plugin is configured under `plugins`",
    ),
    ("metadata_download", "it was removed"),
    ("rule_files", "it is called `rules_files`"),
];

/// What is wrong with a piece of `falco.yaml`. Empty when all is well.
pub fn check_config(yaml: &str) -> Vec<Fault> {
    let parsed: Value = match serde_saphyr::from_str(yaml) {
        Ok(parsed) => parsed,
        Err(error) => return vec![Fault::new("YAML", error.without_snippet().to_string())],
    };
    let mut faults = Vec::new();
    match &parsed {
        Value::Object(_) => walk("", &parsed, &mut faults),
        _ => faults.push(Fault::new("falco.yaml", "the top level must be a mapping")),
    }
    faults
}

/// What is wrong with a key of `falco.yaml`, by its path.
pub fn check_key(path: &str) -> Option<Fault> {
    type_of(path).err().map(|what| Fault::new(path, what))
}

/// Whether a word is a key at the top of `falco.yaml`.
pub fn is_key(word: &str) -> bool {
    KEYS.contains_key(word)
}

/// Whether `key` exists, and its type: for `-o key=value`.
pub(super) fn type_of(path: &str) -> Result<&'static str, String> {
    let normal = path.replace(|c: char| c.is_ascii_digit(), "");
    if let Some(kind) = KEYS.get(&normal) {
        return Ok(kind);
    }
    let item_of = normal.strip_suffix("[]").and_then(|list| KEYS.get(list));
    if item_of.is_some_and(|kind| kind == "array") {
        return Ok("any");
    }
    let root = normal.split(['.', '[']).next().unwrap_or_default();
    if let Some((_, why)) = REMOVED.iter().find(|(key, _)| *key == root) {
        return Err(format!("there is no key `{root}`: {why}"));
    }
    // Below such a key everything is the plugin's or the site's own.
    let mut parent = normal.as_str();
    while let Some((shorter, _)) = parent.rsplit_once(['.', '[']) {
        let open = KEYS
            .get(shorter)
            .or_else(|| KEYS.get(&format!("{shorter}[]")));
        if open.is_some_and(|kind| matches!(kind.as_str(), "object" | "any"))
            && !has_children(shorter)
        {
            return Ok("any");
        }
        parent = shorter;
    }
    Err(format!("there is no key `{path}`"))
}

fn has_children(path: &str) -> bool {
    KEYS.keys().any(|key| {
        key.strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.') || rest.starts_with("[]."))
    })
}

fn walk(path: &str, value: &Value, faults: &mut Vec<Fault>) {
    if !path.is_empty() {
        match type_of(path) {
            Err(what) => {
                faults.push(Fault::new(path, what));
                return;
            }
            Ok(kind) => {
                let right = match kind {
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "string" => value.is_string(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    _ => true,
                };
                if !right {
                    faults.push(Fault::new(path, format!("it must be of type {kind}")));
                    return;
                }
            }
        }
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let inner = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                walk(&inner, value, faults);
            }
        }
        Value::Array(items) => {
            for item in items.iter().filter(|item| item.is_object()) {
                let Value::Object(map) = item else { continue };
                for (key, value) in map {
                    walk(&format!("{path}[].{key}"), value, faults);
                }
            }
        }
        Value::String(text)
            if path == "priority" && !PRIORITIES.contains(&text.to_ascii_lowercase().as_str()) =>
        {
            faults.push(Fault::new(path, format!("there is no priority `{text}`")));
        }
        _ => {}
    }
}
