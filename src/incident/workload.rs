//! Where an alert happened, for telling what else happened there.

use crate::event::Event;

/// The pod, else the container, else the host of an event.
pub fn workload(event: &Event) -> Option<String> {
    let text = |name| event.output_fields.text(name);
    if let (Some(namespace), Some(pod)) = (text("k8s.ns.name"), text("k8s.pod.name")) {
        return Some(format!("pod {namespace}/{pod}"));
    }
    let container = text("container.id").filter(|id| id != "host");
    let host = Some(event.hostname.raw()).filter(|host| !host.is_empty());
    match (container, host) {
        (Some(container), _) => Some(format!("container {container}")),
        (None, Some(host)) => Some(format!("host {host}")),
        (None, None) => None,
    }
}

/// What outlives pods and containers: the namespace and image of an event, else its host.
pub fn kind_of_workload(event: &Event) -> Option<String> {
    let text = |name| event.output_fields.text(name);
    let namespace = text("k8s.ns.name").or_else(|| text("ka.target.namespace"));
    let image = text("container.image.repository");
    match (namespace, image) {
        (Some(namespace), Some(image)) => Some(format!("{image} in {namespace}")),
        (Some(one), None) | (None, Some(one)) => Some(one.into_owned()),
        (None, None) => {
            let host = event.hostname.raw();
            (!host.is_empty()).then(|| host.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::decode;

    #[test]
    fn the_closest_place_that_is_known_is_the_workload() {
        let of = |fields: serde_json::Value| {
            let raw = serde_json::json!({
                "rule": "r", "priority": "notice", "time": "2026-03-01T10:15:00Z",
                "hostname": "node-1", "output_fields": fields,
            });
            workload(&decode(raw.to_string().as_bytes()).unwrap()).unwrap()
        };
        let pod = serde_json::json!({
            "k8s.ns.name": "web", "k8s.pod.name": "shop-1", "container.id": "c0ffee",
        });
        assert_eq!(of(pod), "pod web/shop-1");
        let container = serde_json::json!({ "k8s.pod.name": null, "container.id": "c0ffee" });
        assert_eq!(of(container), "container c0ffee");
        assert_eq!(
            of(serde_json::json!({ "container.id": "host" })),
            "host node-1"
        );
    }
}
