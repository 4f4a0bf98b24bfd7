//! What a batch leaves for the surroundings of later reports: sums, not events.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::classify::{Alert, Nature};
use crate::incident::workload;
use crate::store::{Activity, Fired};

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// How often each rule fired, by workload and minute.
pub(super) fn activity(alerts: &[Alert]) -> Vec<Activity> {
    let mut rows: BTreeMap<(String, i64, &str), Activity> = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| alert.nature != Nature::Test) {
        let Some(workload) = workload(&alert.event) else {
            continue;
        };
        let minute = since_1970(alert.received, MINUTE);
        let rule = alert.event.rule.raw();
        let row = rows
            .entry((workload.clone(), minute, rule))
            .or_insert_with(|| Activity {
                workload,
                minute,
                rule: alert.event.rule.clone(),
                received: alert.received,
                severity: alert.severity,
                count: 0,
            });
        row.count += 1;
        row.severity = row.severity.max(alert.severity);
    }
    rows.into_values().collect()
}

/// How often each rule fired, by image and day.
pub(super) fn fired(alerts: &[Alert]) -> Vec<Fired> {
    let mut rows: BTreeMap<(String, &str, i64), u64> = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| alert.nature != Nature::Test) {
        if let Some(image) = alert.event.output_fields.text("container.image.repository") {
            let day = since_1970(alert.received, DAY);
            let key = (image.into_owned(), alert.event.rule.raw(), day);
            *rows.entry(key).or_default() += 1;
        }
    }
    rows.into_iter()
        .map(|((image, rule, day), count)| Fired {
            image,
            rule: rule.to_owned(),
            day,
            count,
        })
        .collect()
}

fn since_1970(at: Timestamp, unit: i64) -> i64 {
    at.as_second().div_euclid(unit)
}
