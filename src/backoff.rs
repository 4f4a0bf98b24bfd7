//! The delay before the next attempt: exponential, jittered, never earlier than the peer asked.

use std::time::Duration;

/// A validated retry schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    initial: Duration,
    cap: Duration,
}

/// Bounds of a peer's `Retry-After`: below, it is not worth a timer; above, it would be an outage.
pub const RETRY_AFTER_CLAMP: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_hours(1));

/// Why a schedule was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the first delay must be above zero and not above the longest ({initial:?}, {cap:?})")]
pub struct InvalidBackoff {
    initial: Duration,
    cap: Duration,
}

impl Default for Backoff {
    /// 2 s, 4 s, 8 s ... 10 min.
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(2),
            cap: Duration::from_mins(10),
        }
    }
}

impl Backoff {
    /// A schedule that starts at `initial`, doubles, and stays at `cap`.
    pub fn try_new(initial: Duration, cap: Duration) -> Result<Self, InvalidBackoff> {
        if initial.is_zero() || initial > cap {
            return Err(InvalidBackoff { initial, cap });
        }
        Ok(Self { initial, cap })
    }

    /// The delay after the `attempt`-th failed attempt (counted from 1).
    ///
    /// `jitter` in 0..1 spreads the delay over its upper half, so that many deliveries which failed
    /// together do not come back together. A server's `hint` is honoured within
    /// [`RETRY_AFTER_CLAMP`] and never shortened by jitter.
    pub fn delay(&self, attempt: u32, jitter: f64, hint: Option<Duration>) -> Duration {
        let doublings = attempt.saturating_sub(1).min(30);
        let full = self.initial.saturating_mul(1 << doublings).min(self.cap);
        let jittered = full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        match hint {
            Some(hint) => jittered.max(hint.clamp(RETRY_AFTER_CLAMP.0, RETRY_AFTER_CLAMP.1)),
            None => jittered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn delays_double_up_to_the_cap() {
        let backoff = Backoff::try_new(Duration::from_secs(1), Duration::from_secs(10)).unwrap();
        let delays: Vec<_> = (1..=6)
            .map(|attempt| backoff.delay(attempt, 1.0, None).as_secs())
            .collect();
        assert_eq!(delays, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn a_schedule_without_delay_is_refused() {
        assert!(Backoff::try_new(Duration::ZERO, Duration::from_secs(1)).is_err());
        assert!(Backoff::try_new(Duration::from_secs(2), Duration::from_secs(1)).is_err());
    }

    #[test]
    fn a_server_hint_is_clamped_to_an_hour() {
        let backoff = Backoff::default();
        assert_eq!(
            backoff.delay(1, 0.0, Some(Duration::from_secs(1_000_000_000))),
            Duration::from_hours(1)
        );
    }

    proptest! {
        #[test]
        fn a_delay_lies_between_half_and_all_of_the_step(attempt: u32, jitter in 0.0..1.0) {
            let backoff = Backoff::default();
            let full = backoff.delay(attempt, 1.0, None);
            let delay = backoff.delay(attempt, jitter, None);
            prop_assert!(delay >= full / 2 && delay <= full && full <= Duration::from_mins(10));
        }
    }
}
