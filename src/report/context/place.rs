//! Where it happened, and what a command may name: nothing but validated identifiers.

use minijinja::Value;

use super::{Origin, View, ours};
use crate::report::humanize::network::Connection;
use crate::report::phrase::{Phrase, list};

/// Where an alert happened.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The line of the head.
    pub(super) phrase: Phrase,
    /// Short, to end a sentence: `in container x`.
    pub(super) short: Phrase,
    pub(super) container: Option<String>,
    pub(super) on_host: bool,
    pub(super) pod: Option<(String, String)>,
    /// A container or pod is named, but not by a name that may stand in a command.
    pub(super) refused: bool,
}

impl Place {
    pub(super) fn of(view: &View<'_>) -> Self {
        match view.origin() {
            Origin::Syscall => Self::of_process(view),
            Origin::Internal => Self {
                phrase: sensor(view),
                ..Self::default()
            },
            Origin::Kubernetes => {
                let namespace = view.value("ka.target.namespace");
                let what = Phrase::of("the Kubernetes API");
                let phrase = if namespace.is_empty() {
                    what
                } else {
                    what.words(", namespace ").then(namespace)
                };
                Self {
                    phrase: phrase.join(", ", sensor(view)),
                    ..Self::default()
                }
            }
            Origin::Cloud => {
                let parts = [
                    ("account ", "ct.user.accountid"),
                    ("region ", "ct.region"),
                    ("project ", "gcp.projectId"),
                    ("bucket ", "s3.bucket"),
                    ("bucket ", "gcp.storage.bucket"),
                    ("organisation ", "github.org"),
                    ("repository ", "github.repo.name"),
                    ("application ", "okta.target.app.alternateid"),
                ];
                let known = parts
                    .iter()
                    .map(|(word, field)| labelled(word, view.value(field)));
                let service = Phrase::of(super::api::service(view));
                Self {
                    phrase: service
                        .join(", ", list(known, ", "))
                        .join(", ", sensor(view)),
                    ..Self::default()
                }
            }
        }
    }

    fn of_process(view: &View<'_>) -> Self {
        let id = view.text("container.id");
        let name = view.text("container.name");
        let on_host = id.as_deref() == Some("host") || name.as_deref() == Some("host");
        let namespace = view.text("k8s.ns.name");
        let pod = view.text("k8s.pod.name");
        let container = id.clone().filter(|id| is_container_id(id));
        let target = namespace.clone().zip(pod.clone());
        let valid = target
            .clone()
            .filter(|(namespace, pod)| is_label(namespace) && is_subdomain(pod));
        let refused = !on_host
            && (container.is_none() && id.is_some() || valid.is_none() && target.is_some());

        let short = if on_host {
            Phrase::of("on the host itself")
        } else {
            match (&name, &id, &pod) {
                (Some(name), _, _) => Phrase::of("in container ").value(name),
                (None, Some(id), _) => Phrase::of("in container ").value(id),
                (None, None, Some(pod)) => Phrase::of("in pod ").value(pod),
                (None, None, None) => Phrase::new(),
            }
        };
        let identity = match (&name, &id) {
            (Some(name), Some(id)) => Phrase::of("container ")
                .value(name)
                .words(" (")
                .value(id)
                .words(")"),
            (Some(text), None) | (None, Some(text)) => Phrase::of("container ").value(text),
            (None, None) => Phrase::new(),
        };
        let image = labelled(
            "image ",
            view.text("container.image.repository")
                .map(|repository| {
                    let tag = view.text("container.image.tag");
                    Phrase::of_value(
                        tag.map_or(repository.clone(), |tag| format!("{repository}:{tag}")),
                    )
                })
                .unwrap_or_default(),
        );
        let pod_phrase = match (&namespace, &pod) {
            (Some(namespace), Some(pod)) => Phrase::of("pod ").value(format!("{namespace}/{pod}")),
            (None, Some(pod)) => Phrase::of("pod ").value(pod),
            (Some(namespace), None) => Phrase::of("namespace ").value(namespace),
            (None, None) => Phrase::new(),
        };
        let parts = if on_host {
            vec![Phrase::of("the host itself, not a container")]
        } else {
            vec![pod_phrase, identity, image]
        };
        let mut phrase = list(parts, ", ").join(", ", sensor(view));
        if phrase.is_empty() {
            phrase = Phrase::of("unknown: the event names no container, pod or host");
        }
        Self {
            phrase,
            short,
            container,
            on_host,
            pod: valid,
            refused,
        }
    }

    /// What commands may use; every value is a validated identifier or a number.
    pub(super) fn commands(&self, view: &View<'_>) -> Value {
        let text = |text: &Option<String>| {
            text.as_ref()
                .map_or(Value::from(()), |text| ours(text.as_str()))
        };
        let pid = view
            .fields
            .get("proc.pid")
            .and_then(crate::event::Value::as_i64)
            .filter(|pid| (2..=4_194_304).contains(pid));
        let server = view
            .text("fd.name")
            .and_then(|name| Connection::parse(&name))
            .map(|connection| connection.server);
        let namespace = view
            .text("ka.target.namespace")
            .filter(|name| is_label(name));
        let resource = view
            .text("ka.target.resource")
            .filter(|name| is_label(name));
        let name = view
            .text("ka.target.name")
            .filter(|name| is_subdomain(name));
        minijinja::context! {
            container => text(&self.container),
            ns => text(&self.pod.as_ref().map(|(namespace, _)| namespace.clone())),
            pod => text(&self.pod.as_ref().map(|(_, pod)| pod.clone())),
            on_host => self.on_host,
            refused => self.refused,
            pid => pid,
            server_ip => text(&server.map(|server| server.ip.to_string())),
            server_port => server.map(|server| server.port),
            target_ns => text(&namespace),
            target_resource => text(&resource),
            target_name => text(&name),
        }
    }
}

/// The program's file, or its name.
pub(super) fn program(view: &View<'_>) -> Option<String> {
    ["proc.exepath", "proc.exe", "proc.name"]
        .iter()
        .find_map(|field| view.text(field))
}

fn sensor(view: &View<'_>) -> Phrase {
    let host = &view.event.hostname;
    if host.is_missing() {
        Phrase::new()
    } else {
        Phrase::of("sensor ").value(host.raw())
    }
}

fn labelled(label: &'static str, value: Phrase) -> Phrase {
    if value.is_empty() {
        value
    } else {
        Phrase::of(label).then(value)
    }
}

/// Runtimes show 12 to 64 hex digits.
fn is_container_id(id: &str) -> bool {
    (12..=64).contains(&id.len()) && id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

/// A label of RFC 1123.
pub(in crate::report) fn is_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// A subdomain of RFC 1123.
fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_names_reach_a_command() {
        assert!(is_container_id("6bc1b4be90d6"));
        for id in ["host", "6bc1b4be90d", "6BC1B4BE90D6", "6bc1b4be90d6;id", ""] {
            assert!(!is_container_id(id), "{id}");
        }
        assert!(is_label("kube-system") && is_subdomain("web-0.svc"));
        for name in ["-n", "a_b", "A", "", "a..b", "$(id)", "a b"] {
            assert!(!is_subdomain(name), "{name}");
        }
    }
}
