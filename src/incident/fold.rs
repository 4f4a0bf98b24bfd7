//! Folding a batch of alerts into their incidents.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use uuid::Uuid;

use super::{GroupKey, Incident, IncidentId, Spread, State};
use crate::classify::Alert;
use crate::event::{EventId, Untrusted};
use crate::route::{HiddenBy, Novelty, Route, SilenceId};

/// The alerts of one batch that share a key, in order.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// What they have in common.
    pub key: GroupKey,
    /// The route they reached.
    pub route: &'a Route,
    /// The fields they share, with their values.
    pub labels: Vec<(&'a str, Option<Cow<'a, str>>)>,
    /// The alerts; never empty.
    pub alerts: Vec<&'a Alert>,
    /// Whether each of them is said.
    pub sayings: Vec<Saying>,
}

/// Whether an alert is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saying {
    /// In the usual way.
    Plain,
    /// Not for now.
    Hidden(HiddenBy),
    /// At once, although a silence covers it.
    Despite(SilenceId, Vec<Novelty>),
}

/// What a batch did to one incident.
#[derive(Clone, Debug)]
pub struct Folded {
    /// The incident as it stands now.
    pub incident: Incident,
    /// The open incident of the same key that had been without alerts for too long.
    pub follows: Option<IncidentId>,
    /// The events it gained that are said.
    pub events: Vec<EventId>,
    /// The events it gained that are not said for now.
    pub hidden: Vec<(HiddenBy, Vec<EventId>)>,
    /// What broke through silences.
    pub despite: Vec<(SilenceId, Novelty)>,
    /// Whether it was quiet and is open again.
    pub reopened: bool,
    /// When to say it.
    pub notify: Notify,
}

/// When an incident is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// It is new: after the route's `group_wait`.
    First,
    /// Something worse happened: at once.
    AtOnce,
    /// It goes on: not before the route's `group_interval` after the last message.
    AfterInterval,
}

/// Sorts the alerts of a batch by incident. The order of the groups is that of their first alerts.
/// `saying` says whether an alert is said on a route.
pub fn group<'a>(
    reached: impl IntoIterator<Item = (&'a Alert, &'a Route)>,
    mut saying: impl FnMut(&Alert, &Route) -> Saying,
) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut positions: HashMap<GroupKey, usize> = HashMap::new();
    for (alert, route) in reached {
        let labels = route.group_values(alert);
        let key = GroupKey::new(
            &route.id,
            labels.iter().map(|(name, value)| (*name, value.as_deref())),
        );
        if let Some(group) = positions
            .get(&key)
            .and_then(|position| groups.get_mut(*position))
        {
            group.alerts.push(alert);
            group.sayings.push(saying(alert, route));
        } else {
            positions.insert(key, groups.len());
            groups.push(Group {
                key,
                route,
                labels,
                alerts: vec![alert],
                sayings: vec![saying(alert, route)],
            });
        }
    }
    groups
}

