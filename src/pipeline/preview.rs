//! What a silence would have hidden: said before it is made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{Rules, classify_all};
use crate::classify::{Alert, Nature};
use crate::event::{EventId, Priority};
use crate::incident::kind_of_workload;
use crate::route::condition::Condition;
use crate::route::{Known, Novelty};
use crate::store::{Sample, Store, StoreError};

/// How far back is looked.
pub const PREVIEWED: Duration = Duration::from_hours(7 * 24);

/// Events looked at, at most: the newest. Of a storm only samples are kept, which stand for the rest.
const READ: usize = 200_000;

/// Events read together.
const PAGE: u32 = 1_000;

/// Rules and workloads that are named.
const NAMED: usize = 20;

/// What a condition matched lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// The earliest event looked at; none when there are no events.
    pub since: Option<Timestamp>,
    /// How many events were looked at.
    pub examined: u64,
    /// How many it would have hidden.
    pub hidden: u64,
    /// How many it matches, but would not have hidden, because they are at or above the ceiling.
    pub above_ceiling: u64,
    /// The highest severity among those it would have hidden.
    pub severity: Option<Priority>,
    /// How many it would have hidden of each rule, the most frequent first.
    pub rules: Vec<(String, u64)>,
    /// How many at each kind of workload, the most frequent first.
    pub workloads: Vec<(String, u64)>,
    /// What is no news to a silence made now.
    #[serde(skip)]
    pub known: Known,
}

#[derive(Debug, Default)]
struct Tally {
    preview: Preview,
    rules: BTreeMap<String, u64>,
    workloads: BTreeMap<String, u64>,
}

/// Looks through the newest events that are stored.
pub async fn preview(
    store: &Store,
    rules: &Arc<Rules>,
    when: &Condition,
    above_ceiling: bool,
    now: Timestamp,
) -> Result<Preview, StoreError> {
    let from = now.saturating_sub(PREVIEWED).unwrap_or(now);
    let mut tally = Tally::default();
    let mut before = EventId(i64::MAX);
    let mut read = 0;
    while read < READ {
        let mut samples = store.events_before(before, PAGE).await?;
        let Some(oldest) = samples.last().map(|sample| sample.event.id) else {
            break;
        };
        before = oldest;
        read += samples.len();
        let all = samples.len();
        samples.retain(|sample| sample.event.received >= from);
        if let Some(oldest) = samples.last() {
            tally.preview.since = Some(oldest.event.received);
        }
        let is_last = samples.len() < all;
        let of_page = (Arc::clone(rules), when.clone());
        // A page takes long enough to keep others waiting.
        let counted = tokio::task::spawn_blocking(move || {
            let (rules, when) = of_page;
            tally.page(samples, &rules, &when, above_ceiling);
            tally
        });
        tally = counted.await.map_err(|_| StoreError::Closed)?;
        if is_last {
            break;
        }
    }
    Ok(tally.finish())
}

impl Tally {
    fn page(&mut self, samples: Vec<Sample>, rules: &Rules, when: &Condition, wide: bool) {
        let weights: HashMap<EventId, u64> = samples
            .iter()
            .map(|sample| (sample.event.id, sample.stands_for))
            .collect();
        let events: Vec<_> = samples.into_iter().map(|sample| sample.event).collect();
        self.preview.examined += weights.values().sum::<u64>();
        let (alerts, _) = classify_all(&rules.classifier, &events);
        let real = |alert: &&Alert| alert.nature != Nature::Test && when.eval(*alert);
        for alert in alerts.iter().filter(real) {
            let weight = weights.get(&alert.id).copied().unwrap_or(1);
            self.count(
                alert,
                weight,
                wide || alert.severity < rules.silence_ceiling,
            );
        }
    }

    fn count(&mut self, alert: &Alert, weight: u64, hides: bool) {
        let preview = &mut self.preview;
        if !hides {
            preview.above_ceiling += weight;
            return;
        }
        preview.hidden += weight;
        preview.severity = preview.severity.max(Some(alert.severity));
        let rule = alert.event.rule.raw();
        *self.rules.entry(rule.to_owned()).or_default() += weight;
        if let Some(workload) = kind_of_workload(&alert.event) {
            *self.workloads.entry(workload).or_default() += weight;
        }
    }

    fn finish(self) -> Preview {
        let names = |counts: &BTreeMap<String, u64>| -> BTreeSet<String> {
            counts.keys().cloned().collect()
        };
        let mut known = Known {
            rules: names(&self.rules),
            workloads: names(&self.workloads),
            severity: None,
        };
        if let Some(severity) = self.preview.severity {
            known.learn(Novelty::Severity(severity));
        }
        Preview {
            rules: most(self.rules),
            workloads: most(self.workloads),
            known,
            ..self.preview
        }
    }
}

fn most(counts: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    counts.truncate(NAMED);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, later};
    use crate::store::Step;

    #[tokio::test]
    async fn what_a_silence_would_have_hidden_is_counted_over_a_week() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-03-20T00:00:00Z".parse().unwrap());
        let store = Store::open(folder.path(), &clock).unwrap();
        let body = |rule: &str, priority: &str| {
            let event = serde_json::json!({
                "rule": rule, "priority": priority, "time": "2026-03-01T10:15:00Z",
                "hostname": "node-1",
            });
            event.to_string().into_bytes()
        };
        let now = clock.now();
        let mut bodies = vec![body("a", "Notice"); 1_200];
        bodies.extend([
            body("a", "Error"),
            body("a", "Critical"),
            body("b", "Notice"),
        ]);
        store.append(now, bodies).await.unwrap();
        let events = store.inbox_after(EventId(0), 2_000).await.unwrap();
        let last = events.last().unwrap().id;
        // The second to the 1,000th are not kept; the first stands for them.
        let first = events[0].id;
        let spared = events[1..1_000].iter().map(|event| (event.id, first));
        let step = Step {
            cursor: Some(last),
            spared: spared.collect(),
            events,
            ..Step::default()
        };
        store.commit_step(step).await.unwrap();
        let rules = Arc::new(Rules::of("{ to: [soc] }", "{}", "[]"));
        let when = Condition::parse("rule = a").unwrap();
        let in_a_week = later(now, Duration::from_hours(7 * 24 + 1));
        let none = preview(&store, &rules, &when, false, in_a_week).await;
        assert_eq!(none.unwrap(), Preview::default());
        let found = preview(&store, &rules, &when, false, now).await.unwrap();
        assert_eq!(
            (found.examined, found.hidden, found.above_ceiling),
            (1_203, 1_201, 1)
        );
        assert_eq!(found.since, Some(now));
        assert_eq!(found.severity, Some(Priority::Error));
        assert_eq!(found.rules, [("a".to_owned(), 1_201)]);
        assert_eq!(found.workloads, [("node-1".to_owned(), 1_201)]);
        assert_eq!(found.known.news("a", Some("node-1"), Priority::Error), []);
        let wide = preview(&store, &rules, &when, true, now).await.unwrap();
        assert_eq!(
            (wide.hidden, wide.severity),
            (1_202, Some(Priority::Critical))
        );
    }
}
