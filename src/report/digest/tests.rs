use super::*;
use crate::event::EventId;
use crate::report::Engine;
use crate::report::testing::{incident, sample};
use crate::route::SilenceId;
use crate::store::{Audit, SilenceName, StoredEvent};

fn shift(alert: &Alert) -> Shift {
    let worst = incident(alert, 12_345);
    let stored = StoredEvent {
        id: EventId(9),
        received: alert.received,
        body: Vec::new(),
        is_intact: true,
    };
    let mut audit = Audit {
        received: 12_400,
        balanced: true,
        ..Audit::default()
    };
    audit.fates = [
        (Account::Sent, 55),
        (Account::Folded, 12_245),
        (Account::Silenced, 100),
    ]
    .into();
    Shift {
        since: alert.received - jiff::SignedDuration::from_hours(8),
        audit,
        opened: vec![(Priority::Critical, 1), (Priority::Notice, 2)],
        live: 3,
        unhandled: vec![worst.clone()],
        unhandled_count: 1,
        noisiest: vec![Noise {
            rule: alert.event.rule.clone(),
            alerts: 12_345,
            incidents: 1,
            example: Some((worst, stored)),
        }],
        silenced: vec![(
            SilenceName {
                id: SilenceId(1),
                by: "kim".into(),
                comment: "<!channel> `rollout` of\nthe agent".into(),
                ends: alert.received,
            },
            100,
        )],
        dead: vec![Failing {
            destination: "tickets".to_owned(),
            deliveries: 2,
            events: 31,
            reason: "the tracker answered 401".to_owned(),
        }],
        retrying: Vec::new(),
    }
}

fn rendered(shift: &Shift, example: Option<Alert>, silent: Vec<Sensor>) -> crate::report::Report {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let handover = Handover {
        shift,
        examples: vec![example],
        silent,
        links: vec![Some(
            "https://herald.example.com/incidents/7/1.x".to_owned(),
        )],
        zone: &zone,
        now: shift.since + jiff::SignedDuration::from_hours(8),
    };
    Engine::default().digest(&handover).unwrap()
}

#[test]
fn a_shift_is_handed_over_with_what_waits_first_and_an_account_that_adds_up() {
    let alert = sample("drift");
    let silent = Sensor {
        hostname: "node-9".to_owned(),
        last: alert.received - jiff::SignedDuration::from_hours(3),
        every: None,
        silent: true,
    };
    let report = rendered(&shift(&alert), Some(alert.clone()), vec![silent]);
    insta::assert_snapshot!(report.title);
    insta::assert_snapshot!(report.lead);
    insta::assert_snapshot!(report.markdown);
}

#[test]
fn a_shift_in_which_nothing_happened_says_so() {
    let alert = sample("drift");
    let quiet = Shift {
        audit: Audit {
            balanced: true,
            ..Audit::default()
        },
        opened: Vec::new(),
        live: 0,
        unhandled: Vec::new(),
        unhandled_count: 0,
        noisiest: Vec::new(),
        silenced: Vec::new(),
        dead: Vec::new(),
        ..shift(&alert)
    };
    let report = rendered(&quiet, None, Vec::new());
    insta::assert_snapshot!(report.markdown);
}

#[test]
fn an_account_that_does_not_balance_is_no_small_print() {
    let alert = sample("drift");
    let mut shift = shift(&alert);
    shift.audit.balanced = false;
    shift.audit.problems = vec!["event 5 has no fate".to_owned()];
    let report = rendered(&shift, None, Vec::new()).markdown;
    assert!(
        report.contains("**The account does not balance"),
        "{report}"
    );
    assert!(report.contains("- `event 5 has no fate`"), "{report}");
    assert!(report.contains("no event of it is stored any more"));
}
