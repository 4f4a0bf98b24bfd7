//! The fields that conditions, outputs and exceptions may use.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Fault;

/// What a field holds, which decides what it can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Text,
    Number,
    /// Takes numbers and names such as `http`.
    Port,
    Boolean,
    Address,
    Network,
}

/// Whether a field takes an argument: `proc.aname[2]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Argument {
    #[default]
    None,
    Allowed,
    Required,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    field: String,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    arg: Argument,
    #[serde(default)]
    list: bool,
    #[serde(default)]
    deprecated: bool,
    #[serde(default)]
    print: bool,
}

/// A known field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) kind: Kind,
    /// It holds several values: only `in`, `intersects` and `pmatch` compare it.
    pub(super) list: bool,
    /// It can only be printed.
    pub(super) print: bool,
}

static FIELDS: LazyLock<HashMap<String, Entry>> = LazyLock::new(|| {
    let entries: Vec<Entry> = serde_json::from_str(include_str!("fields.json"))
        .expect("the fields are compiled in, and a test reads them");
    entries
        .into_iter()
        .map(|entry| (entry.field.clone(), entry))
        .collect()
});

/// The fields that change at every start or with every event: keyed on one of them, an exception
/// matches once and never again. The engine takes them without a warning.
const EPHEMERAL: [&str; 24] = [
    "container.id",
    "container.full_id",
    "container.start_ts",
    "container.duration",
    "container.ip",
    "k8s.pod.id",
    "k8s.pod.uid",
    "k8s.pod.ip",
    "k8s.pod.sandbox_id",
    "k8s.pod.full_sandbox_id",
    "proc.pid",
    "proc.ppid",
    "proc.apid",
    "proc.vpid",
    "proc.pvpid",
    "proc.sid",
    "proc.vpgid",
    "proc.duration",
    "thread.tid",
    "thread.vtid",
    "fd.num",
    "evt.num",
    "evt.rawtime",
    "ka.auditid",
];

/// A field by the name as written, or why there is none.
pub(super) fn field(written: &str) -> Result<Field, String> {
    let (name, argument) = match written.split_once('[') {
        Some((name, rest)) if rest.ends_with(']') && rest.len() > 1 => (name, true),
        Some(_) => return Err(format!("`{written}` has an unfinished argument")),
        None => (written, false),
    };
    // `evt.arg.flags` and `evt.arg[0]` both name an argument of the event.
    let of_event = ["evt.arg.", "evt.rawarg."];
    if of_event.iter().any(|prefix| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty())
    }) {
        return Ok(Field {
            kind: Kind::Text,
            list: false,
            print: false,
        });
    }
    let entry = FIELDS
        .get(name)
        .ok_or_else(|| format!("there is no field `{name}`"))?;
    if entry.deprecated {
        return Err(format!("the field `{name}` is deprecated"));
    }
    match (entry.arg, argument) {
        (Argument::None, true) => return Err(format!("the field `{name}` takes no argument")),
        (Argument::Required, false) => {
            return Err(format!("the field `{name}` needs an argument in brackets"));
        }
        _ => {}
    }
    Ok(Field {
        kind: entry.kind,
        list: entry.list,
        print: entry.print,
    })
}

/// What is wrong with a field's name as written.
pub fn check_field(written: &str) -> Option<Fault> {
    field(written).err().map(|what| Fault::new(written, what))
}

/// Whether a field changes at every start or with every event.
pub(super) fn is_ephemeral(written: &str) -> bool {
    let name = written.split('[').next().unwrap_or(written);
    EPHEMERAL.contains(&name)
        || name.starts_with("proc.exe_ino")
        || name.starts_with("evt.time")
        || name.starts_with("evt.datetime")
        || name.starts_with("jevt.time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_known_with_their_arguments() {
        for known in [
            "fd.name",
            "proc.aname[2]",
            "evt.arg.flags",
            "k8s.pod.label[app]",
            "ka.uri.param[command]",
        ] {
            assert!(field(known).is_ok(), "{known}");
        }
        for unknown in [
            "container.image.name",
            "k8s.namespace.name",
            "pod.name",
            "process.name",
            "fd.name[1]",
            "k8s.pod.label",
            "evt.dir",
            "evt.latency",
            "proc.aname[2",
        ] {
            assert!(field(unknown).is_err(), "{unknown}");
        }
        assert_eq!(field("user.uid").unwrap().kind, Kind::Number);
        assert_eq!(field("fd.rport").unwrap().kind, Kind::Port);
        assert!(field("fd.types").unwrap().list);
    }

    #[test]
    fn every_ephemeral_field_exists() {
        for name in EPHEMERAL {
            assert!(FIELDS.contains_key(name), "{name}");
        }
    }
}
