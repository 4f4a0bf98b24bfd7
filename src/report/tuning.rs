//! The change of the rules that a report proposes against an expected alert, keyed on what stays the
//! same: never on a container id, a pid or a temporary name. Nothing is proposed that Falco would not
//! load, or that would silence more than a person would guess from reading it.

mod identity;

use minijinja::Value;

use super::context::{Origin, View, ours, phrase};
use super::phrase::{Phrase, list};
use crate::classify::{Alert, Hook, Nature};
use crate::falco;
use crate::markup::visible::is_plain;
use identity::Identity;

/// What is proposed against an expected alert.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tuning {
    /// A change for a rules file: what it changes, and in words what it silences.
    Change {
        yaml: String,
        what: Phrase,
        scope: Phrase,
    },
    /// No change, and why.
    None(&'static str),
}

impl Tuning {
    /// For the template: `yaml`, `what` and `scope`, or `reason`.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Change { yaml, what, scope } => minijinja::context! {
                yaml => phrase(Phrase::of_value(yaml.as_str())),
                what => phrase(what.clone()),
                scope => phrase(scope.clone()),
                reason => (),
            },
            Self::None(reason) => {
                minijinja::context! { yaml => (), what => (), scope => (), reason => ours(*reason) }
            }
        }
    }
}

/// The change for this alert, where a safe one exists: through the macro that the rule offers for
/// it, else as an exception. Both wrap the whole condition, which an appended condition does not.
pub(super) fn propose(view: &View<'_>) -> Tuning {
    if view.alert.nature == Nature::Test {
        return Tuning::None("This is a self-test: there is nothing to tune.");
    }
    let identity = match view.origin() {
        Origin::Internal => {
            return Tuning::None(
                "Falco's own events are not rules and take no exception; tune the sensor itself.",
            );
        }
        Origin::Syscall => identity::of_process(view),
        Origin::Kubernetes => identity::of_request(view),
        Origin::Cloud => identity::of_account(view),
    };
    let identity = match identity {
        Ok(identity) => identity,
        Err(reason) => return Tuning::None(reason),
    };
    let hook = view.alert.entry.and_then(|entry| {
        let own = |hook: &&Hook| hook.empty && !hook.shared;
        // A sensor that sends the old name of a rule may not have today's macros.
        let current = entry.rule == view.event.rule.raw();
        entry
            .hooks
            .iter()
            .filter(|_| current)
            .find(own)?
            .macro_
            .as_deref()
    });
    let (yaml, what) = if let Some(name) = hook {
        let what = Phrase::of("add it to the macro that the rule offers for this, ").value(name);
        (in_macro(name, &identity), what)
    } else {
        let Some(rule) = rule_scalar(view.event.rule.raw()) else {
            return Tuning::None(
                "No change is proposed: the rule's name holds characters that cannot be seen.",
            );
        };
        let what = Phrase::of("append an exception to the rule");
        (as_exception(&rule, &identity), what)
    };
    if !will_load(view, &yaml) {
        return Tuning::None(
            "No change is proposed: written for this event, Falco would not load it.",
        );
    }
    let scope = identity
        .into_iter()
        .map(|(field, value)| Phrase::of(identity::label(field)).value(value));
    Tuning::Change {
        yaml,
        what,
        scope: list(scope, " and "),
    }
}

/// Whether Falco takes the change. A rule of the site is unknown here and taken as it is named.
fn will_load(view: &View<'_>, yaml: &str) -> bool {
    let own = (view.event.rule.raw(), view.event.source.raw());
    let faults = falco::check_rules(yaml, &[own]);
    if let Some(first) = faults.first() {
        tracing::debug!(fault = %first, "a proposal would not load");
    }
    faults.is_empty()
}

fn as_exception(rule: &str, identity: &Identity) -> String {
    let name = exception_name(identity);
    let fields = joined(identity.iter().map(|(field, _)| (*field).to_owned()));
    let comps = joined(identity.iter().map(|(field, _)| {
        let comp = if identity::is_list(field) { "in" } else { "=" };
        format!("\"{comp}\"")
    }));
    let values = joined(identity.iter().map(|(_, value)| value_scalar(value)));
    format!(
        "- rule: {rule}\n  exceptions:\n    - name: {name}\n      fields: [{fields}]\n      comps: [{comps}]\n      values:\n        - [{values}]\n  override:\n    exceptions: append"
    )
}

fn in_macro(name: &str, identity: &Identity) -> String {
    let parts = identity.iter().map(|(field, value)| {
        let value = falco::quoted(value).unwrap_or_default();
        if identity::is_list(field) {
            format!("{field} in ({value})")
        } else {
            format!("{field} = {value}")
        }
    });
    let condition = parts.collect::<Vec<_>>().join(" and ");
    let condition = single_quoted(&format!("or ({condition})"));
    format!("- macro: {name}\n  condition: {condition}\n  override:\n    condition: append")
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// A name from our own letters: `alpine_sh_containerd_shim`.
fn exception_name(identity: &Identity) -> String {
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
    single_quoted(&falco::quoted(value).unwrap_or_default())
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
