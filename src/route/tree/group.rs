//! Which alerts of a route make one incident.

use std::borrow::Cow;

use super::Route;
use crate::route::condition::{Operand, Record};

/// The fields whose values an incident's alerts share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// No route says so: fields that suit the event's source.
    BySource,
    /// The fields that the config names, in its order. None at all makes one incident of all.
    Fields(Vec<String>),
}

/// One place, image and process for system calls; one actor and target for audit logs. Container
/// ids, pids and times are left out: they differ at every start, and a storm would not fold.
const SYSCALL: &[&str] = &[
    "rule",
    "hostname",
    "k8s.ns.name",
    "container.image.repository",
    "proc.name",
];

fn by_source(source: &str) -> &'static [&'static str] {
    match source {
        "k8s_audit" => &[
            "rule",
            "ka.user.name",
            "ka.target.namespace",
            "ka.target.name",
        ],
        "aws_cloudtrail" => &["rule", "ct.user", "ct.region"],
        "okta" => &["rule", "okta.actor.name"],
        "github" => &["rule", "github.user", "github.repo.name"],
        // Early releases of the plugin called themselves `auditlogs`.
        "gcp_auditlog" | "auditlogs" => &["rule", "gcp.user", "gcp.projectId"],
        "internal" => &["rule", "hostname"],
        _ => SYSCALL,
    }
}

impl Route {
    /// The fields that the alert's incident is named by, in order, with their values; `None` for
    /// missing ones. List items are joined by `,`.
    pub fn group_values<'a>(
        &'a self,
        alert: &'a dyn Record,
    ) -> Vec<(&'a str, Option<Cow<'a, str>>)> {
        match &self.group_by {
            GroupBy::Fields(fields) => fields
                .iter()
                .map(|name| (name.as_str(), value(alert, name)))
                .collect(),
            GroupBy::BySource => {
                let source = value(alert, "source").unwrap_or_default();
                by_source(&source)
                    .iter()
                    .map(|name| (*name, value(alert, name)))
                    .collect()
            }
        }
    }
}

fn value<'a>(alert: &'a dyn Record, name: &str) -> Option<Cow<'a, str>> {
    alert.field(name).map(Operand::into_text)
}
