//! Times and durations as people read them.

use jiff::Timestamp;

/// `2026-04-05 12:43:02 UTC`.
pub(in crate::report) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `12:43:02`, for a second mention on the same day.
pub(in crate::report) fn clock(time: Timestamp) -> String {
    time.strftime("%H:%M:%S").to_string()
}

/// Nanoseconds since the epoch, when they name a moment between 2000 and a day after `reference`;
/// `None` for anything else, since Falco passes on what file systems claim.
pub(in crate::report) fn from_epoch(nanoseconds: i64, reference: Timestamp) -> Option<Timestamp> {
    let time = Timestamp::from_nanosecond(i128::from(nanoseconds)).ok()?;
    let earliest = Timestamp::constant(946_684_800, 0);
    let latest = reference
        .checked_add(jiff::SignedDuration::from_hours(24))
        .ok()?;
    (earliest..=latest).contains(&time).then_some(time)
}

/// Nanoseconds from `from` to `to`.
pub(in crate::report) fn between(from: Timestamp, to: Timestamp) -> i128 {
    to.as_nanosecond() - from.as_nanosecond()
}

/// A length of time in its two largest useful units; below a minute with one decimal at most.
pub(in crate::report) fn duration(nanoseconds: i128) -> String {
    let nanoseconds = nanoseconds.unsigned_abs();
    let tenths = |unit: u128| {
        let tenths = (nanoseconds * 10 + unit / 2) / unit;
        match tenths % 10 {
            _ if tenths >= 100 => (tenths / 10).to_string(),
            0 => (tenths / 10).to_string(),
            rest => format!("{}.{rest}", tenths / 10),
        }
    };
    let seconds = nanoseconds / 1_000_000_000;
    let pair = |big: u128, big_unit: &str, small: u128, small_unit: &str| match small {
        0 => format!("{big} {big_unit}"),
        _ => format!("{big} {big_unit} {small} {small_unit}"),
    };
    match seconds {
        0 if nanoseconds < 1_000_000 => format!("{} µs", tenths(1_000)),
        0 => format!("{} ms", tenths(1_000_000)),
        1..60 => format!("{} s", tenths(1_000_000_000)),
        60..3_600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        for (nanoseconds, text) in [
            (2_700_000, "2.7 ms"),
            (35_458_944, "35 ms"),
            (900, "0.9 µs"),
            (23_000_000_000, "23 s"),
            (1_500_000_000, "1.5 s"),
            (90_000_000_000, "1 min 30 s"),
            (7_200_000_000_000, "2 h"),
            (90_000_000_000_000, "1 d 1 h"),
            (-23_000_000_000, "23 s"),
        ] {
            assert_eq!(duration(nanoseconds), text);
        }
    }

    #[test]
    fn implausible_times_are_no_times() {
        let event: Timestamp = "2026-04-05T12:43:02Z".parse().unwrap();
        assert_eq!(from_epoch(5_753_713_823_618_609_594, event), None);
        assert_eq!(from_epoch(2_509_608_394_576_000_000, event), None);
        assert_eq!(from_epoch(23, event), None);
        assert_eq!(
            from_epoch(1_775_392_982_926_275_002, event)
                .map(moment)
                .as_deref(),
            Some("2026-04-05 12:43:02 UTC")
        );
    }
}
