//! The closed set of metric families. Labels come from closed sets: never a rule, host, pod or user.

mod connections;
mod stops;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub use connections::{Dropped, DroppedLabels};

/// Handles of all families. Cheap to clone; every clone counts into the same values.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// Requests with events, by what became of them.
    pub requests: Family<RequestLabels, Counter>,
    /// Events that were acknowledged.
    pub received: Counter,
    /// Events that were refused for want of room or speed, by reason.
    pub lost: Family<LossLabels, Counter>,
    /// Bytes of request bodies that were read.
    pub request_bytes: Counter,
    /// From the head of a request to the acknowledgement of its events, in seconds.
    pub ack_seconds: Histogram,
    /// Open connections of the event listener.
    pub connections: Gauge,
    /// Connections closed at once because there were too many.
    pub connections_refused: Counter,
    /// Connections without a request under way that had to make room.
    pub connections_evicted: Counter,
    /// Connections that ended before their peer wanted, by reason.
    pub connections_dropped: Family<DroppedLabels, Counter>,
    /// Events that the second step has taken over, by severity and category.
    pub classified: Family<AlertLabels, Counter>,
    /// Accepted events that could not be read later.
    pub undecodable: Counter,
    /// Events as posted that were deleted, by reason: `age` or `size`.
    pub expired: Family<LossLabels, Counter>,
    /// Events whose account was audited.
    pub audited: Counter,
    /// Discrepancies that audits found.
    pub audit_problems: Counter,
    /// Attempts to deliver, by destination and outcome.
    pub attempts: Family<AttemptLabels, Counter>,
    /// From the receipt of an incident's latest event to its delivery, in seconds.
    pub delivery_seconds: Family<DestinationLabels, Histogram>,
    /// 1 while a destination refuses us and is paused.
    pub paused: Family<DestinationLabels, Gauge>,
    /// 1 while a destination does not work and is only probed.
    pub outage: Family<DestinationLabels, Gauge>,
    /// How often a destination was stopped, by destination and reason.
    pub stops: Family<StopLabels, Counter>,
    /// Attempts that the destination did not answer in time.
    pub timeouts: Family<DestinationLabels, Counter>,
    /// Reloads of the configuration, by outcome.
    pub reloads: Family<ReloadLabels, Counter>,
    /// Events in the inbox that the second step has not taken over.
    pub backlog: Gauge,
    /// 1 while events can be stored.
    pub writable: Gauge<u64, AtomicU64>,
    /// Files of the store that were found damaged at the start.
    pub damages: Gauge,
    /// 3 while the store has room, 2 while it is short, 1 while the last is kept for critical alerts,
    /// 0 while the disk is full.
    pub room: Gauge<u64, AtomicU64>,
}

/// Labels of [`Metrics::requests`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// What became of the request.
    pub outcome: RequestOutcome,
}

/// What became of a request with events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestOutcome {
    /// On disk and acknowledged.
    Accepted,
    /// Not an event, not whole, or in an encoding or with a method that we do not take.
    Invalid,
    /// Over the size limit.
    TooLarge,
    /// The body came too slowly.
    TooSlow,
    /// Without the right credentials.
    Unauthorized,
    /// The store could not take it.
    Unavailable,
}

impl RequestOutcome {
    const ALL: [Self; 6] = [
        Self::Accepted,
        Self::Invalid,
        Self::TooLarge,
        Self::TooSlow,
        Self::Unauthorized,
        Self::Unavailable,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Unauthorized => "unauthorized",
            Self::Unavailable => "unavailable",
        }
    }
}

impl EncodeLabelValue for RequestOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.name(), encoder)
    }
}

/// Labels of [`Metrics::lost`] and [`Metrics::expired`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LossLabels {
    /// Why.
    pub reason: Word,
}

/// Labels of [`Metrics::classified`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AlertLabels {
    /// Falco's word for the severity, in lower case.
    pub severity: Word,
    /// The category's identifier.
    pub category: Word,
}

/// Labels of [`Metrics::attempts`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabels {
    /// The destination's name.
    pub destination: String,
    /// `sent`, `retry` or `dead`.
    pub outcome: Word,
}

/// Labels of [`Metrics::delivery_seconds`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DestinationLabels {
    /// The destination's name.
    pub destination: String,
}

/// Labels of [`Metrics::stops`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StopLabels {
    /// The destination's name.
    pub destination: String,
    /// `refused` or `outage`.
    pub reason: Word,
}

/// Labels of [`Metrics::reloads`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReloadLabels {
    /// `applied` or `refused`.
    pub outcome: Word,
}

/// A label value that is known when the program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Word(pub &'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.0, encoder)
    }
}

/// From 0.1 ms to 26 s, doubling every second step.
const ACK_BUCKETS: [f64; 10] = [
    0.000_1, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0, 2.0,
];

