//! stub
use crate::route::condition::Record;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The path of a route in the tree, stable while the tree's shape is: `0`, `0.2`, `0.2.1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RouteId(pub String);

/// The `route` section: the root of the tree.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {}

/// Why the section is refused.
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct RouteError;

/// Grouping timers of a route, inherited from its parent unless set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// How long a new incident collects alerts before its first message.
    pub group_wait: Duration,
    /// The least time between two messages about one incident.
    pub group_interval: Duration,
    /// After how long an incident that goes on is said again.
    pub repeat_interval: Duration,
    /// After how long without alerts an incident goes quiet.
    pub quiet_after: Duration,
}

/// The fields whose values an incident's alerts share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupBy(pub Vec<String>);

/// A resolved route: everything inherited is filled in.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its path.
    pub id: RouteId,
    /// Names of its destinations.
    pub to: Vec<String>,
    /// What its incidents have in common.
    pub group_by: GroupBy,
    /// Its timers.
    pub timers: Timers,
    /// Whether it takes tests, and nothing else.
    pub test: bool,
}

impl Route {
    /// stub
    pub fn group_values(&self, _record: &dyn Record) -> Vec<(String, Option<String>)> {
        Vec::new()
    }
}

/// A route that an alert reached.
pub type Matched<'a> = &'a Route;

/// The routing tree.
#[derive(Clone, Debug, Default)]
pub struct Tree;

impl Tree {
    /// Compiles the config section.
    pub fn try_new(_config: &RouteConfig) -> Result<Self, RouteError> {
        Ok(Self)
    }

    /// The routes that an alert reaches, depth first, with Alertmanager's meaning of `continue`.
    pub fn matches(&self, _alert: &dyn Record, _is_test: bool) -> Vec<&Route> {
        todo!()
    }
}
