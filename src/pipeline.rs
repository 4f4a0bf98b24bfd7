//! The second step: from the inbox to incidents and open deliveries.
//!
//! Events are taken in batches, in order. Each batch is one transaction, so a crash repeats a batch
//! or does not, but never half of it.

mod activity;
mod hush;
mod pace;
mod preview;
mod sample;
mod sensors;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::classify::{Alert, Classifier, Nature};
use crate::clock::{Clock, later};
use crate::event::{self, EventId, Priority, herald_event};
use crate::incident::{self, Folded, GroupKey, Incident, Notify};
use crate::metrics::{AlertLabels, Metrics, Word};
use crate::route::{Inhibitions, Lane, Route, Tree};
use crate::store::{DestinationStep, InboxEvent, IncidentStep, Step, Store, StoreError};
use hush::Hush;
use pace::Pace;

pub use preview::{PREVIEWED, Preview, preview};
pub use sensors::SensorsConfig;

/// Events taken together at most.
const BATCH: u32 = 512;

const MINUTE: Duration = Duration::from_mins(1);

/// What decides where an alert goes. Replaced as a whole when the configuration changes.
#[derive(Debug)]
pub struct Rules {
    /// What events mean.
    pub classifier: Classifier,
    /// Who is told.
    pub tree: Tree,
    /// From which severity on a silence hides nothing, unless it was made for that.
    pub silence_ceiling: Priority,
    /// Which alerts make others superfluous.
    pub inhibitions: Inhibitions,
    /// After how long without events any sensor is silent; those that send metrics snapshots are so
    /// sooner.
    pub silent_after: Option<Duration>,
}

#[cfg(test)]
impl Rules {
    /// Rules of the sections `route`, `time_intervals` and `inhibit`; nothing else is set.
    pub(crate) fn of(route: &str, times: &str, inhibit: &str) -> Self {
        let times = crate::route::time_intervals(&serde_saphyr::from_str(times).unwrap()).unwrap();
        let inhibit: Vec<_> = serde_saphyr::from_str(inhibit).unwrap();
        Self {
            classifier: Classifier::default(),
            tree: Tree::try_new(&serde_saphyr::from_str(route).unwrap(), &times).unwrap(),
            silence_ceiling: Priority::Critical,
            inhibitions: Inhibitions::try_new(&inhibit).unwrap(),
            silent_after: None,
        }
    }
}

/// The second step.
#[derive(Debug)]
pub struct Pipeline {
    store: Store,
    clock: Clock,
    rules: watch::Receiver<Arc<Rules>>,
    metrics: Metrics,
    /// Since when sensors could have been heard.
    listening: Timestamp,
}

impl Pipeline {
    /// A pipeline over a store.
    pub fn new(
        store: Store,
        clock: Clock,
        rules: watch::Receiver<Arc<Rules>>,
        metrics: Metrics,
    ) -> Self {
        Self {
            store,
            listening: clock.now(),
            clock,
            rules,
            metrics,
        }
    }

