//! Keeps peers from filling the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets one message through per interval, so that a peer cannot fill the log.
#[derive(Debug)]
pub(super) struct Throttle {
    interval: Duration,
    last: Mutex<Option<Instant>>,
}

impl Throttle {
    pub(super) const fn new(interval: Duration) -> Self {
        Self {
            interval,
            last: Mutex::new(None),
        }
    }

    /// Whether a message may be written now.
    pub(super) fn allows(&self) -> bool {
        self.allows_at(Instant::now())
    }

    fn allows_at(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.saturating_duration_since(last) < self.interval) {
            return false;
        }
        *last = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_passes_per_interval() {
        let throttle = Throttle::new(Duration::from_secs(10));
        let start = Instant::now();
        let passed: Vec<_> = [0, 1, 9, 10, 11, 20]
            .into_iter()
            .filter(|second| throttle.allows_at(start + Duration::from_secs(*second)))
            .collect();
        assert_eq!(passed, [0, 10, 20]);
    }
}
