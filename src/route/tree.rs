//! The routing tree, with Alertmanager's meaning of nesting and `continue`.
//!
//! An alert walks the tree depth first. A child that matches ends the scan of its siblings unless
//! it says `continue`, and a node takes the alert itself only when none of its children did. The
//! root takes whatever is left, so no alert falls through. Tests are the exception: they see only
//! the routes marked `test`, and other alerts see only the rest.

mod config;
mod doubt;
mod group;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::condition::{Condition, Memo, Record};
use super::interval::{TimeInterval, TimeIntervals};

pub use config::{RouteConfig, RouteError};
pub use doubt::RouteDoubt;
pub use group::GroupBy;

/// The path of a route in the tree, stable while the tree's shape is: `0`, `0.2`, `0.2.1`. A
/// route's `name` stands in place of its number, so that it may move among its siblings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RouteId(pub String);

/// Grouping timers of a route, inherited from its parent unless set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// How long a new incident collects alerts before its first message.
    pub group_wait: Duration,
    /// The least time between two messages about one incident.
    pub group_interval: Duration,
    /// After how long an incident that goes on is said again.
    pub repeat_interval: Duration,
    /// Whether an incident is said again at twice its age each time, instead of at even intervals.
    pub repeat_doubling: bool,
    /// After how long without alerts an incident goes quiet.
    pub quiet_after: Duration,
    /// For how long a quiet incident is reopened by a new alert; after that, a new one begins.
    pub reopen_within: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            group_wait: Duration::ZERO,
            group_interval: Duration::from_secs(30),
            repeat_interval: Duration::from_hours(4),
            repeat_doubling: false,
            quiet_after: Duration::from_hours(1),
            reopen_within: Duration::from_hours(1),
        }
    }
}

/// A resolved route: everything inherited is filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its path.
    pub id: RouteId,
    /// Names of its destinations; at least one, none twice.
    pub to: Vec<String>,
    /// What its incidents have in common.
    pub group_by: GroupBy,
    /// Its timers.
    pub timers: Timers,
    /// Fields of which a new value is said at once.
    pub watch: Vec<String>,
    /// What it is for.
    pub lane: Lane,
    /// Which alerts it takes; `None` takes all that reach it.
    pub when: Option<Condition>,
    /// Who is told as well when nobody has acknowledged an incident, the soonest first.
    pub escalate: Vec<Escalation>,
    /// It is not said in these times.
    pub mute: Vec<Arc<TimeInterval>>,
    /// It is said only in these times; always when there are none.
    pub active: Vec<Arc<TimeInterval>>,
}

/// What a route is for, and which routes an alert is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Alerts about what happens.
    Alerts,
    /// What sensors and Herald say of themselves. Where no route is for it, it is one of the alerts.
    Health,
    /// The self-test.
    Test,
}

/// Who is told as well when nobody acknowledges an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// How long after the incident opened.
    pub after: Duration,
    /// Names of destinations.
    pub to: Vec<String>,
}

impl Route {
    /// Whether its alerts are not said at this time.
    pub fn is_muted(&self, at: Timestamp) -> bool {
        let holds = |interval: &Arc<TimeInterval>| interval.contains(at);
        let idle = !self.active.is_empty() && !self.active.iter().any(holds);
        idle || self.mute.iter().any(holds)
    }

    /// The names of the destinations after so many escalations.
    pub fn destinations(&self, escalated: u32) -> Vec<String> {
        let steps = usize::try_from(escalated).unwrap_or(usize::MAX);
        let mut all = self.to.clone();
        for to in self.escalate.iter().take(steps).flat_map(|step| &step.to) {
            if !all.contains(to) {
                all.push(to.clone());
            }
        }
        all
    }
}

/// A route that an alert reached.
pub type Matched<'a> = &'a Route;