/// Folds a group into its live incident, or into a new one named `uid` when there is none or it has
/// been quiet for longer than the route's `reopen_within`. `None` when the group is empty.
pub fn fold(live: Option<Incident>, group: &Group<'_>, uid: Uuid) -> Option<Folded> {
    let first = *group.alerts.first()?;
    let timers = group.route.timers;
    let silent = |incident: &Incident, limit| is_silent(incident, first, limit);
    let over = timers.quiet_after.saturating_add(timers.reopen_within);
    let mut reopened = false;
    let (mut incident, mut notify, follows) = match live {
        Some(old) if silent(&old, over) => {
            let live = old.state != State::Quiet;
            (
                open(first, group, uid),
                Notify::First,
                old.id.filter(|_| live),
            )
        }
        Some(mut again) if again.state == State::Quiet || silent(&again, timers.quiet_after) => {
            reopened = true;
            again.state = State::Open;
            again.handled = None;
            again.opened = first.received;
            again.escalated = 0;
            (again, Notify::AtOnce, None)
        }
        Some(incident) => (incident, Notify::AfterInterval, None),
        None => (open(first, group, uid), Notify::First, None),
    };
    let mut events = Vec::with_capacity(group.alerts.len());
    let mut hidden: BTreeMap<HiddenBy, Vec<EventId>> = BTreeMap::new();
    let mut despite = Vec::new();
    for (alert, saying) in group.alerts.iter().zip(&group.sayings) {
        let is_said = !matches!(saying, Saying::Hidden(_));
        incident.hushed = false;
        match saying {
            Saying::Hidden(by) => {
                hidden.entry(*by).or_default().push(alert.id);
                // What inhibits is said itself, so that the incident is not unheard of.
                incident.hushed = *by != HiddenBy::Inhibition;
            }
            Saying::Plain => events.push(alert.id),
            Saying::Despite(silence, news) => {
                events.push(alert.id);
                despite.extend(news.iter().map(|news| (*silence, news.clone())));
            }
        }
        incident.count += 1;
        let new = incident
            .spread
            .count(&alert.event.output_fields, &group.route.watch);
        let broke_through = matches!(saying, Saying::Despite(..));
        let worse = alert.severity > incident.severity;
        let worth_saying = new || worse || broke_through || is_milestone(incident.count);
        if is_said && worth_saying && notify == Notify::AfterInterval {
            notify = Notify::AtOnce;
        }
        incident.last_received = incident.last_received.max(alert.received);
        incident.first_time = incident.first_time.min(alert.event.time);
        incident.last_time = incident.last_time.max(alert.event.time);
        incident.last_event = incident.last_event.max(alert.id);
        incident.severity = incident.severity.max(alert.severity);
    }
    Some(Folded {
        incident,
        follows,
        reopened,
        events,
        hidden: hidden.into_iter().collect(),
        despite,
        notify,
    })
}

/// 10, 100, 1,000 ...: a storm is said as often as its count has digits.
fn is_milestone(count: u64) -> bool {
    count >= 10 && 10_u64.checked_pow(count.ilog10()) == Some(count)
}

fn is_silent(incident: &Incident, next: &Alert, limit: Duration) -> bool {
    let silence = next.received.duration_since(incident.last_received);
    Duration::try_from(silence).is_ok_and(|silence| silence >= limit)
}

