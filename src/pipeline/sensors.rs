//! Sensors that fall silent, and what they say of themselves.
//!
//! What Herald itself has to say goes into the inbox like any event: it is stored, routed, counted
//! and delivered in the same way.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Pipeline;
use crate::classify::{Alert, Nature};
use crate::clock::later;
use crate::event::{EventId, Value, herald_event, is_of_herald};
use crate::store::{Beat, Sensor, SensorSeen, Store, StoreError};
use crate::units::Span;

/// What Falco sends at even intervals when `metrics.output_rule` is on.
const SNAPSHOT: &str = "Falco internal: metrics snapshot";

/// How many intervals a sensor may be late.
const MISSED: u32 = 3;

/// A sensor is not silent before that, however short its intervals.
const AT_LEAST: Duration = Duration::from_mins(5);

/// How often silent sensors are looked for.
const LOOK: Duration = Duration::from_mins(1);

/// The `sensors` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SensorsConfig {
    /// After how long without any event a host counts as silent. By default only hosts that send
    /// Falco's metrics snapshots are watched (`metrics: { enabled: true, interval: 15m, output_rule:
    /// true }` in falco.yaml): three missed ones are silence. Without them a quiet host and a dead
    /// sensor look alike.
    pub silent_after: Option<Span>,
}

/// What a batch says of sensors.
pub(super) fn seen(alerts: &[Alert]) -> Vec<SensorSeen> {
    let mut sensors: BTreeMap<&str, SensorSeen> = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| is_of_sensor(alert)) {
        let hostname = alert.event.hostname.raw();
        let sensor = sensors.entry(hostname).or_insert_with(|| SensorSeen {
            hostname: hostname.to_owned(),
            last: alert.received,
            beat: None,
        });
        sensor.last = sensor.last.max(alert.received);
        if let Some(lost) = snapshot(alert) {
            let at = alert.received;
            sensor.beat = Some(Beat { at, lost });
        }
    }
    sensors.into_values().collect()
}

fn is_of_sensor(alert: &Alert) -> bool {
    let hostname = &alert.event.hostname;
    let named = !hostname.is_missing() && !hostname.raw().is_empty();
    named && alert.nature != Nature::Test && !is_of_herald(&alert.event)
}

/// What a metrics snapshot says was lost since Falco started.
fn snapshot(alert: &Alert) -> Option<u64> {
    let number = |field| {
        let value = alert.event.output_fields.get(field).and_then(Value::as_i64);
        value
            .and_then(|value| u64::try_from(value).ok())
            .unwrap_or(0)
    };
    let lost = || number("scap.n_drops").saturating_add(number("falco.outputs_queue_num_drops"));
    (alert.event.rule.raw() == SNAPSHOT).then(lost)
}

/// The metrics snapshots of a batch that report no loss since the one before: signs of life, of which
/// nobody is told.
pub(super) async fn heartbeats(
    store: &Store,
    alerts: &[Alert],
) -> Result<Vec<EventId>, StoreError> {
    let snapshots: Vec<_> = alerts
        .iter()
        .filter_map(|alert| Some((alert, snapshot(alert)?)))
        .collect();
    if snapshots.is_empty() {
        return Ok(Vec::new());
    }
    let host = |alert: &Alert| alert.event.hostname.raw().to_owned();
    let hosts = snapshots.iter().map(|(alert, _)| host(alert)).collect();
    let mut known = store.lost(hosts).await?;
    let mut beats = Vec::new();
    for (alert, lost) in snapshots {
        // After a restart Falco counts from zero: what is not zero then is a loss.
        let before = known.insert(host(alert), lost);
        if lost == 0 || before == Some(lost) {
            beats.push(alert.id);
        }
    }
    Ok(beats)
}

/// How long a sensor may send nothing. `None`: it sends nothing at even intervals, so that its silence
/// means nothing.
fn patience(sensor: &Sensor, silent_after: Option<Duration>) -> Option<Duration> {
    let by_beat = sensor
        .every
        .map(|every| every.saturating_mul(MISSED).max(AT_LEAST));
    by_beat.into_iter().chain(silent_after).min()
}

/// Which sensors to tell of, with whether they are silent, and when to look again. The service itself
/// has listened only since `listening`.
fn due(
    sensors: Vec<Sensor>,
    silent_after: Option<Duration>,
    listening: Timestamp,
    now: Timestamp,
) -> (Vec<(Sensor, bool)>, Timestamp) {
    let mut next = Timestamp::MAX;
    let mut due = Vec::new();
    for sensor in sensors {
        let Some(patience) = patience(&sensor, silent_after) else {
            continue;
        };
        let until = later(sensor.last.max(listening), patience);
        let silent = if sensor.silent {
            later(sensor.last, patience) <= now
        } else {
            until <= now
        };
        if silent != sensor.silent {
            due.push((sensor, silent));
        } else if silent {
            // Nothing wakes the timers when it sends again.
            next = next.min(later(now, LOOK));
        } else {
            next = next.min(until);
        }
    }
    (due, next)
}

impl Pipeline {
    /// Tells of sensors that fell silent or send again; when to look again.
    pub(super) async fn watch_sensors(
        &self,
        silent_after: Option<Duration>,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let sensors = self.store.sensors().await?;
        let (due, next) = due(sensors, silent_after, self.listening, now);
        if due.is_empty() {
            return Ok(next);
        }
        let events: Vec<_> = due
            .iter()
            .map(|(sensor, silent)| sensor_event(sensor, *silent, now))
            .collect();
        if let Err(error) = self.store.append(now, events).await {
            tracing::error!(%error, "cannot tell of silent sensors");
            return Ok(later(now, LOOK));
        }
        let marks = due
            .into_iter()
            .map(|(sensor, silent)| (sensor.hostname, silent));
        self.store.mark_sensors(marks.collect()).await?;
        Ok(later(now, LOOK))
    }
}

fn sensor_event(sensor: &Sensor, silent: bool, now: Timestamp) -> Vec<u8> {
    let last = sensor.last;
    let output = if silent {
        format!("Falco on this host has sent nothing since {last:.0}")
    } else {
        format!("Falco on this host sends again, as of {last:.0}")
    };
    let state = if silent { "silent" } else { "sends again" };
    let fields = serde_json::json!({
        "herald.state": state,
        "herald.last_event": last.to_string(),
    });
    herald_event(
        "sensor silent",
        "Warning",
        &sensor.hostname,
        &output,
        &fields,
        now,
    )
}
