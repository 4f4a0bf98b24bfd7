//! The judge's own tests: each violation, made by hand, is found.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use crate::history::{
    Answer, Counter, Delivery, History, Post, Probe, Recovery, Sample, Taking, event, group, id,
};
use crate::judge::{duplicates, judge, lost};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Two groups of posts, told to two destinations, one of which refuses once.
fn good() -> History {
    let post = |group, first, events, answer, sent| Post {
        group,
        first,
        events,
        critical: group == 1,
        answer,
        sent: ms(sent),
        answered: ms(sent + 5),
    };
    let told = |destination, key: &str, group, event, count, at, taking| Delivery {
        destination,
        key: key.to_owned(),
        uid: format!("uid-{group}"),
        group: Some(group),
        event: Some(event),
        count,
        own: None,
        opens: key.ends_with('1'),
        at: ms(at),
        taking,
    };
    let mut deliveries = Vec::new();
    for destination in ["a", "b"] {
        if destination == "b" {
            deliveries.push(told("b", "b-0-1", 0, 1, 2, 20, Taking::Refused));
        }
        for (number, group, event, count, at) in
            [(1, 0, 1, 2, 30), (2, 0, 4, 3, 300), (1, 1, 3, 1, 60)]
        {
            let key = format!("{destination}-{group}-{number}");
            deliveries.push(told(
                destination,
                &key,
                group,
                event,
                count,
                at,
                Taking::Taken,
            ));
        }
    }
    History {
        posts: vec![
            post(0, 1, 2, Answer::Accepted, 10),
            post(1, 3, 1, Answer::Accepted, 30),
            post(0, 4, 1, Answer::Unknown, 40),
            post(0, 5, 1, Answer::Refused(503), 50),
        ],
        deliveries,
        destinations: vec!["a", "b"],
        healthy: vec!["a", "b"],
        prompt: Some(ms(1_000)),
        audits: vec![true],
        caps: Some(Sample {
            resident: 10,
            descriptors: 10,
            threads: 10,
            store: 10,
        }),
        samples: vec![Sample {
            resident: 5,
            descriptors: 10,
            threads: 5,
            store: 5,
        }],
        recoveries: vec![Recovery {
            from: "a kill".into(),
            took: Some(ms(50)),
            limit: ms(100),
        }],
        counters: vec![Counter {
            name: "unavailable".into(),
            said: 1,
            least: 1,
        }],
        probes: vec![Probe {
            during: "all".into(),
            said: true,
            truth: true,
        }],
        ..History::default()
    }
}

/// What spoils a good history, and the invariant that it breaks.
type Violation = (&'static str, &'static str, fn(&mut History));

const VIOLATIONS: &[Violation] = &[
    ("an acknowledged event that is not told", "I1", |h| {
        h.posts[2].answer = Answer::Accepted;
        h.posts[2].events = 2;
    }),
    ("a destination that was not told", "I1", |h| {
        h.deliveries
            .retain(|told| told.destination == "a" || told.group == Some(0));
    }),
    ("a message that nobody took", "I1", |h| {
        for told in &mut h.deliveries {
            if told.group == Some(1) {
                told.taking = Taking::Refused;
            }
        }
    }),
    ("more told than was posted", "I1", |h| {
        h.deliveries[1].count = 4;
    }),
    ("a refused event that counts", "I1", |h| {
        h.posts[2].answer = Answer::Refused(503);
    }),
    ("an account that does not balance", "I1", |h| {
        h.audits.push(false);
    }),
    ("an event that nobody posted", "I2", |h| {
        h.deliveries[0].event = Some(77);
    }),
    ("an event of another group", "I2", |h| {
        h.deliveries[0].event = Some(3);
    }),
    ("a repetition without a reason", "I3", |h| {
        let again = h.deliveries[1].clone();
        h.deliveries.push(again);
    }),
    ("one key for two incidents", "I3", |h| {
        let mut again = h.deliveries[1].clone();
        again.uid = "uid-1".into();
        h.crashes = 1;
        h.deliveries.push(again);
    }),
    ("a healthy destination that waits", "I4", |h| {
        for told in &mut h.deliveries {
            if told.group == Some(1) && told.destination == "a" {
                told.at = ms(1_100);
            }
        }
    }),
    ("an answer that waits", "I4", |h| {
        h.posts[0].answered = ms(1_100);
    }),
    ("too many descriptors", "I5", |h| {
        h.samples[0].descriptors = 11;
    }),
    ("too much memory", "I5", |h| h.samples[0].resident = 11),
    ("nothing measured", "I5", |h| h.samples.clear()),
    ("a slow recovery", "I6", |h| {
        h.recoveries[0].took = Some(ms(101));
    }),
    ("no recovery", "I6", |h| h.recoveries[0].took = None),
    ("a silent refusal", "I7", |h| h.counters[0].said = 0),
    ("a readiness that lies", "I7", |h| h.probes[0].truth = false),
    ("a critical event told late", "I8", |h| {
        h.prompt = None;
        for told in &mut h.deliveries {
            if told.group == Some(1) {
                told.at = ms(11_000);
            }
        }
    }),
    ("a count that goes down", "I9", |h| h.deliveries.swap(0, 1)),
    ("an update before the opening", "I9", |h| {
        h.deliveries[0].opens = false;
    }),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<_> = VIOLATIONS.iter().map(violation).collect();
    trials.push(Trial::test("judge: a good history has no problems", || {
        let found = judge(&good());
        expect(
            found.is_empty() && lost(&good()) == 0,
            &format!("{found:?}"),
        )
    }));
    trials.push(Trial::test(
        "judge: what a crash or a lost answer explains is none",
        || {
            let mut history = good();
            let again = history.deliveries[0].clone();
            history.deliveries.push(again);
            history.crashes = 1;
            let crashed = judge(&history);
            history.crashes = 0;
            history.deliveries[0].taking = Taking::Ambiguous;
            let ambiguous = judge(&history);
            let found = [crashed, ambiguous].concat();
            expect(
                found.is_empty() && duplicates(&history) == 1,
                &format!("{found:?}"),
            )
        },
    ));
    trials.push(Trial::test(
        "judge: a refused event may be a ghost where its fsync failed",
        || {
            let mut history = good();
            history.posts[2].answer = Answer::Refused(503);
            history.ghosts = true;
            let found = judge(&history);
            expect(found.is_empty(), &format!("{found:?}"))
        },
    ));
    trials.push(Trial::test(
        "judge: an event's text gives its group and id back",
        || {
            let event: serde_json::Value = serde_json::from_str(&event(7, 42, true)).unwrap();
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let found = (
                group(&text(&event["rule"])),
                id(&text(&event["output_fields"]["proc.cmdline"])),
            );
            expect(found == (Some(7), Some(42)), &format!("{found:?}"))
        },
    ));
    trials
}

fn violation((name, invariant, spoil): &'static Violation) -> Trial {
    Trial::test(format!("judge: finds {name}"), move || {
        let mut history = good();
        spoil(&mut history);
        let found = judge(&history);
        let named = found.iter().any(|problem| problem.invariant == *invariant);
        expect(named, &format!("want {invariant}, found {found:?}"))
    })
}

fn expect(holds: bool, text: &str) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(text.into()) }
}
