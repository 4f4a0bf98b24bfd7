//! What is known about the official rules.
//!
//! `catalogue.json` holds one rule a line, taken from the rule files of falcosecurity/rules and
//! falcosecurity/plugins and, for the internal events, from Falco's source. Tags that name a tactic
//! by number (`TA0003`) stand among the tactics, by name.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Category;
use crate::event::Priority;

/// What Herald knows about one official rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The rule's name.
    pub rule: String,
    /// `stable`, `incubating`, `sandbox`, `deprecated`; `example` for the examples of plugins,
    /// `internal` for Falco's own events, `None` for the other rules of plugins.
    pub maturity: Option<String>,
    /// The event source it belongs to.
    pub source: String,
    /// The priority upstream gave it.
    pub priority: Priority,
    /// The rule's tags.
    pub tags: Vec<String>,
    /// The fields its output names.
    pub output_fields: Vec<String>,
    /// Its category.
    pub category: Category,
    /// A second category it touches.
    pub category_secondary: Option<Category>,
    /// MITRE tactics.
    pub tactics: Vec<String>,
    /// MITRE techniques.
    pub techniques: Vec<String>,
    /// Whether upstream ships it enabled.
    pub enabled_by_default: bool,
    /// The lists and macros by which the rule itself can be told of exceptions.
    pub hooks: Vec<Hook>,
}

/// A list or macro that a rule's condition excludes, and that upstream leaves to the user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// The macro's name.
    #[serde(rename = "macro", skip_serializing_if = "Option::is_none")]
    pub macro_: Option<String>,
    /// The list's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// The field that is compared with the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Upstream's macro matches nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty: bool,
    /// Other rules use it too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
}

/// The catalogue of official rules.
#[derive(Debug)]
pub struct Catalogue {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
}

static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| {
    let entries: Vec<Entry> = serde_json::from_str(include_str!("catalogue.json"))
        .expect("the catalogue is compiled in, and a test reads it");
    let mut by_name = HashMap::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        // `Sample dummy plugin rule` comes with two plugins; the first stands for both.
        by_name.entry(entry.rule.clone()).or_insert(index);
    }
    Catalogue { entries, by_name }
});

impl Catalogue {
    /// The catalogue that is compiled in.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// What is known about a rule, by its exact name or by a name it had in older releases.
    pub fn get(&self, rule: &str) -> Option<&Entry> {
        let index = self
            .by_name
            .get(rule)
            .or_else(|| self.by_name.get(current_name(rule)?))?;
        self.entries.get(*index)
    }

    /// All entries, in the order of the rule files.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

/// Today's name of a rule that was renamed; older sensors still send the old one.
///
/// From the history of falcosecurity/falco and falcosecurity/rules.
pub(super) fn current_name(old: &str) -> Option<&'static str> {
    OLD_NAMES
        .iter()
        .find(|(name, _)| *name == old)
        .map(|(_, current)| *current)
}

const OLD_NAMES: [(&str, &str); 24] = [
    ("Run shell in container", "Terminal shell in container"),
    ("Delete Bash History", "Delete or rename shell history"),
    (
        "Launch Package Management Process",
        "Launch Package Management Process in Container",
    ),
    (
        "Lauch Suspicious Network Tool in Container",
        "Launch Suspicious Network Tool in Container",
    ),
    (
        "Netcat Remote Code Execution",
        "Netcat Remote Code Execution in Container",
    ),
    ("Remove Data from Disk", "Remove Bulk Data from Disk"),
    (
        "Raw packet created in container",
        "Packet socket created in container",
    ),
    (
        "Redirect stdout/stdin to network connection in container",
        "Redirect STDOUT/STDIN to Network Connection in Container",
    ),
    ("Schedule Cron Jobs in Container", "Schedule Cron Jobs"),
    (
        "The docker client is executed in a container",
        "Kubernetes Client Tool Launched in Container",
    ),
    (
        "File Open by Privileged Container",
        "Launch Privileged Container",
    ),
    (
        "Sensitive Mount by Container",
        "Launch Sensitive Mount Container",
    ),
    ("Launch Root User Container", "Container Run as Root User"),
    (
        "Linux Cgroup Container Escape Vulnerability (CVE-2022-0492)",
        "Detect release_agent File Container Escapes",
    ),
    (
        "Contact Cloud Instance Metadata Service From Container",
        "Contact cloud metadata service from container",
    ),
    (
        "Drop and execute of a binary within a container",
        "Drop and execute new binary in container",
    ),
    ("K8s Role/Clusterrole Created", "K8s Role Created"),
    ("K8s Role/Clusterrole Deleted", "K8s Role Deleted"),
    (
        "K8s Role/Clusterrolebinding Created",
        "K8s RoleBinding Created",
    ),
    (
        "K8s Role/Clusterrolebinding Deleted",
        "K8s RoleBinding Deleted",
    ),
    (
        "GCP IAM serviceAccount created",
        "GCP IAM service account created",
    ),
    (
        "GCP IAM serviceAccount deleted",
        "GCP IAM service account deleted",
    ),
    (
        "GCP IAM serviceAccount modified",
        "GCP IAM service account modified",
    ),
    ("GCP backendService deleted", "GCP backend service deleted"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_holds_every_official_rule_once_a_line() {
        let catalogue = Catalogue::builtin();
        assert_eq!(catalogue.iter().count(), 258);
        assert_eq!(include_str!("catalogue.json").lines().count(), 258 + 2);
        for entry in catalogue.iter() {
            assert_eq!(catalogue.get(&entry.rule).unwrap().rule, entry.rule);
            assert!(
                entry
                    .techniques
                    .iter()
                    .all(|t| t.starts_with('T') && !t.starts_with("TA"))
            );
        }
        assert!(
            catalogue.get("terminal shell in container").is_none(),
            "names are exact"
        );
    }

    #[test]
    fn every_old_name_leads_to_a_rule_of_today() {
        for (old, current) in OLD_NAMES {
            let entry = Catalogue::builtin()
                .get(old)
                .unwrap_or_else(|| panic!("{old}"));
            assert_eq!(entry.rule, current);
        }
    }
}
