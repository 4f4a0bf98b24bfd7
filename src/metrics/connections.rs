//! Connections to the events' listener.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::registry::Registry;

use super::{Metrics, Word};

/// Why a connection ended before its peer wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The TLS handshake failed or took too long.
    Handshake,
    /// No whole request came in time.
    Silent,
    /// Its request did not end in time when the service stopped.
    Drain,
}

impl Dropped {
    pub(super) const ALL: [Self; 3] = [Self::Handshake, Self::Silent, Self::Drain];

    fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Silent => "silent",
            Self::Drain => "drain",
        }
    }
}

/// Labels of [`Metrics::connections_dropped`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DroppedLabels {
    /// `handshake`, `silent` or `drain`.
    pub reason: Word,
}

impl From<Dropped> for DroppedLabels {
    fn from(reason: Dropped) -> Self {
        let reason = Word(reason.name());
        Self { reason }
    }
}

impl Metrics {
    pub(super) fn register_connections(&self, metrics: &mut Registry) {
        metrics.register("connections", "Open connections", self.connections.clone());
        metrics.register(
            "connections_refused",
            "Connections beyond the limit",
            self.connections_refused.clone(),
        );
        metrics.register(
            "connections_evicted",
            "Connections without a request that had to make room",
            self.connections_evicted.clone(),
        );
        metrics.register(
            "connections_dropped",
            "Connections ended before the peer wanted",
            self.connections_dropped.clone(),
        );
    }

    /// Counts a connection that ended before its peer wanted.
    pub fn dropped(&self, reason: Dropped) {
        self.connections_dropped.get_or_create(&reason.into()).inc();
    }
}