fn open(first: &Alert, group: &Group<'_>, uid: Uuid) -> Incident {
    Incident {
        id: None,
        uid,
        key: group.key,
        route: group.route.id.clone(),
        state: State::Open,
        rule: first.event.rule.clone(),
        category: first.category,
        nature: first.nature,
        severity: first.severity,
        labels: group
            .labels
            .iter()
            .filter_map(|(name, value)| {
                Some(((*name).to_owned(), Untrusted::new(value.as_deref()?)))
            })
            .collect(),
        count: 0,
        first_received: first.received,
        last_received: first.received,
        first_time: first.event.time,
        last_time: first.event.time,
        first_event: first.id,
        last_event: first.id,
        spread: Spread::default(),
        handled: None,
        opened: first.received,
        hushed: false,
        escalated: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Classifier;
    use crate::event::{self, Priority};
    use crate::route::{RouteConfig, TimeIntervals, Tree};
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn tree() -> Tree {
        let config = RouteConfig {
            to: Some(vec!["soc".to_owned()]),
            group_by: Some(vec!["rule".to_owned(), "fd.name".to_owned()]),
            ..RouteConfig::default()
        };
        Tree::try_new(&config, &TimeIntervals::default()).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn alert(id: i64, received: i64, file: &str, priority: &str) -> Alert {
        let raw = serde_json::json!({
            "rule": "r", "priority": priority, "time": at(received).to_string(),
            "output_fields": { "fd.name": file, "proc.pid": id },
        });
        let event = event::decode(raw.to_string().as_bytes()).unwrap();
        Classifier::default().classify(EventId(id), at(received), event)
    }

    fn fold_all(live: Option<Incident>, alerts: &[Alert]) -> Folded {
        let tree = tree();
        let route = tree.routes().next().unwrap();
        let groups = group(alerts.iter().map(|alert| (alert, route)), |_, _| {
            Saying::Plain
        });
        fold(live, &groups[0], Uuid::from_u128(1)).unwrap()
    }

    #[test]
    fn the_first_alert_opens_an_incident_and_later_ones_are_counted() {
        let first = fold_all(None, &[alert(1, 0, "/a", "warning")]);
        assert_eq!(first.notify, Notify::First);
        let later = [alert(2, 5, "/a", "warning"), alert(3, 9, "/a", "notice")];
        let second = fold_all(Some(first.incident), &later);
        assert_eq!(second.notify, Notify::AfterInterval);
        assert_eq!(second.incident.count, 3);
        assert_eq!(
            (
                second.incident.first_received,
                second.incident.last_received
            ),
            (at(0), at(9))
        );
        assert_eq!(
            (second.incident.first_event, second.incident.last_event),
            (EventId(1), EventId(3))
        );
    }

    #[test]
    fn a_higher_severity_is_said_at_once() {
        let first = fold_all(None, &[alert(1, 0, "/a", "warning")]);
        let worse = fold_all(Some(first.incident), &[alert(2, 1, "/a", "critical")]);
        assert_eq!(worse.notify, Notify::AtOnce);
        assert_eq!(worse.incident.severity, Priority::Critical);
    }

    #[test]
    fn a_new_value_of_a_watched_field_and_every_tenfold_count_is_said_at_once() {
        let event = |id: i64, path: &str| {
            let raw = serde_json::json!({
                "rule": "r", "priority": "notice", "time": at(id).to_string(),
                "output_fields": { "fd.name": "/a", "proc.exepath": path, "proc.pid": id },
            });
            let event = event::decode(raw.to_string().as_bytes()).unwrap();
            Classifier::default().classify(EventId(id), at(id), event)
        };
        let mut live = fold_all(None, &[event(1, "/bin/a")]).incident;
        let mut said = Vec::new();
        for id in 2..=120 {
            let path = if id == 50 { "/bin/b" } else { "/bin/a" };
            let folded = fold_all(Some(live), &[event(id, path)]);
            if folded.notify == Notify::AtOnce {
                said.push(id);
            }
            live = folded.incident;
        }
        assert_eq!(said, [10, 50, 100]);
        let varying: Vec<_> = live.spread.varying().collect();
        assert_eq!(varying[0].top(), [("/bin/a", 119), ("/bin/b", 1)]);
    }

    #[test]
    fn a_quiet_incident_is_reopened_for_a_while_and_then_a_new_one_follows() {
        let mut first = fold_all(None, &[alert(1, 0, "/a", "warning")]).incident;
        first.id = Some(IncidentId(7));
        let again = fold_all(Some(first.clone()), &[alert(2, 3_600, "/a", "warning")]);
        assert_eq!(
            (again.follows, again.notify, again.incident.count),
            (None, Notify::AtOnce, 2)
        );
        first.state = State::Quiet;
        let again = fold_all(Some(first.clone()), &[alert(2, 7_199, "/a", "warning")]);
        assert_eq!(
            (again.incident.state, again.incident.count),
            (State::Open, 2)
        );
        let next = fold_all(Some(first.clone()), &[alert(2, 7_200, "/a", "warning")]);
        assert_eq!(
            (next.follows, next.notify, next.incident.count),
            (None, Notify::First, 1)
        );
        first.state = State::Acknowledged;
        let next = fold_all(Some(first), &[alert(2, 7_200, "/a", "warning")]);
        assert_eq!(next.follows, Some(IncidentId(7)));
    }

    proptest! {
        #[test]
        fn no_alert_is_lost_or_counted_twice(files in proptest::collection::vec(0..4, 1..60), cut in 0_usize..60) {
            let alerts: Vec<_> = (1..)
                .zip(&files)
                .map(|(id, file)| alert(id, id, &format!("/{file}"), "error"))
                .collect();
            let tree = tree();
            let route = tree.routes().next().unwrap();
            let mut live: HashMap<GroupKey, Incident> = HashMap::new();
            let (one, two) = alerts.split_at(cut.min(alerts.len()));
            for batch in [one, two] {
                for group in group(batch.iter().map(|alert| (alert, route)), |_, _| Saying::Plain) {
                    let folded = fold(live.remove(&group.key), &group, Uuid::from_u128(1)).unwrap();
                    live.insert(group.key, folded.incident);
                }
            }
            let counted: u64 = live.values().map(|incident| incident.count).sum();
            prop_assert_eq!(counted, alerts.len() as u64);
        }
    }
}
