//! Sending, also in plainer words, and what it comes to.

use std::time::Duration;

use super::Worker;
use super::plain::{plainly, without_text};
use crate::deliver::circuit::Answer;
use crate::deliver::{Notice, Receipt, SendError, Verdict, in_time};

/// What came of a delivery.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    Sent,
    Again(Option<Duration>),
    Refused,
    Dead,
    /// Dead without being sent.
    Unsaid,
}

impl Fate {
    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Retry { after } => Self::Again(after),
            Verdict::Pause { .. } | Verdict::Forbidden => Self::Refused,
            Verdict::Fail | Verdict::Unacceptable => Self::Dead,
        }
    }

    pub(super) fn answer(self) -> Answer {
        match self {
            Self::Sent => Answer::Taken,
            Self::Again(after) => Answer::Failed(after),
            Self::Refused => Answer::Refused,
            Self::Dead => Answer::Declined,
            Self::Unsaid => Answer::Unasked,
        }
    }
}

impl Worker {
    /// Sends; what the destination does not take is said more plainly, once.
    pub(super) async fn send(&self, notice: &Notice) -> (Fate, String, Option<String>) {
        let error = match self.try_send(notice).await {
            Ok(receipt) => return (Fate::Sent, receipt.detail, receipt.remote),
            Err(error) => error,
        };
        match error.verdict {
            Verdict::Unacceptable => {}
            Verdict::Forbidden => return self.doubted(notice, error).await,
            verdict => return (Fate::of(verdict), error.reason, error.remote),
        }
        let plain = plainly(notice, error.remote, &error.reason);
        match self.try_send(&plain).await {
            Ok(receipt) => {
                let detail = format!("said plainly, because {}; {}", error.reason, receipt.detail);
                (Fate::Sent, detail, receipt.remote)
            }
            Err(again) if again.verdict == Verdict::Unacceptable => {
                let told = self.try_send(&without_text(notice, again.remote)).await;
                let (told, remote) = match told {
                    Ok(receipt) => ("taken", receipt.remote),
                    Err(error) => ("refused too", error.remote),
                };
                let reason = again.reason;
                let detail = format!(
                    "{reason}, also to a plain message; a notice without text of the event was {told}"
                );
                (Fate::Dead, detail, remote)
            }
            Err(again) => (Fate::of(again.verdict), again.reason, again.remote),
        }
    }

    /// A filter between may refuse what an event says; then the destination takes a notice without
    /// that. It must not be paused by whoever can write such an event.
    async fn doubted(&self, notice: &Notice, error: SendError) -> (Fate, String, Option<String>) {
        let bare = without_text(notice, error.remote.clone());
        match self.try_send(&bare).await {
            Ok(receipt) => {
                let taken = "but took a notice without text of the event";
                let detail = format!("{}, {taken}", error.reason);
                (Fate::Dead, detail, receipt.remote)
            }
            Err(again) => (Fate::Refused, error.reason, again.remote.or(error.remote)),
        }
    }

    async fn try_send(&self, notice: &Notice) -> Result<Receipt, SendError> {
        in_time(self.configured.destination.send(notice)).await
    }
}
