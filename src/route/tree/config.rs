//! The `route` section, and how it becomes a tree.

use std::collections::HashSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Escalation, GroupBy, Lane, Node, Route, RouteId, Timers};
use crate::route::condition::{Condition, ConditionError, is_field_name};
use crate::route::interval::{TimeInterval, TimeIntervals};
use crate::units::Span;

/// How deep routes may be nested.
const MAX_DEPTH: usize = 32;

/// A route: which alerts it takes, who is told, and how alerts fold into incidents. What a route
/// leaves out it inherits from its parent. The root takes every alert that no other route took.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteConfig {
    /// A name that stays the same when routes are reordered: lower-case letters, digits, `-`, `_`.
    /// Incidents remember their route by it.
    pub name: Option<String>,
    /// Which alerts this route takes, among those that reach it; all of them when left out. The
    /// root takes all.
    #[schemars(with = "Option<Condition>")]
    pub when: Option<String>,
    /// The names of the destinations that are told.
    pub to: Option<Vec<String>>,
    /// The fields whose values the alerts of one incident share. When no route sets it, fields
    /// that suit the event's source.
    pub group_by: Option<Vec<String>>,
    /// How long a new incident collects alerts before its first message. Default 0s: the first
    /// alert goes out at once.
    pub group_wait: Option<Span>,
    /// The least time between two messages about one incident. Default 30s.
    pub group_interval: Option<Span>,
    /// After how long an incident that goes on is said again. Default 4h.
    pub repeat_interval: Option<Span>,
    /// Whether an incident is said again at twice its age each time, instead of at even intervals.
    /// Default false.
    pub repeat_doubling: Option<bool>,
    /// After how long without alerts an incident goes quiet. Default 1h.
    pub quiet_after: Option<Span>,
    /// For how long a quiet incident is reopened by a new alert; after that, a new one begins.
    pub reopen_within: Option<Span>,
    /// Fields of which a new value is said at once, however young the last message is. Default: the
    /// program's path, the file, and the address at the other end (`fd.sip`).
    pub watch: Option<Vec<String>>,
    /// Whether the routes after this one are tried too when it took the alert.
    pub r#continue: bool,
    /// Whether this route takes the self-test and nothing else. Tests go to no other route.
    pub test: bool,
    /// Whether this route takes sensor health and nothing else: what Falco says of lost events, and
    /// Herald of silent sensors and of itself. Where one does, sensor health goes to no other kind of
    /// route but the root.
    pub health: bool,
    /// Who is told as well when nobody has acknowledged an incident for so long.
    pub escalate: Option<Vec<EscalationConfig>>,
    /// Names of time intervals in which nothing is said; what came in is told when they end. Not
    /// inherited.
    pub mute_time_intervals: Vec<String>,
    /// Names of the only time intervals in which something is said. Not inherited.
    pub active_time_intervals: Vec<String>,
    /// Routes below this one, tried in order. It takes an alert itself only when none of them did.
    pub routes: Vec<RouteConfig>,
}

/// Who is told as well when nobody acknowledges an incident.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationConfig {
    /// How long after the incident opened.
    pub after: Span,
    /// The names of the destinations. They stay with the incident from then on.
    pub to: Vec<String>,
}

/// Why the section is refused. The place is written as in the config: `route.routes[0].when`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RouteError {
    /// A condition does not compile.
    #[error("{at}.when: {error}")]
    When {
        /// The route.
        at: String,
        /// What is wrong with its condition, shown with a caret.
        error: ConditionError,
    },
    /// A setting that makes no sense where it stands.
    #[error("{at} {problem}")]
    Setting {
        /// The route or its setting.
        at: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// Two routes side by side have one name.
    #[error("{at}.name: another route beside it is named `{name}` too; names must differ")]
    Name {
        /// The second route.
        at: String,
        /// The name.
        name: String,
    },
    /// A time interval does not exist.
    #[error("{at}: there is no time interval `{}`; define it in `time_intervals`", .name.escape_debug())]
    TimeInterval {
        /// The setting.
        at: String,
        /// The name.
        name: String,
    },
    /// A field to group by is not a field.
    #[error("{at}.group_by: `{}` is not a field; write it like proc.name", .field.escape_debug())]
    Field {
        /// The route.
        at: String,
        /// The text that stands for a field.
        field: String,
    },
}

