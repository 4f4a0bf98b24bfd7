//! Time intervals: when a route is muted or active, with Alertmanager's meaning.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The `time_intervals` section: by name, times of which any may hold.
pub type TimeIntervalsConfig = BTreeMap<String, Vec<TimeIntervalConfig>>;

/// A time. Whatever is set must hold; what is left out always holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimeIntervalConfig {
    /// Times of day. For a time over midnight write two.
    pub times: Vec<TimeRange>,
    /// Days of the week: `monday`, `monday:friday`, `saturday:sunday`.
    pub weekdays: Vec<String>,
    /// Days of the month: `1`, `1:7`; from the end with a minus: `-1`, `-7:-1`.
    pub days_of_month: Vec<String>,
    /// Months: `january`, `1`, `june:august`.
    pub months: Vec<String>,
    /// Years: `2026`, `2026:2028`.
    pub years: Vec<String>,
    /// The time zone, such as `Europe/Berlin`. Default UTC.
    pub location: Option<String>,
}

/// A part of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeRange {
    /// The first minute, `HH:MM`.
    pub start_time: String,
    /// The minute after the last one, `HH:MM` up to `24:00`.
    pub end_time: String,
}

/// Named times, compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeInterval {
    /// Its name in the configuration.
    pub name: String,
    any: Vec<Times>,
}

#[derive(Clone, Debug, PartialEq)]
struct Times {
    /// Minutes of the day.
    minutes: Vec<RangeInclusive<u16>>,
    /// 0 is Sunday.
    weekdays: Vec<(i16, i16)>,
    days_of_month: Vec<(i16, i16)>,
    months: Vec<(i16, i16)>,
    years: Vec<(i16, i16)>,
    zone: TimeZone,
}

/// Why the section is refused; begins with the place, such as `time_intervals.nights[0].times[1]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct TimeIntervalError {
    at: String,
    problem: String,
}

/// The intervals by name.
pub type TimeIntervals = BTreeMap<String, Arc<TimeInterval>>;

/// Compiles the section.
pub fn time_intervals(config: &TimeIntervalsConfig) -> Result<TimeIntervals, TimeIntervalError> {
    config
        .iter()
        .map(|(name, any)| {
            let at = format!("time_intervals.{name}");
            if any.is_empty() {
                return Err(refuse(at, "holds no time"));
            }
            let any = (0..)
                .zip(any)
                .map(|(index, times)| Times::try_new(times, &format!("{at}[{index}]")))
                .collect::<Result<_, _>>()?;
            let interval = TimeInterval {
                name: name.clone(),
                any,
            };
            Ok((name.clone(), Arc::new(interval)))
        })
        .collect()
}

impl TimeInterval {
    /// Whether a moment lies in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.any.iter().any(|times| times.contain(at))
    }
}

impl Times {
    fn try_new(config: &TimeIntervalConfig, at: &str) -> Result<Self, TimeIntervalError> {
        let place = |key: &str, index: usize| format!("{at}.{key}[{index}]");
        let ranges = |key: &str, texts: &[String], read: &dyn Fn(&str) -> Option<i16>| {
            let range = |(index, text): (usize, &String)| {
                let (first, last) = text.split_once(':').unwrap_or((text, text));
                let bounds = read(first.trim()).zip(read(last.trim()));
                bounds.ok_or_else(|| {
                    let problem = format!("`{}` is none of {key}", text.escape_debug());
                    refuse(place(key, index), problem)
                })
            };
            texts
                .iter()
                .enumerate()
                .map(range)
                .collect::<Result<Vec<_>, _>>()
        };
        let zone = match &config.location {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                let problem = format!("there is no time zone `{}`", name.escape_debug());
                refuse(format!("{at}.location"), problem)
            })?,
        };
        let times = config.times.iter().enumerate().map(|(index, range)| {
            minutes(range).ok_or_else(|| {
                let problem = "write start_time and end_time as HH:MM, the end after the start; \
                               for a time over midnight write two";
                refuse(place("times", index), problem)
            })
        });
        let days = ranges("days_of_month", &config.days_of_month, &day_of_month)?;
        let years = ranges("years", &config.years, &|text| text.parse().ok())?;
        for (key, list) in [("days_of_month", &days), ("years", &years)] {
            let backward = |(first, last): &(i16, i16)| (*first < 0) == (*last < 0) && first > last;
            if let Some(index) = list.iter().position(backward) {
                return Err(refuse(place(key, index), "ends before it begins"));
            }
        }
        Ok(Self {
            minutes: times.collect::<Result<_, _>>()?,
            weekdays: ranges("weekdays", &config.weekdays, &|text| {
                position(&WEEKDAYS, text)
            })?,
            days_of_month: days,
            months: ranges("months", &config.months, &month)?,
            years,
            zone,
        })
    }

    fn contain(&self, at: Timestamp) -> bool {
        let local = at.to_zoned_datetime(self.zone.clone());
        let minute =
            u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let weekday = i16::from(local.weekday().to_sunday_zero_offset());
        let day = i16::from(local.day());
        let length = i16::from(local.days_in_month());
        let in_days = |(first, last): &(i16, i16)| {
            let from_start = |day: i16| if day < 0 { length + 1 + day } else { day };
            (from_start(*first)..=from_start(*last)).contains(&day)
        };
        holds(&self.minutes, |range| range.contains(&minute))
            && holds(&self.weekdays, |range| in_cycle(*range, weekday))
            && holds(&self.days_of_month, in_days)
            && holds(&self.months, |range| {
                in_cycle(*range, i16::from(local.month()))
            })
            && holds(&self.years, |(first, last)| {
                (*first..=*last).contains(&local.year())
            })
    }
}

fn holds<T>(ranges: &[T], contains: impl Fn(&T) -> bool) -> bool {
    ranges.is_empty() || ranges.iter().any(contains)
}

/// `saturday:monday` goes over the end of the week.
fn in_cycle((first, last): (i16, i16), value: i16) -> bool {
    if first <= last {
        (first..=last).contains(&value)
    } else {
        value >= first || value <= last
    }
}

fn refuse(at: impl Into<String>, problem: impl Into<String>) -> TimeIntervalError {
    TimeIntervalError {
        at: at.into(),
        problem: problem.into(),
    }
}

fn minutes(range: &TimeRange) -> Option<RangeInclusive<u16>> {
    let minute = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let two_digits =
            |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !two_digits(hours) || !two_digits(minutes) {
            return None;
        }
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        let minute = hours.checked_mul(60)?.checked_add(minutes)?;
        (minutes < 60 && minute <= DAY).then_some(minute)
    };
    let (start, end) = (minute(&range.start_time)?, minute(&range.end_time)?);
    (start < end).then(|| start..=end - 1)
}

fn day_of_month(text: &str) -> Option<i16> {
    let day: i16 = text.parse().ok()?;
    (day != 0 && day.abs() <= 31).then_some(day)
}

fn month(text: &str) -> Option<i16> {
    let number = text.parse().ok().filter(|month| (1..=12).contains(month));
    number.or_else(|| position(&MONTHS, text).map(|month| month + 1))
}

fn position(names: &[&str], text: &str) -> Option<i16> {
    let found = names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text));
    found.and_then(|position| i16::try_from(position).ok())
}

#[cfg(test)]
mod tests;