/// From one hundredth of a second to an hour.
const DELIVERY_BUCKETS: [f64; 9] = [0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0];

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            requests: Family::default(),
            received: Counter::default(),
            lost: Family::default(),
            request_bytes: Counter::default(),
            ack_seconds: Histogram::new(ACK_BUCKETS),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            connections_evicted: Counter::default(),
            connections_dropped: Family::default(),
            classified: Family::default(),
            undecodable: Counter::default(),
            expired: Family::default(),
            audited: Counter::default(),
            audit_problems: Counter::default(),
            attempts: Family::default(),
            delivery_seconds: Family::new_with_constructor(|| Histogram::new(DELIVERY_BUCKETS)),
            paused: Family::default(),
            outage: Family::default(),
            stops: Family::default(),
            timeouts: Family::default(),
            reloads: Family::default(),
            backlog: Gauge::default(),
            writable: Gauge::default(),
            damages: Gauge::default(),
            room: Gauge::default(),
        };
        // A rate over a series that does not exist yet misses its first increase.
        for outcome in RequestOutcome::ALL {
            drop(metrics.requests.get_or_create(&RequestLabels { outcome }));
        }
        for reason in Dropped::ALL {
            drop(metrics.connections_dropped.get_or_create(&reason.into()));
        }
        metrics.registry = Arc::new(metrics.register());
        metrics
    }
}

impl Metrics {
    fn register(&self) -> Registry {
        let mut all = Registry::with_prefix("falco_herald");
        let metrics = &mut all;
        metrics.register("requests", "Requests with events", self.requests.clone());
        metrics.register(
            "events_received",
            "Events acknowledged",
            self.received.clone(),
        );
        metrics.register(
            "events_lost",
            "Events refused for want of room or speed; with reason disk_slow some may be stored",
            self.lost.clone(),
        );
        metrics.register_with_unit(
            "request",
            "Request bodies read",
            Unit::Bytes,
            self.request_bytes.clone(),
        );
        metrics.register_with_unit(
            "ack",
            "From the head of a request to the acknowledgement",
            Unit::Seconds,
            self.ack_seconds.clone(),
        );
        self.register_connections(metrics);
        metrics.register("alerts", "Events classified", self.classified.clone());
        metrics.register(
            "events_undecodable",
            "Accepted events that could not be read later",
            self.undecodable.clone(),
        );
        metrics.register(
            "events_expired",
            "Events as posted that were deleted; what became of them stays in the account",
            self.expired.clone(),
        );
        metrics.register("events_audited", "Events audited", self.audited.clone());
        metrics.register(
            "audit_problems",
            "Discrepancies in the account of events",
            self.audit_problems.clone(),
        );
        metrics.register(
            "delivery_attempts",
            "Attempts to deliver",
            self.attempts.clone(),
        );
        metrics.register_with_unit(
            "delivery",
            "From receipt to delivery",
            Unit::Seconds,
            self.delivery_seconds.clone(),
        );
        self.register_stops(metrics);
        metrics.register(
            "config_reloads",
            "Reloads of the configuration",
            self.reloads.clone(),
        );
        metrics.register(
            "inbox_backlog",
            "Events not taken over yet",
            self.backlog.clone(),
        );
        metrics.register(
            "store_writable",
            "1 while events can be stored",
            self.writable.clone(),
        );
        metrics.register(
            "store_damages",
            "Files of the store found damaged at the start",
            self.damages.clone(),
        );
        metrics.register(
            "store_room",
            "3 enough, 2 short, 1 reserved for critical alerts, 0 the disk is full",
            self.room.clone(),
        );
        all
    }

    /// Counts a request.
    pub fn request(&self, outcome: RequestOutcome) {
        self.requests
            .get_or_create(&RequestLabels { outcome })
            .inc();
    }

    /// Counts events that were refused for want of room or speed.
    pub fn lost(&self, reason: &'static str, events: u64) {
        let labels = LossLabels {
            reason: Word(reason),
        };
        self.lost.get_or_create(&labels).inc_by(events);
    }

    /// Counts events as posted that were deleted.
    pub fn expired(&self, reason: &'static str, events: u64) {
        let labels = LossLabels {
            reason: Word(reason),
        };
        self.expired.get_or_create(&labels).inc_by(events);
    }

    /// How many requests had this outcome.
    pub fn requests(&self, outcome: RequestOutcome) -> u64 {
        let labels = RequestLabels { outcome };
        self.requests.get_or_create(&labels).get()
    }

    /// Counts an attempt to deliver; `latency` when it arrived.
    pub fn attempt(&self, destination: &str, outcome: &'static str, latency: Option<Duration>) {
        let labels = AttemptLabels {
            destination: destination.to_owned(),
            outcome: Word(outcome),
        };
        self.attempts.get_or_create(&labels).inc();
        if let Some(latency) = latency {
            let labels = DestinationLabels {
                destination: destination.to_owned(),
            };
            let seconds = self.delivery_seconds.get_or_create(&labels);
            seconds.observe(latency.as_secs_f64());
        }
    }

    /// Counts a reload of the configuration.
    pub fn reload(&self, outcome: &'static str) {
        let labels = ReloadLabels {
            outcome: Word(outcome),
        };
        self.reloads.get_or_create(&labels).inc();
    }

    /// All values in the OpenMetrics text format.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