/// Executable, file and destination address.
const DEFAULT_WATCH: [&str; 3] = ["proc.exepath", "fd.name", "fd.sip"];

/// Each watched field keeps its values with every incident.
const MAX_WATCHED: usize = 8;

/// Compiles the section.
pub(super) fn resolve(config: &RouteConfig, times: &TimeIntervals) -> Result<Node, RouteError> {
    let at = "route";
    if config.when.is_some() {
        return refuse(
            at,
            "may not have `when`: the root takes what no other route took",
        );
    }
    if config.test {
        return refuse(
            at,
            "may not be a test route: other alerts would reach nobody",
        );
    }
    if config.health {
        return refuse(at, "may not be a health route: alerts would reach nobody");
    }
    if !config.mute_time_intervals.is_empty() || !config.active_time_intervals.is_empty() {
        return refuse(at, "may not have time intervals: mute the routes below it");
    }
    if config.r#continue {
        return refuse(
            at,
            "may not have `continue`: nothing stands beside the root",
        );
    }
    let parent = Route {
        id: RouteId(String::new()),
        to: Vec::new(),
        group_by: GroupBy::BySource,
        timers: Timers::default(),
        watch: DEFAULT_WATCH.map(str::to_owned).to_vec(),
        lane: Lane::Alerts,
        when: None,
        escalate: Vec::new(),
        mute: Vec::new(),
        active: Vec::new(),
    };
    let site = Site { times };
    site.node(config, at, segment(config, 0, at)?, &parent, 0)
}

fn refuse<T>(at: impl Into<String>, problem: &'static str) -> Result<T, RouteError> {
    Err(RouteError::Setting {
        at: at.into(),
        problem,
    })
}

/// What routes refer to.
struct Site<'a> {
    times: &'a TimeIntervals,
}

impl Site<'_> {
    fn node(
        &self,
        config: &RouteConfig,
        at: &str,
        id: String,
        parent: &Route,
        depth: usize,
    ) -> Result<Node, RouteError> {
        if depth > MAX_DEPTH {
            return refuse(
                at,
                "is nested too deep; at most 32 routes may stand in each other",
            );
        }
        if config.test && config.health {
            return refuse(at, "is for tests or for health, not for both");
        }
        if config.health && parent.lane == Lane::Alerts && depth > 1 {
            return refuse(
                at,
                "is a health route: move it directly below the root, where sensor health begins",
            );
        }
        if config.test && parent.lane != Lane::Test && depth > 1 {
            return refuse(
                at,
                "is a test route: move it directly below the root, where tests begin",
            );
        }
        let route = Route {
            id: RouteId(id),
            to: destinations(config, at, parent)?,
            group_by: group_by(config, at, parent)?,
            timers: timers(config, at, parent.timers)?,
            watch: watch(config, at, parent)?,
            lane: match parent.lane {
                Lane::Alerts if config.test => Lane::Test,
                Lane::Alerts if config.health => Lane::Health,
                inherited => inherited,
            },
            when: condition(config, at)?,
            escalate: escalate(config, at, parent)?,
            mute: self.intervals(&config.mute_time_intervals, || {
                format!("{at}.mute_time_intervals")
            })?,
            active: self.intervals(&config.active_time_intervals, || {
                format!("{at}.active_time_intervals")
            })?,
        };
        let mut children = Vec::with_capacity(config.routes.len());
        let mut segments = HashSet::with_capacity(config.routes.len());
        for (index, child) in config.routes.iter().enumerate() {
            let at = format!("{at}.routes[{index}]");
            let name = segment(child, index, &at)?;
            let id = format!("{}.{name}", route.id.0);
            if !segments.insert(name.clone()) {
                return Err(RouteError::Name { at, name });
            }
            children.push(self.node(child, &at, id, &route, depth + 1)?);
        }
        Ok(Node {
            route,
            goes_on: config.r#continue,
            children,
        })
    }

    fn intervals(
        &self,
        names: &[String],
        at: impl Fn() -> String,
    ) -> Result<Vec<Arc<TimeInterval>>, RouteError> {
        let find = |name: &String| {
            self.times
                .get(name)
                .cloned()
                .ok_or_else(|| RouteError::TimeInterval {
                    at: at(),
                    name: name.clone(),
                })
        };
        names.iter().map(find).collect()
    }
}

