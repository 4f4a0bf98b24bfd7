//! Digests: a destination that takes them is told at set times what happened since the last one,
//! instead of each incident by itself.
//!
//! What is routed there waits in the outbox until the digest that tells of it is out. A digest that
//! cannot be sent is tried again; one that was missed is made up for, and covers what came since.

mod schedule;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::circuit::{Answer, Permit, Turn};
use super::{Configured, Receipt, SendError, Shared, Verdict, in_time};
use crate::clock::later;
use crate::event::EventId;
use crate::mask::Masker;
use crate::report::{Handover, Report};
use crate::store::{Noise, Shift, StoreError, Told};

pub use schedule::{InvalidSchedule, Schedule};

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
        let permit = shared.circuit().ask(now);
        let Some(permit) = permit else {
            not_before = shared.circuit().next().unwrap_or(later(now, BUSY));
            continue;
        };
        let error = match tell(&shared, name, (digests, schedule), told, now).await? {
            Ok(receipt) => {
                tracing::info!(
                    destination.name = name,
                    detail = receipt.detail,
                    "digest sent"
                );
                shared.metrics.attempt(name, "sent", None);
                failures = 0;
                let turn = ended(&configured, &shared, permit, Answer::Taken);
                shared.turned(name, turn, "", false).await?;
                continue;
            }
            Err(error) => error,
        };
        failures = failures.saturating_add(1);
        let refused = matches!(error.verdict, Verdict::Pause { .. } | Verdict::Forbidden);
        let (outcome, again) = match error.verdict {
            Verdict::Retry { after } => {
                let delay = configured.retry.delay(failures, rand::random(), after);
                ("retry", later(shared.clock.now(), delay))
            }
            // Asked again as it is decided below.
            Verdict::Pause { .. } | Verdict::Forbidden => ("retry", Timestamp::MIN),
            // What does not help now may help at the next time, with what somebody has changed.
            Verdict::Unacceptable | Verdict::Fail => {
                ("dead", schedule.next(now).unwrap_or(Timestamp::MAX))
            }
        };
        shared.metrics.attempt(name, outcome, None);
        let answer = match error.verdict {
            Verdict::Pause { .. } | Verdict::Forbidden => Answer::Refused,
            Verdict::Retry { after } => Answer::Failed(after),
            Verdict::Unacceptable | Verdict::Fail => Answer::Declined,
        };
        let turn = ended(&configured, &shared, permit, answer);
        not_before = again.max(shared.circuit().next().unwrap_or(again));
        shared.turned(name, turn, &error.reason, refused).await?;
        tracing::error!(
            destination.name = name, reason = error.reason, retry_at = %not_before,
            "a digest was not sent, it will be tried again"
        );
    }
}

/// How long to wait for a digest of the round before.
const BUSY: Duration = Duration::from_secs(1);

/// A digest is one delivery, always the same.
fn ended(configured: &Configured, shared: &Shared, permit: Permit, answer: Answer) -> Turn {
    let schedule = (configured.retry, rand::random());
    let now = shared.clock.now();
    shared.circuit().ended(permit, 0, answer, now, schedule)
}

/// Writes what happened until now, sends it, and records that it was told.
async fn tell(
    shared: &Shared,
    name: &str,
    (digests, schedule): (&dyn Digests, &Schedule),
    told: Told,
    now: Timestamp,
) -> Result<Result<Receipt, SendError>, StoreError> {
    // A row that cannot be read, or an event that makes a defect show, costs this digest and not the
    // process.
    let written = AssertUnwindSafe(write(shared, name, schedule, told, now)).catch_unwind();
    let written = written.await.unwrap_or_else(|_| {
        let defect = "a defect in falco-herald: writing the digest panicked";
        Err(SendError::fail(defect))
    });
    let (report, last) = match written {
        Ok(written) => written,
        Err(error) => return Ok(Err(error)),
    };
    let key = format!("digest-{name}-{}", told.until.as_second());
    let sent = in_time(digests.send(&report, &key)).await;
    if sent.is_ok() {
        let told = Told {
            until: now,
            event: last.max(told.event),
        };
        shared.store.tell(name, told, report.markdown).await?;
    }
    Ok(sent)
}

/// The digest, and the last event that it counts.
async fn write(
    shared: &Shared,
    name: &str,
    schedule: &Schedule,
    told: Told,
    now: Timestamp,
) -> Result<(Report, EventId), SendError> {
    let setup = &shared.setup;
    let unread = |error: StoreError| SendError::fail(format!("the digest cannot be read: {error}"));
    let shift = shared.store.shift(name, told).await.map_err(unread)?;
    let sensors = shared.store.sensors().await.map_err(unread)?;
    let masked = masked(shift, &setup.masker);
    let example = |noise: &Noise| shared.alert(&noise.example.as_ref()?.1);
    let handover = Handover {
        examples: masked.noisiest.iter().map(example).collect(),
        links: masked
            .unhandled
            .iter()
            .map(|incident| setup.links.to(incident.uid, now))
            .collect(),
        silent: sensors.into_iter().filter(|sensor| sensor.silent).collect(),
        zone: schedule.zone(),
        now,
        shift: &masked,
    };
    let report = setup.engine.digest(&handover);
    let report = report
        .map_err(|error| SendError::fail(format!("the digest cannot be written: {error}")))?;
    Ok((report, masked.audit.last))
}

fn masked(mut shift: Shift, masker: &Masker) -> Shift {
    let incidents = shift.unhandled.into_iter();
    shift.unhandled = incidents
        .map(|incident| masker.incident(incident))
        .collect();
    for noise in &mut shift.noisiest {
        noise.rule = masker.untrusted(noise.rule.clone());
        let example = noise.example.take();
        noise.example = example.map(|(incident, event)| (masker.incident(incident), event));
    }
    shift
}

#[cfg(test)]
mod tests;
