//! Which events of a batch are not kept as posted. Counts are kept always; of a storm, one event is
//! like the next, and the disk must not follow their number.

use std::collections::{BTreeMap, HashMap};

use crate::event::EventId;
use crate::incident::Group;
use crate::store::Room;

/// Events of an incident that are all kept. Of later ones, the last of each batch is.
const ALL: u64 = 100;

/// The same while room is short.
const FEW: u64 = 3;

/// The events to let go, each with the one of the batch that stands for it. `groups` come with the
/// count of their incident after the batch. Events of no incident are kept.
pub(super) fn spared(groups: &[(&Group<'_>, u64)], room: Room) -> BTreeMap<EventId, EventId> {
    let all = if room < Room::Plenty { FEW } else { ALL };
    // An event of several incidents is let go when each of them can spare it.
    let mut spared: HashMap<EventId, Option<EventId>> = HashMap::new();
    for (group, count) in groups {
        let Some(last) = group.alerts.last().map(|alert| alert.id) else {
            continue;
        };
        let before = count.saturating_sub(group.alerts.len() as u64);
        for (position, alert) in (before + 1..).zip(&group.alerts) {
            let stands = spared.entry(alert.id).or_insert(Some(last));
            if position <= all || alert.id == last {
                *stands = None;
            }
        }
    }
    let spared = spared.into_iter();
    spared
        .filter_map(|(event, stands)| Some((event, stands?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{Alert, Classifier};
    use crate::event;
    use crate::incident::{Saying, group};
    use crate::pipeline::Rules;
    use jiff::Timestamp;

    #[test]
    fn of_a_storm_the_first_hundred_and_the_last_of_each_batch_are_kept() {
        let rules = Rules::of("{ to: [soc], group_by: [rule] }", "{}", "[]");
        let route = rules.tree.routes().next().unwrap();
        let alerts: Vec<Alert> = (1..=10)
            .map(|id| {
                let rule = if id % 5 == 0 { "rare" } else { "storm" };
                let raw = serde_json::json!({
                    "rule": rule, "priority": "notice", "time": "2026-03-01T10:15:00Z",
                });
                let event = event::decode(raw.to_string().as_bytes()).unwrap();
                Classifier::default().classify(EventId(id), Timestamp::UNIX_EPOCH, event)
            })
            .collect();
        let reached = alerts.iter().map(|alert| (alert, route));
        let groups = group(reached, |_, _| Saying::Plain);
        // The storm had 95 before, so that 5 of its 8 are among the first hundred.
        let spared = |room| -> Vec<_> {
            let spared = spared(&[(&groups[0], 103), (&groups[1], 2)], room);
            spared.iter().map(|(event, by)| (event.0, by.0)).collect()
        };
        assert_eq!(spared(Room::Plenty), [(7, 9), (8, 9)]);
        let all_but_the_last = [1, 2, 3, 4, 6, 7, 8].map(|event| (event, 9));
        assert_eq!(
            spared(Room::Short),
            all_but_the_last,
            "the first three are long gone"
        );
    }
}
