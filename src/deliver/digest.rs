//! Digests: a destination that takes them is told at set times what happened since the last one,
//! instead of each incident by itself.
//!
//! What is routed there waits in the outbox until the digest that tells of it is out. A digest that
//! cannot be sent is tried again; one that was missed is made up for, and covers what came since.

mod schedule;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Configured, Receipt, SendError, Shared, Verdict};
use crate::classify::Alert;
use crate::clock::later;
use crate::event;
use crate::report::{Handover, RenderError, Report};
use crate::store::{Shift, StoreError, Told};

pub use schedule::{InvalidSchedule, Schedule};

/// How long sending one may take.
const SEND_LIMIT: Duration = Duration::from_mins(5);

/// A destination that can send digests.
pub trait Digests: Send + Sync {
    /// Sends one. `key` stays the same while it is tried again.
    fn send<'a>(
        &'a self,
        report: &'a Report,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Receipt, SendError>>;
}

/// Runs until `stop`.
pub(super) async fn run(
    configured: Configured,
    shared: Shared,
    stop: CancellationToken,
) -> Result<(), StoreError> {
    let Some((digests, schedule)) = configured.destination.digests() else {
        return Ok(());
    };
    let name = &configured.name;
    let mut failures: u32 = 0;
    let mut not_before = Timestamp::MIN;
    loop {
        let told = shared.store.told(name, shared.clock.now()).await?;
        let Some(due) = schedule.next(told.until) else {
            return Ok(());
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = shared.clock.sleep_until(due.max(not_before)) => {}
        }
        let now = shared.clock.now();
        let error = match tell(&shared, name, (digests, schedule), told, now).await? {
            Ok(receipt) => {
                tracing::info!(
                    destination.name = name,
                    detail = receipt.detail,
                    "digest sent"
                );
                shared.metrics.attempt(name, "sent", None);
                failures = 0;
                continue;
            }
            Err(error) => error,
        };
        failures = failures.saturating_add(1);
        shared.metrics.attempt(name, "retry", None);
        not_before = match error.verdict {
            Verdict::Retry { after } => {
                let delay = configured.retry.delay(failures, rand::random(), after);
                later(shared.clock.now(), delay)
            }
            // What does not help now may help at the next time, with what somebody has changed.
            Verdict::Unacceptable | Verdict::Fail => schedule.next(now).unwrap_or(Timestamp::MAX),
        };
        tracing::error!(
            destination.name = name, reason = error.reason, retry_at = %not_before,
            "a digest was not sent, it will be tried again"
        );
    }
}

/// Writes what happened until now, sends it, and records that it was told.
async fn tell(
    shared: &Shared,
    name: &str,
    (digests, schedule): (&dyn Digests, &Schedule),
    told: Told,
    now: Timestamp,
) -> Result<Result<Receipt, SendError>, StoreError> {
    let shift = shared.store.shift(name, told).await?;
    let report = match report(shared, schedule, &shift, now).await? {
        Ok(report) => report,
        Err(error) => {
            let reason = format!("the digest cannot be written: {error}");
            return Ok(Err(SendError::fail(reason)));
        }
    };
    let key = format!("digest-{name}-{}", told.until.as_second());
    let sent = tokio::time::timeout(SEND_LIMIT, digests.send(&report, &key)).await;
    let sent =
        sent.unwrap_or_else(|_| Err(SendError::retry("the destination did not answer", None)));
    if sent.is_ok() {
        let told = Told {
            until: now,
            event: shift.audit.last.max(told.event),
        };
        shared.store.tell(name, told, report.markdown).await?;
    }
    Ok(sent)
}

async fn report(
    shared: &Shared,
    schedule: &Schedule,
    shift: &Shift,
    now: Timestamp,
) -> Result<Result<Report, RenderError>, StoreError> {
    let setup = &shared.setup;
    let sensors = shared.store.sensors().await?;
    let mut masked = shift.clone();
    for incident in &mut masked.unhandled {
        *incident = setup.masker.incident(incident.clone());
    }
    let handover = Handover {
        shift: &masked,
        examples: shift
            .noisiest
            .iter()
            .map(|noise| example(shared, noise))
            .collect(),
        silent: sensors.into_iter().filter(|sensor| sensor.silent).collect(),
        links: shift
            .unhandled
            .iter()
            .map(|incident| setup.links.to(incident.uid, now))
            .collect(),
        zone: schedule.zone(),
        now,
    };
    Ok(setup.engine.digest(&handover))
}

fn example(shared: &Shared, noise: &crate::store::Noise) -> Option<Alert> {
    let (_, stored) = noise.example.as_ref()?;
    let event = event::decode(&stored.body).ok()?;
    let setup: &Arc<super::Setup> = &shared.setup;
    let mut alert = setup.classifier.classify(stored.id, stored.received, event);
    alert.event = setup.masker.event(alert.event);
    Some(alert)
}

#[cfg(test)]
mod tests;