fn escalate(config: &RouteConfig, at: &str, parent: &Route) -> Result<Vec<Escalation>, RouteError> {
    let Some(steps) = &config.escalate else {
        return Ok(parent.escalate.clone());
    };
    let mut steps: Vec<Escalation> = steps
        .iter()
        .map(|step| Escalation {
            after: step.after.0,
            to: step.to.clone(),
        })
        .collect();
    steps.sort_by_key(|step| step.after);
    if steps.iter().any(|step| step.to.is_empty()) {
        return refuse(format!("{at}.escalate"), "must name a destination in `to`");
    }
    Ok(steps)
}

/// A route's part of the path: its name, or its number.
fn segment(config: &RouteConfig, index: usize, at: &str) -> Result<String, RouteError> {
    let Some(name) = &config.name else {
        return Ok(index.to_string());
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
        let problem = "must begin with a letter and hold only a to z, 0 to 9, `-` and `_`";
        return refuse(format!("{at}.name"), problem);
    }
    Ok(name.clone())
}

fn condition(config: &RouteConfig, at: &str) -> Result<Option<Condition>, RouteError> {
    let parse = |when: &String| Condition::parse(when);
    let at = || at.to_owned();
    config
        .when
        .as_ref()
        .map(parse)
        .transpose()
        .map_err(|error| RouteError::When { at: at(), error })
}

fn destinations(config: &RouteConfig, at: &str, parent: &Route) -> Result<Vec<String>, RouteError> {
    let mut seen = HashSet::new();
    let mut to = config.to.clone().unwrap_or_else(|| parent.to.clone());
    to.retain(|name| seen.insert(name.clone()));
    if to.is_empty() {
        return refuse(
            format!("{at}.to"),
            "must name a destination, or alerts would reach nobody",
        );
    }
    Ok(to)
}

fn group_by(config: &RouteConfig, at: &str, parent: &Route) -> Result<GroupBy, RouteError> {
    let Some(fields) = &config.group_by else {
        return Ok(parent.group_by.clone());
    };
    let mut seen = HashSet::new();
    for field in fields {
        if !is_field_name(field) {
            return Err(RouteError::Field {
                at: at.to_owned(),
                field: field.clone(),
            });
        }
        if !seen.insert(field) {
            return refuse(format!("{at}.group_by"), "names a field twice");
        }
    }
    Ok(GroupBy::Fields(fields.clone()))
}

fn watch(config: &RouteConfig, at: &str, parent: &Route) -> Result<Vec<String>, RouteError> {
    let Some(fields) = &config.watch else {
        return Ok(parent.watch.clone());
    };
    if fields.len() > MAX_WATCHED {
        return refuse(format!("{at}.watch"), "may name 8 fields at most");
    }
    match fields.iter().find(|field| !is_field_name(field)) {
        Some(field) => Err(RouteError::Field {
            at: at.to_owned(),
            field: field.clone(),
        }),
        None => Ok(fields.clone()),
    }
}

fn timers(config: &RouteConfig, at: &str, parent: Timers) -> Result<Timers, RouteError> {
    let or = |own: Option<Span>, inherited| own.map_or(inherited, |Span(duration)| duration);
    let timers = Timers {
        group_wait: or(config.group_wait, parent.group_wait),
        group_interval: or(config.group_interval, parent.group_interval),
        repeat_interval: or(config.repeat_interval, parent.repeat_interval),
        repeat_doubling: config.repeat_doubling.unwrap_or(parent.repeat_doubling),
        quiet_after: or(config.quiet_after, parent.quiet_after),
        reopen_within: or(config.reopen_within, parent.reopen_within),
    };
    if timers.quiet_after.is_zero() {
        let problem = "must be more than 0s, or every alert would be an incident of its own";
        return refuse(format!("{at}.quiet_after"), problem);
    }
    Ok(timers)
}
