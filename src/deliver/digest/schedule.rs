//! When a digest is due: `daily at 06:00, 14:00, 22:00 Europe/Berlin`.

use std::borrow::Cow;
use std::str::FromStr;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Days looked ahead: a week, and one more for a time that a change of the clocks leaves out.
const AHEAD: i8 = 8;

/// Times of day on some days of the week, in one zone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Schedule {
    days: Days,
    /// Sorted, never empty.
    times: Vec<Time>,
    zone: TimeZone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Days {
    All,
    /// Monday to Friday.
    Working,
    One(Weekday),
}

impl Days {
    fn contain(self, day: Weekday) -> bool {
        match self {
            Self::All => true,
            Self::Working => !matches!(day, Weekday::Saturday | Weekday::Sunday),
            Self::One(only) => day == only,
        }
    }
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no schedule; write for example `daily at 09:00 Europe/Berlin`, `weekdays at 06:00, 14:00` or `mondays at 08:00`"
)]
pub struct InvalidSchedule(String);

impl Schedule {
    /// The zone in which it is written.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first time after `after`. None at the end of time.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let from = self
            .zone
            .to_datetime(after)
            .date()
            .checked_sub(1.day())
            .ok()?;
        let days = (0..=AHEAD).filter_map(|ahead| from.checked_add(i64::from(ahead).days()).ok());
        days.filter(|day| self.days.contain(day.weekday()))
            .flat_map(|day| self.times.iter().map(move |time| day.to_datetime(*time)))
            .filter_map(|due| self.zone.to_ambiguous_timestamp(due).compatible().ok())
            .find(|due| *due > after)
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| InvalidSchedule(text.to_owned()))
    }
}

impl TryFrom<String> for Schedule {
    type Error = InvalidSchedule;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

fn parse(text: &str) -> Option<Schedule> {
    let (days, rest) = text.trim().split_once(" at ")?;
    let days = match days.trim().to_ascii_lowercase().as_str() {
        "daily" => Days::All,
        "weekdays" => Days::Working,
        "mondays" => Days::One(Weekday::Monday),
        "tuesdays" => Days::One(Weekday::Tuesday),
        "wednesdays" => Days::One(Weekday::Wednesday),
        "thursdays" => Days::One(Weekday::Thursday),
        "fridays" => Days::One(Weekday::Friday),
        "saturdays" => Days::One(Weekday::Saturday),
        "sundays" => Days::One(Weekday::Sunday),
        _ => return None,
    };
    let mut words = rest.split([' ', ',']).filter(|word| !word.is_empty());
    let mut times = Vec::new();
    let mut zone = None;
    for word in words.by_ref() {
        if let Some(time) = time(word) {
            times.push(time);
        } else {
            zone = Some(TimeZone::get(word).ok()?);
            break;
        }
    }
    times.sort_unstable();
    let whole = words.next().is_none() && !times.is_empty();
    whole.then_some(Schedule {
        days,
        times,
        zone: zone.unwrap_or(TimeZone::UTC),
    })
}

/// `09:00`.
fn time(word: &str) -> Option<Time> {
    let (hour, minute) = word.split_once(':')?;
    let digits = |part: &str| {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| plain)
    };
    Time::new(digits(hour)?, digits(minute)?, 0, 0).ok()
}

impl JsonSchema for Schedule {
    fn schema_name() -> Cow<'static, str> {
        "Schedule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Days, times and a zone: `daily at 09:00 Europe/Berlin`, `weekdays at 06:00, 14:00`, `mondays at 08:00`. Without a zone, UTC.",
            "pattern": "^(daily|weekdays|(mon|tues|wednes|thurs|fri|satur|sun)days) at \\d\\d:\\d\\d",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(schedule: &str, after: &str) -> String {
        let schedule: Schedule = schedule.parse().unwrap();
        schedule.next(after.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_next_time_is_told_in_the_zone_of_the_schedule() {
        for (schedule, after, wanted) in [
            (
                "daily at 09:00 Europe/Berlin",
                "2026-03-01T07:59:00Z",
                "2026-03-01T08:00:00Z",
            ),
            (
                "daily at 09:00 Europe/Berlin",
                "2026-03-01T08:00:00Z",
                "2026-03-02T08:00:00Z",
            ),
            (
                "daily at 09:00 Europe/Berlin",
                "2026-06-30T12:00:00Z",
                "2026-07-01T07:00:00Z",
            ),
            (
                "daily at 22:00, 06:00,14:00",
                "2026-03-01T15:00:00Z",
                "2026-03-01T22:00:00Z",
            ),
            (
                "daily at 23:30 Pacific/Auckland",
                "2026-03-01T10:00:00Z",
                "2026-03-01T10:30:00Z",
            ),
            (
                "Weekdays at 09:00",
                "2026-03-06T09:00:00Z",
                "2026-03-09T09:00:00Z",
            ),
            (
                "mondays at 08:00",
                "2026-03-02T08:00:00Z",
                "2026-03-09T08:00:00Z",
            ),
            // The clocks go from 02:00 to 03:00 that night.
            (
                "daily at 02:30 Europe/Berlin",
                "2026-03-28T12:00:00Z",
                "2026-03-29T01:30:00Z",
            ),
        ] {
            assert_eq!(due(schedule, after), wanted, "{schedule} after {after}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "",
            "09:00",
            "daily",
            "daily at",
            "daily at Europe/Berlin",
            "daily at 9:00",
            "daily at 24:00",
            "daily at 09:60",
            "hourly at 09:00",
            "daily at 09:00 Mars/Olympus",
            "daily at 09:00 UTC 10:00",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