    /// Takes events over until `stop`; then finishes the batch at hand.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut latest = self.store.latest();
        let mut silences = self.store.silences_changed();
        let mut cursor = self.store.cursor().await?;
        let mut tick = self.tick().await?;
        let mut pace = Pace::default();
        loop {
            // Registered before the look at the inbox, so that no event is missed in between.
            let mut newest = *latest.borrow_and_update();
            if cursor < newest && newest.0 - cursor.0 < i64::from(BATCH) {
                pace::gather().await;
                newest = *latest.borrow_and_update();
            }
            pace.look(newest.0 - cursor.0 > i64::from(BATCH));
            while cursor < newest && !stop.is_cancelled() {
                pace.step_back(&self.store, &stop).await;
                match self.take(cursor).await? {
                    Some(next) => cursor = next,
                    None => break,
                }
                tick = tick.min(self.soonest());
            }
            tokio::select! {
                changed = latest.changed() => if changed.is_err() { return Ok(()) },
                changed = silences.changed() => match changed {
                    Ok(()) => tick = self.tick().await?,
                    Err(_) => return Ok(()),
                },
                () = self.clock.sleep_until(tick) => tick = self.tick().await?,
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Does what is due now; when to look again.
    pub async fn tick(&mut self) -> Result<Timestamp, StoreError> {
        let now = self.clock.now();
        let rules = Arc::clone(&self.rules.borrow_and_update());
        let silence_over = self.store.end_silences(now).await?;
        let interval_over = self.tell_muted(&rules.tree, now).await?;
        let sensors = self.watch_sensors(rules.silent_after, now).await?;
        let live = self.store.live_incidents().await?;
        let (steps, next) = timers::due(live, &rules.tree, now);
        let others = [silence_over, interval_over, Some(sensors)];
        let next = others.into_iter().flatten().fold(next, Timestamp::min);
        if steps.is_empty() {
            return Ok(next);
        }
        self.store.commit_timers(steps, now).await?;
        Ok(next.min(self.soonest()))
    }

    /// Tells what time intervals hid, now that they are over; when to look again for the others.
    async fn tell_muted(
        &self,
        tree: &Tree,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut over = Vec::new();
        let mut muted = false;
        for (incident, route, escalated) in self.store.muted().await? {
            let route = tree.get(&route);
            if route.is_some_and(|route| route.is_muted(now)) {
                muted = true;
            } else {
                // A route that is gone has nobody to tell.
                let to = route.map(|route| route.destinations(escalated));
                over.push((incident, to.unwrap_or_default()));
            }
        }
        if !over.is_empty() {
            self.store.tell_muted(over, now).await?;
        }
        Ok(muted.then(|| timers::next_minute(now)))
    }

    /// The earliest moment at which a timer that starts now can end.
    fn soonest(&self) -> Timestamp {
        let rules = self.rules.borrow();
        let shortest = rules.tree.routes().map(|route| {
            let timers = route.timers;
            let repeat = Some(timers.repeat_interval).filter(|repeat| !repeat.is_zero());
            let escalate = route.escalate.first().map(|step| step.after);
            let others = repeat.into_iter().chain(escalate);
            let soonest = others.fold(timers.quiet_after, Duration::min);
            // Muted incidents are looked at by the minute.
            let has_times = !route.mute.is_empty() || !route.active.is_empty();
            soonest.min(if has_times { MINUTE } else { Duration::MAX })
        });
        later(self.clock.now(), shortest.min().unwrap_or(Duration::MAX))
    }

    /// Takes everything over that is in the inbox now. For tests and for the demo.
    pub async fn drain(&mut self) -> Result<(), StoreError> {
        let mut cursor = self.store.cursor().await?;
        while let Some(next) = self.take(cursor).await? {
            cursor = next;
        }
        Ok(())
    }

    /// Takes one batch over; the cursor after it, or `None` when the inbox is empty.
    async fn take(&mut self, cursor: EventId) -> Result<Option<EventId>, StoreError> {
        let events = self.store.inbox_after(cursor, BATCH).await?;
        let Some(last) = events.last().map(|event| event.id) else {
            return Ok(None);
        };
        let rules = Arc::clone(&self.rules.borrow_and_update());
        let (alerts, undecodable) = classify_all(&rules.classifier, &events);
        for (id, reason) in &undecodable {
            tracing::error!(
                event.id = id.0,
                reason,
                "stored event cannot be read; it is kept"
            );
        }
        let heartbeats = sensors::heartbeats(&self.store, &alerts).await?;
        let (reached, unrouted) = route_all(&rules.tree, &alerts, &heartbeats);
        let mut hush = Hush::read(&rules, &self.store, &alerts).await?;
        let groups = incident::group(reached, |alert, route| hush.saying(alert, route));
        let keys = groups.iter().map(|group| group.key).collect();
        let mut live: HashMap<GroupKey, Incident> = self
            .store
            .incidents_by_key(keys)
            .await?
            .into_iter()
            .map(|incident| (incident.key, incident))
            .collect();
        let now = self.clock.now();
        let mut counts = Vec::with_capacity(groups.len());
        let mut incidents = Vec::with_capacity(groups.len());
        for group in &groups {
            let live = live.remove(&group.key);
            if let Some(folded) = incident::fold(live, group, Uuid::now_v7()) {
                counts.push((group, folded.incident.count));
                incidents.push(say(folded, group.route, now));
            }
        }
        self.count(&alerts, undecodable.len());
        let unreadable = undecodable.first().cloned();
        let step = Step {
            cursor: Some(last),
            spared: sample::spared(&counts, *self.store.room().borrow()),
            events,
            incidents,
            unrouted,
            undecodable,
            activity: activity::activity(&alerts),
            fired: activity::fired(&alerts),
            sensors: sensors::seen(&alerts),
            inhibiting: hush.inhibiting.into_iter().collect(),
            known: hush.known,
        };
        self.store.commit_step(step).await?;
        if let Some((event, reason)) = unreadable {
            self.alert_unreadable(event, &reason).await;
        }
        Ok(Some(last))
    }

    /// What was acknowledged and cannot be read is an alert like any other, on the route for health.
    async fn alert_unreadable(&self, event: EventId, reason: &str) {
        let output = format!(
            "Acknowledged events cannot be read and reach no destination; the first is event {}: {reason}",
            event.0
        );
        let fields = serde_json::json!({ "herald.event": event.0 });
        let now = self.clock.now();
        let alert = herald_event(
            "stored events cannot be read",
            "Critical",
            "",
            &output,
            &fields,
            now,
        );
        if let Err(error) = self.store.append_own(now, alert).await {
            tracing::error!(%error, "cannot alert that stored events cannot be read");
        }
    }
}

impl Pipeline {
    fn count(&self, alerts: &[Alert], undecodable: usize) {
        for alert in alerts {
            let labels = AlertLabels {
                severity: Word(alert.severity.name()),
                category: Word(alert.category.id()),
            };
            self.metrics.classified.get_or_create(&labels).inc();
        }
        self.metrics.undecodable.inc_by(undecodable as u64);
    }
}

/// Decodes and classifies. A panic costs the event that caused it, not the events behind it.
fn classify_all(
    classifier: &Classifier,
    events: &[InboxEvent],
) -> (Vec<Alert>, Vec<(EventId, String)>) {
    let mut alerts = Vec::with_capacity(events.len());
    let mut undecodable = Vec::new();
    for stored in events {
        if !stored.is_intact {
            let reason = "the disk gave back something else than was stored".to_owned();
            undecodable.push((stored.id, reason));
            continue;
        }
        let classified = catch_unwind(AssertUnwindSafe(|| {
            event::decode(&stored.body)
                .map(|event| classifier.classify(stored.id, stored.received, event))
        }));
        match classified {
            Ok(Ok(alert)) => alerts.push(alert),
            Ok(Err(error)) => undecodable.push((stored.id, error.to_string())),
            Err(_) => undecodable.push((stored.id, "reading it panicked".to_owned())),
        }
    }
    (alerts, undecodable)
}

fn route_all<'a>(
    tree: &'a Tree,
    alerts: &'a [Alert],
    heartbeats: &[EventId],
) -> (Vec<(&'a Alert, &'a Route)>, Vec<EventId>) {
    let mut reached = Vec::with_capacity(alerts.len());
    let mut unrouted = Vec::new();
    for alert in alerts {
        let routes = if heartbeats.contains(&alert.id) {
            Vec::new()
        } else {
            tree.matches(alert, lane(alert.nature))
        };
        if routes.is_empty() {
            unrouted.push(alert.id);
        }
        reached.extend(routes.into_iter().map(|route| (alert, route)));
    }
    (reached, unrouted)
}

/// Which routes an alert is held against.
pub fn lane(nature: Nature) -> Lane {
    match nature {
        Nature::Security => Lane::Alerts,
        Nature::SensorHealth => Lane::Health,
        Nature::Test => Lane::Test,
    }
}

fn say(folded: Folded, route: &Route, now: Timestamp) -> IncidentStep {
    let (first_due, interval) = match folded.notify {
        Notify::First => (
            later(now, route.timers.group_wait),
            Some(route.timers.group_interval),
        ),
        Notify::AtOnce => (now, None),
        Notify::AfterInterval => (now, Some(route.timers.group_interval)),
    };
    IncidentStep {
        destinations: route
            .destinations(folded.incident.escalated)
            .into_iter()
            .map(|destination| DestinationStep {
                destination,
                first_due,
                interval,
            })
            .collect(),
        incident: folded.incident,
        follows: folded.follows,
        reopened: folded.reopened,
        events: folded.events,
        hidden: folded.hidden,
        despite: folded.despite,
    }
}
