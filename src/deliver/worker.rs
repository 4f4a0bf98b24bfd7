//! One destination's worker: takes due deliveries, renders, sends, records.

mod nearby;
mod plain;
mod sending;
mod unreadable;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::circuit::{Permit, Stop, Turn};
use super::client::TIMED_OUT;
use super::{Configured, Notice, NoticeKind, Shared};
use crate::classify::{Alert, Nature};
use crate::clock::later;
use crate::incident::State;
use crate::report::{Nearby, Report, Subject};
use crate::store::{Attempt, Leased, Outcome, StoreError};
use nearby::nearby;
use plain::fallback;
use sending::Fate;
use unreadable::without_event;

/// Runs until `stop`, then lets what is under way finish.
pub(super) async fn run(
    configured: Configured,
    shared: Shared,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let worker = Arc::new(Worker { configured, shared });
    let mut sending = JoinSet::new();
    let mut changed = worker.shared.store.outbox_changed();
    let mut not_before = worker.shared.clock.now();
    while !stop.is_cancelled() {
        changed.borrow_and_update();
        while let Some(sent) = sending.try_join_next() {
            ended(sent)?;
        }
        let now = worker.shared.clock.now();
        let free = worker.free(sending.len());
        // The clock may have been set back meanwhile.
        not_before = not_before.min(later(now, worker.configured.pace.interval));
        let permit = (free > 0 && now >= not_before)
            .then(|| worker.shared.circuit().ask(now))
            .flatten();
        let leased = match permit {
            Some(permit) => worker.lease(now, free, permit).await?,
            None => Vec::new(),
        };
        let idle = leased.is_empty();
        for (delivery, permit) in leased {
            not_before = later(now, worker.configured.pace.interval);
            let worker = Arc::clone(&worker);
            sending.spawn(async move { worker.attempt(delivery, permit).await });
        }
        if !idle && not_before <= now && worker.free(sending.len()) > 0 {
            continue;
        }
        let wake = worker.wake(free > 0, now, not_before).await?;
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep_until(&worker.shared, wake) => {}
            result = changed.changed() => if result.is_err() { break },
            Some(sent) = sending.join_next() => ended(sent)?,
        }
    }
    while let Some(sent) = sending.join_next().await {
        ended(sent)?;
    }
    Ok(())
}

fn ended(sent: Result<Result<(), StoreError>, tokio::task::JoinError>) -> Result<(), StoreError> {
    match sent {
        Ok(result) => result,
        Err(error) => {
            tracing::error!(%error, "a delivery ended without a record");
            Err(StoreError::Closed)
        }
    }
}

