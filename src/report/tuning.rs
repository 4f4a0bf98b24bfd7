//! The exception that a report proposes: an append to the rule, keyed on what stays the same.
//!
//! What Falco's engine takes was measured against the real one: a value goes in inner double quotes
//! with `\` and `"` escaped, inside a single-quoted YAML scalar; over 255 bytes, or with a backslash
//! at its end, it is refused. A container id or pid changes at every start and is never used.

use minijinja::Value;

use super::context::{Origin, View, is_label, ours, phrase};
use super::humanize::files;
use super::phrase::{Phrase, list};
use crate::classify::{Alert, Nature};
use crate::markup::visible::is_plain;

/// What is proposed against an expected alert.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tuning {
    /// An exception, and in words what it silences.
    Exception { yaml: String, scope: Phrase },
    /// No exception, and why.
    None(&'static str),
}

impl Tuning {
    /// For the template: `yaml` and `scope`, or `reason`.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Exception { yaml, scope } => minijinja::context! {
                yaml => phrase(Phrase::of_value(yaml.as_str())),
                scope => phrase(scope.clone()),
                reason => (),
            },
            Self::None(reason) => {
                minijinja::context! { yaml => (), scope => (), reason => ours(*reason) }
            }
        }
    }
}

/// Falco refuses longer values.
const MAX_VALUE_BYTES: usize = 255;

/// The exception for this alert, where a safe one exists.
pub(super) fn propose(view: &View<'_>) -> Tuning {
    if view.alert.nature == Nature::Test {
        return Tuning::None("This is a self-test: there is nothing to tune.");
    }
    match view.origin() {
        Origin::Internal => {
            return Tuning::None(
                "Falco's own events are not rules and take no exception; tune the sensor itself.",
            );
        }
        Origin::Kubernetes | Origin::Cloud => {
            return Tuning::None(
                "No exception is proposed for this source: it can only be checked by a Falco that has the source's plugin loaded. Prefer the lists of allowed users and names in the rule's own file.",
            );
        }
        Origin::Syscall => {}
    }
    let Some(rule) = rule_scalar(view.event.rule.raw()) else {
        return Tuning::None(
            "No exception is proposed: the rule's name holds characters that cannot be seen.",
        );
    };
    let identity = identity(view);
    // Without the program or the file it would silence everything that one image or parent does.
    let narrow = identity
        .iter()
        .any(|(field, _)| matches!(*field, "proc.exepath" | "proc.name" | "fd.name"));
    let anchored = identity
        .iter()
        .any(|(field, _)| matches!(*field, "container.image.repository" | "proc.exepath"));
    if identity.len() < 2 || !anchored || !narrow {
        return Tuning::None(
            "No safe exception can be proposed: too little in the event stays the same from run to run. It needs the image or the program's path, and a program or file outside temporary places.",
        );
    }
    let name = exception_name(&identity);
    let fields = joined(identity.iter().map(|(field, _)| (*field).to_owned()));
    let comps = joined(identity.iter().map(|_| "\"=\"".to_owned()));
    let values = joined(identity.iter().map(|(_, value)| value_scalar(value)));
    let yaml = format!(
        "- rule: {rule}\n  exceptions:\n    - name: {name}\n      fields: [{fields}]\n      comps: [{comps}]\n      values:\n        - [{values}]\n  override:\n    exceptions: append"
    );
    let scope = identity
        .into_iter()
        .map(|(field, value)| Phrase::of(label(field)).value(value));
    Tuning::Exception {
        yaml,
        scope: list(scope, " and "),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn label(field: &str) -> &'static str {
    match field {
        "container.image.repository" => "the image is ",
        "k8s.ns.name" => "the namespace is ",
        "proc.exepath" => "the program is ",
        "proc.name" => "the process is called ",
        "proc.pname" => "its parent is ",
        _ => "the file is ",
    }
}

/// The fields that stay the same when the same thing happens again.
fn identity(view: &View<'_>) -> Vec<(&'static str, String)> {
    let stable = |field: &'static str| {
        let value = view.text(field)?;
        let fits = value.len() <= MAX_VALUE_BYTES
            && !value.ends_with('\\')
            && is_plain(&value)
            && !value.trim().is_empty();
        (fits && !files::is_temporary(&value)).then_some((field, value))
    };
    let program = stable("proc.exepath").or_else(|| {
        // A program in a temporary place has no identity under any name.
        let hidden = view.text("proc.exepath").is_some();
        if hidden { None } else { stable("proc.name") }
    });
    let file = stable("fd.name").filter(|(_, name)| name.starts_with('/'));
    let namespace = stable("k8s.ns.name").filter(|(_, name)| is_label(name));
    let fields = [
        stable("container.image.repository"),
        namespace,
        program,
        stable("proc.pname"),
        file,
    ];
    fields.into_iter().flatten().collect()
}

/// A name from our own letters: `alpine_sh_containerd_shim`.
fn exception_name(identity: &[(&str, String)]) -> String {
    let words = identity.iter().map(|(_, value)| {
        let base = value.rsplit('/').next().unwrap_or(value);
        let slug: String = base
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '_'
                }
            })
            .take(24)
            .collect();
        slug.split('_')
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join("_")
    });
    let slug: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    // The prefix keeps the name from beginning with a digit or reading as a YAML keyword.
    format!("expected_{}", slug.join("_"))
}

/// A rule's name as a YAML scalar; `None` when it cannot be shown as it is.
fn rule_scalar(name: &str) -> Option<String> {
    if !is_plain(name) || name.trim() != name || name.is_empty() {
        return None;
    }
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || " _/.-()".contains(c));
    // With a blank between letters it cannot be read as a number, a boolean or null.
    let safe = plain && name.contains(' ') && name.starts_with(|c: char| c.is_ascii_alphabetic());
    Some(if safe {
        name.to_owned()
    } else {
        single_quoted(name)
    })
}

/// A value as Falco's condition language needs it: `'"text"'`.
fn value_scalar(value: &str) -> String {
    single_quoted(&format!(
        "\"{}\"",
        value.replace('\\', "\\\\").replace('"', "\\\"")
    ))
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The file of the base rules, which must be given before an override.
pub(super) fn rules_file(alert: &Alert) -> &'static str {
    let entry = alert.entry;
    let source = entry.map(|entry| entry.source.as_str());
    match (source, entry.and_then(|entry| entry.maturity.as_deref())) {
        (Some("syscall"), Some("stable")) => "/etc/falco/falco_rules.yaml",
        (Some("syscall"), Some("incubating")) => "/etc/falco/falco-incubating_rules.yaml",
        (Some("syscall"), Some("sandbox")) => "/etc/falco/falco-sandbox_rules.yaml",
        (Some("syscall"), Some("deprecated")) => "/etc/falco/falco-deprecated_rules.yaml",
        (Some("k8s_audit"), _) => "/etc/falco/k8s_audit_rules.yaml",
        (Some("aws_cloudtrail"), _) => "/etc/falco/aws_cloudtrail_rules.yaml",
        (Some("okta"), _) => "/etc/falco/okta_rules.yaml",
        (Some("github"), _) => "/etc/falco/github.yaml",
        (Some("gcp_auditlog"), _) => "/etc/falco/gcp_auditlog_rules.yaml",
        _ => "/etc/falco/falco_rules.local.yaml",
    }
}

#[cfg(test)]
mod tests;