/// A route that an alert was held against.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried<'a> {
    /// The route.
    pub route: &'a Route,
    /// Whether the alert met its condition.
    pub matched: bool,
    /// Whether the route took the alert; false for one whose child took it.
    pub taken: bool,
    /// The comparisons of its condition, with whether each held.
    pub leaves: Vec<(String, bool)>,
}

/// The routing tree.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Node,
    /// Whether a route is for sensor health.
    has_health: bool,
}

#[derive(Clone, Debug)]
struct Node {
    route: Route,
    goes_on: bool,
    children: Vec<Node>,
}

impl Tree {
    /// Compiles the config section. Its root must name a destination; the caller fills in a
    /// default when the site has not.
    pub fn try_new(config: &RouteConfig, times: &TimeIntervals) -> Result<Self, RouteError> {
        let root = config::resolve(config, times)?;
        // Health routes stand directly below the root.
        let mut children = root.children.iter();
        let has_health = children.any(|child| child.route.lane == Lane::Health);
        Ok(Self { root, has_health })
    }

    /// The routes that an alert reaches, depth first, with Alertmanager's meaning of `continue`.
    /// Never empty, except for a test when no route is marked `test`.
    pub fn matches(&self, alert: &dyn Record, lane: Lane) -> Vec<&Route> {
        let mut taken = Vec::new();
        self.walk(&Memo::new(alert), lane, &mut taken, &mut |_, _| {});
        taken
    }

    /// Every route that the alert is held against, in that order, and why it matched or not.
    pub fn explain(&self, alert: &dyn Record, lane: Lane) -> Vec<Tried<'_>> {
        let mut taken = Vec::new();
        let mut tried = Vec::new();
        self.walk(alert, lane, &mut taken, &mut |route, matched| {
            let leaves = route
                .when
                .as_ref()
                .map(|when| when.explain(alert))
                .unwrap_or_default();
            tried.push(Tried {
                route,
                matched,
                taken: false,
                leaves,
            });
        });
        let taken: HashSet<&RouteId> = taken.into_iter().map(|route| &route.id).collect();
        for step in &mut tried {
            step.taken = taken.contains(&step.route.id);
        }
        tried
    }

    fn walk<'a>(
        &'a self,
        alert: &dyn Record,
        lane: Lane,
        taken: &mut Vec<&'a Route>,
        seen: &mut dyn FnMut(&'a Route, bool),
    ) {
        let lane = match lane {
            Lane::Health if !self.has_health => Lane::Alerts,
            lane => lane,
        };
        self.root.walk(alert, lane, taken, seen);
        // What no route for sensor health takes is not lost; tests are.
        if taken.is_empty() && lane == Lane::Health {
            taken.push(&self.root.route);
        }
    }

    /// All routes, parents before their children.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.nodes().map(|node| &node.route)
    }

    /// The route with this id.
    pub fn get(&self, id: &RouteId) -> Option<&Route> {
        self.routes().find(|route| route.id == *id)
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        let mut open = vec![&self.root];
        std::iter::from_fn(move || {
            let node = open.pop()?;
            open.extend(node.children.iter().rev());
            Some(node)
        })
    }
}

impl Node {
    /// Whether the alert reached this node. `seen` is told of every node it was held against.
    fn walk<'a>(
        &'a self,
        alert: &dyn Record,
        lane: Lane,
        taken: &mut Vec<&'a Route>,
        seen: &mut dyn FnMut(&'a Route, bool),
    ) -> bool {
        let matched = self.route.when.as_ref().is_none_or(|when| when.eval(alert));
        seen(&self.route, matched);
        if !matched {
            return false;
        }
        let before = taken.len();
        for child in self
            .children
            .iter()
            .filter(|child| child.route.lane == lane)
        {
            if child.walk(alert, lane, taken, seen) && !child.goes_on {
                break;
            }
        }
        // The root is walked by tests too, to reach the test routes below it, but takes none.
        if taken.len() == before && self.route.lane == lane {
            taken.push(&self.route);
        }
        true
    }
}

#[cfg(test)]
mod tests;
