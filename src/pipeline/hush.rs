//! Whether an alert of a batch is said, in the order of the batch.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Rules;
use crate::classify::Alert;
use crate::clock::later;
use crate::event::EventId;
use crate::incident::{Saying, kind_of_workload};
use crate::route::{HiddenBy, InhibitKey, Novelty, Route, Silence, SilenceId};
use crate::store::{Store, StoreError};

/// What the alerts of a batch are held against, and what they add to it.
pub(super) struct Hush<'a> {
    rules: &'a Rules,
    silences: Vec<Silence>,
    firing: BTreeMap<InhibitKey, Timestamp>,
    /// An alert that reaches several routes is held against silences once.
    last: Option<(EventId, Saying)>,
    /// Sources that fired in this batch.
    pub(super) inhibiting: BTreeMap<InhibitKey, Timestamp>,
    /// What is no news any more.
    pub(super) known: Vec<(SilenceId, Novelty)>,
}

impl<'a> Hush<'a> {
    /// Reads what concerns a batch.
    pub(super) async fn read(
        rules: &'a Rules,
        store: &Store,
        alerts: &[Alert],
    ) -> Result<Self, StoreError> {
        let targets = alerts
            .iter()
            .flat_map(|alert| rules.inhibitions.targets(alert));
        let keys: Vec<_> = targets.map(|(key, _)| key).collect();
        let firing = if keys.is_empty() {
            BTreeMap::new()
        } else {
            store.inhibiting(keys).await?
        };
        Ok(Self {
            rules,
            silences: store.silences(false).await?,
            firing,
            last: None,
            inhibiting: BTreeMap::new(),
            known: Vec::new(),
        })
    }

    /// Whether an alert is said on a route.
    pub(super) fn saying(&mut self, alert: &Alert, route: &Route) -> Saying {
        let of_alert = match self.last.take() {
            Some((id, saying)) if id == alert.id => saying,
            _ => {
                self.fire(alert);
                self.of_alert(alert)
            }
        };
        self.last = Some((alert.id, of_alert.clone()));
        if !matches!(of_alert, Saying::Hidden(_)) && route.is_muted(alert.received) {
            return Saying::Hidden(HiddenBy::TimeInterval);
        }
        of_alert
    }

    fn fire(&mut self, alert: &Alert) {
        for key in self.rules.inhibitions.sources(alert) {
            for known in [&mut self.firing, &mut self.inhibiting] {
                let last = known.entry(key).or_insert(alert.received);
                *last = alert.received.max(*last);
            }
        }
    }

    fn of_alert(&mut self, alert: &Alert) -> Saying {
        let ceiling = self.rules.silence_ceiling;
        let covers = |(_, silence): &(usize, &Silence)| {
            silence.hides(alert, alert.received, alert.severity, ceiling)
        };
        let rule = alert.event.rule.raw();
        let workload = kind_of_workload(&alert.event);
        let mut news = Vec::new();
        let mut hides: Option<(Timestamp, Reverse<SilenceId>)> = None;
        for (index, silence) in self.silences.iter().enumerate().filter(covers) {
            let new = silence
                .known
                .news(rule, workload.as_deref(), alert.severity);
            if new.is_empty() {
                // Of several, the one that ends last: what it hides stays hidden until then.
                hides = hides.max(Some((silence.ends, Reverse(silence.id))));
            } else {
                news.push((index, new));
            }
        }
        if let Some((_, Reverse(silence))) = hides {
            return Saying::Hidden(HiddenBy::Silence(silence));
        }
        let targets = self.rules.inhibitions.targets(alert);
        let inhibited = targets.into_iter().any(|(key, lasts)| {
            let fired = self.firing.get(&key);
            fired.is_some_and(|fired| alert.received < later(*fired, lasts))
        });
        if inhibited {
            return Saying::Hidden(HiddenBy::Inhibition);
        }
        self.break_through(news)
    }

    /// What is new is said once under each silence; what was hidden in another way is new still.
    fn break_through(&mut self, news: Vec<(usize, Vec<Novelty>)>) -> Saying {
        let mut saying = Saying::Plain;
        for (index, new) in news {
            let Some(silence) = self.silences.get_mut(index) else {
                continue;
            };
            for novelty in &new {
                silence.known.learn(novelty.clone());
                self.known.push((silence.id, novelty.clone()));
            }
            saying = Saying::Despite(silence.id, new);
        }
        saying
    }
}
