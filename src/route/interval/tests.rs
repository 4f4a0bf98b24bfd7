use super::*;

fn interval(yaml: &str) -> Result<TimeInterval, TimeIntervalError> {
    let config: TimeIntervalsConfig = serde_saphyr::from_str(&format!("n: [{yaml}]")).unwrap();
    time_intervals(&config).map(|intervals| (*intervals["n"]).clone())
}

/// Which of the moments lie in the interval.
fn holds(yaml: &str, moments: &[&str]) -> Vec<bool> {
    let interval = interval(yaml).unwrap();
    let contains = |at: &&str| interval.contains(at.parse().unwrap());
    moments.iter().map(contains).collect()
}

#[test]
fn a_time_of_day_has_its_first_minute_and_not_its_end() {
    let day = "{ times: [{ start_time: '09:00', end_time: '17:00' }] }";
    let moments = [
        "2026-03-02T08:59:59Z",
        "2026-03-02T09:00:00Z",
        "2026-03-02T16:59:59Z",
        "2026-03-02T17:00:00Z",
    ];
    assert_eq!(holds(day, &moments), [false, true, true, false]);
    let night = "{ times: [{ start_time: '22:00', end_time: '24:00' }, { start_time: '00:00', end_time: '06:00' }] }";
    let moments = [
        "2026-03-02T21:59:00Z",
        "2026-03-02T23:59:59Z",
        "2026-03-03T00:00:00Z",
        "2026-03-03T06:00:00Z",
    ];
    assert_eq!(holds(night, &moments), [false, true, true, false]);
}

#[test]
fn days_are_those_of_the_time_zone_through_its_changes_of_clock() {
    // 2026-03-29 is a Sunday, on which Berlin goes from UTC+1 to UTC+2.
    let sunday = "{ weekdays: [sunday], location: Europe/Berlin }";
    let moments = [
        "2026-03-28T22:59:59Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T21:59:59Z",
        "2026-03-29T22:00:00Z",
    ];
    assert_eq!(holds(sunday, &moments), [false, true, true, false]);
}

#[test]
fn days_count_from_the_end_of_the_month_too() {
    let last = "{ days_of_month: ['-2:-1', '1'] }";
    let moments = [
        "2026-02-26T12:00:00Z",
        "2026-02-27T12:00:00Z",
        "2026-02-28T12:00:00Z",
        "2026-03-01T12:00:00Z",
        "2026-03-02T12:00:00Z",
    ];
    assert_eq!(holds(last, &moments), [false, true, true, true, false]);
}

#[test]
fn weeks_and_months_go_round_and_years_do_not() {
    let weekend = "{ weekdays: ['friday:monday'], months: ['11:february'], years: ['2026'] }";
    let moments = [
        "2026-01-02T00:00:00Z",
        "2026-01-05T00:00:00Z",
        "2026-01-06T00:00:00Z",
        "2026-05-04T00:00:00Z",
        "2027-01-04T00:00:00Z",
    ];
    assert_eq!(holds(weekend, &moments), [true, true, false, false, false]);
}

#[test]
fn what_names_no_time_is_refused_with_its_place() {
    let refusal = |yaml| interval(yaml).unwrap_err().to_string();
    let times = refusal("{ times: [{ start_time: '22:00', end_time: '06:00' }] }");
    assert!(times.starts_with("time_intervals.n[0].times[0]: write start_time"));
    for wrong in ["9:00", "09:60", "24:01", "0900", "+9:00"] {
        let yaml = format!("{{ times: [{{ start_time: '00:00', end_time: '{wrong}' }}] }}");
        assert!(interval(&yaml).is_err(), "{wrong}");
    }
    insta::assert_snapshot!(
        refusal("{ weekdays: ['monday', 'mittwoch'] }"),
        @"time_intervals.n[0].weekdays[1]: `mittwoch` is none of weekdays"
    );
    insta::assert_snapshot!(
        refusal("{ location: Berlin }"),
        @"time_intervals.n[0].location: there is no time zone `Berlin`"
    );
    insta::assert_snapshot!(
        refusal("{ days_of_month: ['5:1'] }"),
        @"time_intervals.n[0].days_of_month[0]: ends before it begins"
    );
    assert!(interval("{ days_of_month: ['0'] }").is_err());
    assert!(interval("{ months: ['13'] }").is_err());
}
