//! What keeps a destination from being sent to.

use prometheus_client::registry::Registry;

use super::{DestinationLabels, Metrics, StopLabels, Word};

impl Metrics {
    pub(super) fn register_stops(&self, metrics: &mut Registry) {
        metrics.register(
            "destination_paused",
            "1 while the destination refuses us altogether",
            self.paused.clone(),
        );
        metrics.register(
            "destination_outage",
            "1 while the destination does not work",
            self.outage.clone(),
        );
        metrics.register(
            "destination_stops",
            "Pauses and outages",
            self.stops.clone(),
        );
        metrics.register(
            "delivery_timeouts",
            "Attempts not answered in time",
            self.timeouts.clone(),
        );
    }

    /// A destination is stopped; `reason` is `refused` or `outage`.
    pub fn stopped(&self, destination: &str, reason: &'static str) {
        self.show_stop(destination, Some(reason));
        self.stops
            .get_or_create(&StopLabels {
                destination: destination.to_owned(),
                reason: Word(reason),
            })
            .inc();
    }

    /// A destination is sent to as usual. Also makes its series, at 0.
    pub fn resumed(&self, destination: &str) {
        self.show_stop(destination, None);
        for reason in ["refused", "outage"] {
            let destination = destination.to_owned();
            let reason = Word(reason);
            drop(self.stops.get_or_create(&StopLabels {
                destination,
                reason,
            }));
        }
        let destination = destination.to_owned();
        drop(
            self.timeouts
                .get_or_create(&DestinationLabels { destination }),
        );
    }

    fn show_stop(&self, destination: &str, stop: Option<&'static str>) {
        let destination = destination.to_owned();
        let labels = DestinationLabels { destination };
        for (gauge, reason) in [(&self.paused, "refused"), (&self.outage, "outage")] {
            let shown = gauge.get_or_create(&labels);
            shown.set(i64::from(stop == Some(reason)));
        }
    }

    /// The destination is not configured any more.
    pub fn forget_stop(&self, destination: &str) {
        let destination = destination.to_owned();
        let labels = DestinationLabels { destination };
        self.paused.remove(&labels);
        self.outage.remove(&labels);
    }

    /// Counts an attempt that was not answered in time.
    pub fn timed_out(&self, destination: &str) {
        let destination = destination.to_owned();
        let labels = DestinationLabels { destination };
        self.timeouts.get_or_create(&labels).inc();
    }
}