async fn sleep_until(shared: &Shared, wake: Option<Timestamp>) {
    match wake {
        Some(wake) => shared.clock.sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

/// What an attempt came to.
struct Said {
    fate: Fate,
    detail: String,
    remote: Option<String>,
    report: String,
}

struct Worker {
    configured: Configured,
    shared: Shared,
}

impl Worker {
    fn free(&self, under_way: usize) -> usize {
        let pace = self.configured.pace;
        // A pace has one send at a time start; without it, all free places fill at once.
        let free = pace.concurrency.saturating_sub(under_way);
        if pace.interval.is_zero() {
            free
        } else {
            free.min(1)
        }
    }

    async fn lease(
        &self,
        now: Timestamp,
        free: usize,
        permit: Permit,
    ) -> Result<Vec<(Leased, Permit)>, StoreError> {
        let free = if permit.probe { 1 } else { free };
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        let store = &self.shared.store;
        let leased = store.lease(&self.configured.name, now, limit).await?;
        if leased.is_empty() {
            self.shared.circuit().unused(permit);
        }
        Ok(leased.into_iter().map(|leased| (leased, permit)).collect())
    }

    /// When to look again, apart from changes of the outbox and ends of sends.
    async fn wake(
        &self,
        has_room: bool,
        now: Timestamp,
        not_before: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        // A probe that is under way wakes the worker by its end.
        let Some(asked) = self.shared.circuit().next().filter(|_| has_room) else {
            return Ok(None);
        };
        let due = self.shared.store.next_due(&self.configured.name).await?;
        Ok(due.map(|due| due.max(not_before).max(asked).max(now)))
    }

    async fn attempt(&self, leased: Leased, permit: Permit) -> Result<(), StoreError> {
        let started = self.shared.clock.now();
        // A panic costs this attempt, not the deliveries behind it.
        let said = AssertUnwindSafe(self.say(&leased, started)).catch_unwind();
        let said = said.await.unwrap_or_else(|_| Said {
            fate: Fate::Again(None),
            detail: "a defect in falco-herald: delivering it panicked".to_owned(),
            remote: None,
            report: String::new(),
        });
        let finished = self.shared.clock.now();
        let (turn, outcome) = self.judge(said.fate, &leased, permit, finished);
        let mut detail = said.detail;
        if turn == Turn::Alone {
            detail.push_str("; others were taken since, so it is this delivery alone");
        }
        self.log(&leased, outcome, &detail);
        self.count(&leased, outcome, finished);
        if detail.ends_with(TIMED_OUT) {
            self.shared.metrics.timed_out(&self.configured.name);
        }
        let name = &self.configured.name;
        let incident = leased.incident.uid;
        // What Herald says of itself must not make it say more.
        let tells = leased.incident.nature != Nature::SensorHealth;
        let reason = detail.clone();
        self.shared
            .store
            .finish(Attempt {
                delivery: leased.id,
                started,
                finished,
                outcome,
                detail,
                report: said.report,
                remote: said.remote,
            })
            .await?;
        if outcome == Outcome::Dead && tells {
            self.shared.given_up(name, incident, &reason).await;
        }
        let tells = tells && matches!(said.fate, Fate::Refused);
        self.shared.turned(name, turn, &reason, tells).await
    }

    /// Words the incident and sends it.
    async fn say(&self, leased: &Leased, now: Timestamp) -> Said {
        let stand_in;
        let (leased, alerts) = if let Some(alerts) = self.alerts(leased) {
            (leased, Some(alerts))
        } else {
            stand_in = without_event(leased, |event| self.shared.alert(event).is_some());
            (&stand_in, self.alerts(&stand_in))
        };
        let Some((latest, first)) = alerts else {
            return Said {
                fate: Fate::Unsaid,
                detail: "its incident cannot be read".to_owned(),
                remote: None,
                report: String::new(),
            };
        };
        let nearby = nearby(&self.shared, &leased.incident, &latest, &first).await;
        let notice = self.notice(leased, &latest, &first, &nearby, now);
        let (fate, detail, remote) = self.send(&notice).await;
        Said {
            fate,
            detail,
            remote,
            report: notice.report.markdown,
        }
    }

    fn count(&self, leased: &Leased, outcome: Outcome, finished: Timestamp) {
        let name = match outcome {
            Outcome::Sent => "sent",
            Outcome::Retry(_) => "retry",
            Outcome::Dead => "dead",
        };
        let latency = finished.duration_since(leased.incident.last_received);
        let latency =
            (outcome == Outcome::Sent).then(|| Duration::try_from(latency).unwrap_or_default());
        let destination = &self.configured.name;
        self.shared.metrics.attempt(destination, name, latency);
    }

    /// What follows for the destination and for the delivery.
    fn judge(
        &self,
        fate: Fate,
        leased: &Leased,
        permit: Permit,
        now: Timestamp,
    ) -> (Turn, Outcome) {
        let jitter = rand::random();
        let retry = self.configured.retry;
        let mut circuit = self.shared.circuit();
        let turn = circuit.ended(permit, leased.id.0, fate.answer(), now, (retry, jitter));
        let given_up = later(circuit.aged_from(leased.created), self.configured.max_age);
        let outcome = match fate {
            Fate::Sent => Outcome::Sent,
            Fate::Dead | Fate::Unsaid => Outcome::Dead,
            Fate::Refused if turn == Turn::Alone => Outcome::Dead,
            // The circuit says when, and a pause makes nothing older.
            Fate::Refused => Outcome::Retry(now),
            Fate::Again(_) if circuit.stop() == Some(Stop::Paused) => Outcome::Retry(now),
            Fate::Again(_) if now >= given_up => Outcome::Dead,
            Fate::Again(after) => {
                let attempt = leased.attempts.saturating_add(1);
                Outcome::Retry(later(now, retry.delay(attempt, jitter, after)))
            }
        };
        (turn, outcome)
    }

    /// The latest and the first alert of the incident; none when they are pruned or unreadable.
    fn alerts(&self, leased: &Leased) -> Option<(Alert, Alert)> {
        let latest = self.shared.alert(&leased.latest)?;
        let first = self.shared.alert(&leased.first);
        let first = first.unwrap_or_else(|| latest.clone());
        Some((latest, first))
    }

    fn notice(
        &self,
        leased: &Leased,
        latest: &Alert,
        first: &Alert,
        nearby: &Nearby,
        now: Timestamp,
    ) -> Notice {
        let masker = &self.shared.setup.masker;
        let incident = masker.incident(leased.incident.clone());
        let link = self.shared.setup.links.to(incident.uid, now);
        let subject = Subject {
            incident: &incident,
            latest,
            first,
            incident_url: link.as_deref(),
            nearby,
            now,
        };
        Notice {
            key: format!("{}-{}", leased.incident.uid, leased.id.0),
            kind: match leased.incident.state {
                State::Quiet | State::Closed if leased.known => NoticeKind::Close,
                _ if leased.known => NoticeKind::Update,
                _ => NoticeKind::Open,
            },
            report: self.render(&subject),
            link: link.clone(),
            incident: incident.clone(),
            event: masker.json(&leased.latest.body).into_owned(),
            remote: leased.remote.clone(),
            previous: leased.previous.clone(),
        }
    }

    /// A template that fails costs its layout, not the alert.
    fn render(&self, subject: &Subject<'_>) -> Report {
        let rendered = std::panic::catch_unwind(AssertUnwindSafe(|| {
            self.shared.setup.engine.render(subject)
        }));
        match rendered {
            Ok(Ok(report)) => report,
            Ok(Err(error)) => {
                tracing::error!(%error, "report template failed, sending a plain report");
                fallback(subject)
            }
            Err(_) => {
                tracing::error!("report rendering panicked, sending a plain report");
                fallback(subject)
            }
        }
    }

    fn log(&self, leased: &Leased, outcome: Outcome, detail: &str) {
        let destination = self.configured.name.as_str();
        let delivery = leased.id.0;
        let incident = leased.incident.uid;
        let attempt = leased.attempts + 1;
        match outcome {
            Outcome::Sent => tracing::info!(
                destination.name = destination, delivery.id = delivery, incident.id = %incident,
                delivery.attempt = attempt, detail, "delivered"
            ),
            Outcome::Retry(at) => tracing::warn!(
                destination.name = destination, delivery.id = delivery, incident.id = %incident,
                delivery.attempt = attempt, reason = detail, retry_at = %at, "delivery failed, will be retried"
            ),
            Outcome::Dead => tracing::error!(
                destination.name = destination, delivery.id = delivery, incident.id = %incident,
                delivery.attempt = attempt, reason = detail,
                "delivery given up; see `falco-herald deliveries list`"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
