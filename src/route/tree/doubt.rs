//! What is allowed in a tree but hardly meant.

use std::collections::HashMap;

use super::{GroupBy, Lane, Node, RouteId, Tree};

/// Something about a route that `check` warns of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteDoubt {
    /// No alert can reach the route: `by`, before it, takes them all and does not `continue`.
    Shadowed {
        /// The route that nothing reaches.
        id: RouteId,
        /// The one that takes its alerts.
        by: RouteId,
    },
    /// The route groups by a field that differs between almost any two events, so that nothing
    /// folds.
    Scattered {
        /// The route.
        id: RouteId,
        /// The field.
        field: String,
    },
    /// The route is muted at times, and a route below it is not.
    Unmuted {
        /// The route below.
        id: RouteId,
        /// The muted route.
        parent: RouteId,
    },
}

impl std::fmt::Display for RouteDoubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shadowed {
                id: RouteId(id),
                by: RouteId(by),
            } => write!(
                f,
                "no alert reaches route {id}: route {by} takes them all; move it up, or let {by} continue"
            ),
            Self::Scattered {
                id: RouteId(id),
                field,
            } => write!(
                f,
                "route {id} groups by {field}, which differs from event to event: each would be an incident of its own"
            ),
            Self::Unmuted {
                id: RouteId(id),
                parent: RouteId(parent),
            } => write!(
                f,
                "time intervals are not inherited: route {parent} has some, route {id} below it has none and is always said; name them there too if that is not meant"
            ),
        }
    }
}

/// Fields that tell events apart rather than incidents.
const SCATTERING: [&str; 9] = [
    "evt.time",
    "evt.time.iso8601",
    "evt.rawtime",
    "evt.num",
    "jevt.time",
    "jevt.time.iso8601",
    "proc.pid",
    "thread.tid",
    "output",
];

impl Tree {
    /// What `check` warns of, in the order of the tree.
    pub fn doubts(&self) -> Vec<RouteDoubt> {
        let mut doubts = Vec::new();
        visit(&self.root, None, &mut doubts);
        doubts
    }
}

fn visit(node: &Node, parent: Option<&Node>, doubts: &mut Vec<RouteDoubt>) {
    // What a route inherits is doubted at its parent.
    let inherited = parent.is_some_and(|parent| parent.route.group_by == node.route.group_by);
    if let GroupBy::Fields(fields) = &node.route.group_by
        && !inherited
    {
        let scattering = fields
            .iter()
            .filter(|field| SCATTERING.contains(&field.as_str()));
        doubts.extend(scattering.map(|field| RouteDoubt::Scattered {
            id: node.route.id.clone(),
            field: field.clone(),
        }));
    }
    if let Some(parent) = parent
        && has_times(parent)
        && !has_times(node)
    {
        doubts.push(RouteDoubt::Unmuted {
            id: node.route.id.clone(),
            parent: parent.route.id.clone(),
        });
    }
    for lane in [Lane::Alerts, Lane::Health, Lane::Test] {
        shadowed(
            node.children
                .iter()
                .filter(|child| child.route.lane == lane),
            doubts,
        );
    }
    for child in &node.children {
        visit(child, Some(node), doubts);
    }
}

fn has_times(node: &Node) -> bool {
    !node.route.mute.is_empty() || !node.route.active.is_empty()
}

fn shadowed<'a>(siblings: impl Iterator<Item = &'a Node>, doubts: &mut Vec<RouteDoubt>) {
    // The canonical text of a condition stands for it; `None` takes everything.
    let mut takers: HashMap<Option<String>, &RouteId> = HashMap::new();
    for node in siblings {
        let route = &node.route;
        let when = route.when.as_ref().map(ToString::to_string);
        if let Some(by) = takers.get(&None).or_else(|| takers.get(&when)) {
            doubts.push(RouteDoubt::Shadowed {
                id: route.id.clone(),
                by: (*by).clone(),
            });
        } else if !node.goes_on {
            takers.insert(when, &route.id);
        }
    }
}
