//! What Herald says of its own deliveries: events like any other, on the route for health.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::Shared;
use super::circuit::{Stop, Turn};
use crate::event::herald_event;
use crate::store::StoreError;

/// The most of a reason that is repeated.
const REASON: usize = 300;

impl Shared {
    /// Makes known that a destination was stopped or is sent to again. `tells`: whether an event may
    /// say so; not when the destination was only asked to say what Herald says of itself.
    pub(super) async fn turned(
        &self,
        name: &str,
        turn: Turn,
        reason: &str,
        tells: bool,
    ) -> Result<(), StoreError> {
        match turn {
            Turn::None | Turn::Alone => {}
            Turn::Stopped(why) => {
                self.metrics.stopped(name, why.name());
                match why {
                    Stop::Paused => tracing::error!(
                        destination.name = name,
                        reason,
                        "the destination refuses everything and is paused; deliveries wait. Mend its \
                         settings or its other side; it is asked again now and then, and at a reload"
                    ),
                    Stop::Outage => tracing::warn!(
                        destination.name = name,
                        reason,
                        "the destination does not work; one delivery at a time is tried"
                    ),
                }
            }
            Turn::Resumed { why, since, told } => {
                self.metrics.resumed(name);
                let waiting = self.waiting(name).await?;
                let seconds = self.clock.now().duration_since(since).as_secs();
                tracing::info!(
                    destination.name = name,
                    stopped_by = why.name(),
                    seconds,
                    waiting,
                    "the destination is sent to again"
                );
                if told {
                    let now = self.clock.now();
                    self.say(&resumed(name, since, waiting, now), now).await;
                }
            }
        }
        if tells && self.circuit().tell() {
            let now = self.clock.now();
            if !self.say(&paused(name, reason, now), now).await {
                self.circuit().untold();
            }
        }
        Ok(())
    }

    /// Makes known that a delivery is a dead letter.
    pub(super) async fn given_up(&self, name: &str, incident: Uuid, reason: &str) {
        let now = self.clock.now();
        self.say(&given_up(name, incident, reason, now), now).await;
    }

    async fn waiting(&self, name: &str) -> Result<u64, StoreError> {
        let pending = self.store.pending().await?.into_iter();
        let mut of_name = pending.filter(|(destination, _)| destination == name);
        Ok(of_name.next().map_or(0, |(_, deliveries)| deliveries))
    }

    async fn say(&self, event: &[u8], now: Timestamp) -> bool {
        let appended = self.store.append(now, vec![event.to_vec()]).await;
        if let Err(error) = &appended {
            tracing::error!(%error, "cannot tell of a delivery by an event");
        }
        appended.is_ok()
    }
}

/// The rule holds the destination: incidents of Herald are grouped by rule, and each destination has
/// its own.
fn paused(name: &str, reason: &str, now: Timestamp) -> Vec<u8> {
    let reason = plain(reason);
    let output = format!(
        "Destination {name} refuses everything ({reason}). Deliveries wait for it: mend its settings \
         or its other side. It is asked again at least every 5 minutes, and at each reload"
    );
    let fields = json!({
        "herald.state": "paused", "herald.destination": name, "herald.reason": reason,
    });
    let rule = format!("destination paused: {name}");
    herald_event(&rule, "Critical", "", &output, &fields, now)
}

fn resumed(name: &str, since: Timestamp, waiting: u64, now: Timestamp) -> Vec<u8> {
    let lasted = SignedDuration::from_secs(now.duration_since(since).as_secs());
    let output =
        format!("Destination {name} takes messages again after {lasted:#}; {waiting} more waited");
    let fields = json!({
        "herald.state": "resumed", "herald.destination": name, "herald.waiting": waiting,
    });
    let rule = format!("destination paused: {name}");
    herald_event(&rule, "Warning", "", &output, &fields, now)
}

fn given_up(name: &str, incident: Uuid, reason: &str, now: Timestamp) -> Vec<u8> {
    let reason = plain(reason);
    let output = format!(
        "A delivery to {name} was given up ({reason}): incident {incident}. \
         See `falco-herald deliveries list`"
    );
    let fields = json!({
        "herald.destination": name, "herald.reason": reason, "herald.incident": incident.to_string(),
    });
    let rule = format!("delivery given up: {name}");
    herald_event(&rule, "Error", "", &output, &fields, now)
}

/// Reasons come from answers: no more than printable ASCII, and not too much of it.
fn plain(reason: &str) -> String {
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    reason.chars().take(REASON).map(printable).collect()
}

impl Stop {
    /// The word in metrics and logs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Paused => "refused",
            Self::Outage => "outage",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_ascii_and_short() {
        let evil = "\u{202e}evil\n".repeat(1000);
        let event = given_up("soc", Uuid::nil(), &evil, Timestamp::UNIX_EPOCH);
        assert!(event.iter().all(|byte| matches!(byte, b' '..=b'~')));
        assert!(event.len() < 1500, "{}", event.len());
    }
}
