use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_772_359_200 + seconds).unwrap()
}

fn schedule() -> (Backoff, f64) {
    (Backoff::default(), 1.0)
}

/// Asks, sends and takes the answer in.
fn send(circuit: &mut Circuit, delivery: i64, answer: Answer, now: Timestamp) -> Turn {
    let permit = circuit.ask(now).expect("nothing may be sent");
    circuit.ended(permit, delivery, answer, now, schedule())
}

const FAILED: Answer = Answer::Failed(None);

#[test]
fn five_failures_in_a_row_are_an_outage_and_one_success_ends_it() {
    let mut circuit = Circuit::default();
    for delivery in 1..5 {
        assert_eq!(send(&mut circuit, delivery, FAILED, at(0)), Turn::None);
    }
    let stopped = send(&mut circuit, 5, FAILED, at(0));
    assert_eq!(stopped, Turn::Stopped(Stop::Outage));
    assert!(circuit.ask(at(1)).is_none());
    assert_eq!(send(&mut circuit, 6, FAILED, at(2)), Turn::None);
    assert_eq!(circuit.next(), Some(at(6)));
    let resumed = send(&mut circuit, 7, Answer::Taken, at(6));
    let (why, since, told) = (Stop::Outage, at(0), false);
    assert_eq!(resumed, Turn::Resumed { why, since, told });
    assert!(!circuit.ask(at(6)).unwrap().probe);
}

#[test]
fn a_success_or_a_single_delivery_that_fails_is_no_outage() {
    let mut circuit = Circuit::default();
    for _ in 0..9 {
        assert_eq!(send(&mut circuit, 1, FAILED, at(0)), Turn::None);
    }
    send(&mut circuit, 2, Answer::Taken, at(0));
    for delivery in 1..5 {
        assert_eq!(send(&mut circuit, delivery, FAILED, at(0)), Turn::None);
    }
    send(&mut circuit, 2, Answer::Declined, at(0));
    assert_eq!(send(&mut circuit, 3, FAILED, at(0)), Turn::None);
}

#[test]
fn a_refusal_pauses_and_probes_come_later_and_later() {
    let mut circuit = Circuit::default();
    let paused = send(&mut circuit, 1, Answer::Refused, at(0));
    assert_eq!(paused, Turn::Stopped(Stop::Paused));
    let mut now = at(0);
    let waits: Vec<_> = (0..6)
        .map(|_| {
            let next = circuit.next().unwrap();
            let wait = next.duration_since(now).as_secs();
            now = next;
            send(&mut circuit, 1, Answer::Refused, now);
            wait
        })
        .collect();
    assert_eq!(waits, [30, 54, 108, 216, 270, 270], "less a tenth");
    circuit.probe_at_once(now);
    assert_eq!(circuit.next(), Some(now));
    // Neither an outage nor a message that is declined is the end of a pause.
    send(&mut circuit, 1, FAILED, now);
    now = circuit.next().unwrap();
    send(&mut circuit, 2, Answer::Declined, now);
    assert_eq!(circuit.stop(), Some(Stop::Paused));
    assert!(circuit.tell() && !circuit.tell());
    now = circuit.next().unwrap();
    let resumed = send(&mut circuit, 1, Answer::Taken, now);
    assert!(matches!(resumed, Turn::Resumed { told: true, .. }));
    assert_eq!(circuit.aged_from(at(0)), now);
}

#[test]
fn what_was_under_way_when_it_was_paused_neither_ends_nor_renews_the_pause() {
    let mut circuit = Circuit::default();
    let before = circuit.ask(at(0)).unwrap();
    let paused = circuit.ended(before, 1, Answer::Refused, at(0), schedule());
    assert_eq!(paused, Turn::Stopped(Stop::Paused));
    for answer in [Answer::Refused, Answer::Taken, FAILED] {
        let turn = circuit.ended(before, 2, answer, at(1), schedule());
        assert_eq!((turn, circuit.stop()), (Turn::None, Some(Stop::Paused)));
    }
    send(&mut circuit, 3, Answer::Taken, at(30));
    let turn = circuit.ended(before, 4, Answer::Refused, at(31), schedule());
    assert_eq!((turn, circuit.stop()), (Turn::None, None));
}

#[test]
fn what_is_refused_again_after_others_were_taken_is_the_reason_itself() {
    let mut circuit = Circuit::default();
    send(&mut circuit, 1, Answer::Refused, at(0));
    send(&mut circuit, 2, Answer::Taken, at(30));
    assert_eq!(send(&mut circuit, 1, Answer::Refused, at(31)), Turn::Alone);
    let paused = send(&mut circuit, 3, Answer::Refused, at(32));
    assert_eq!(paused, Turn::Stopped(Stop::Paused));
}

#[test]
fn in_an_outage_the_peer_says_when_to_come_back() {
    let mut circuit = Circuit::default();
    let asked = Answer::Failed(Some(Duration::from_mins(10)));
    for delivery in 1..=5 {
        send(&mut circuit, delivery, asked, at(0));
    }
    assert_eq!(circuit.next(), Some(at(600)));
}

#[test]
fn a_probe_for_which_nothing_was_due_can_be_asked_for_again() {
    let mut circuit = Circuit::default();
    send(&mut circuit, 1, Answer::Refused, at(0));
    let permit = circuit.ask(at(30)).unwrap();
    assert_eq!(circuit.next(), None);
    circuit.unused(permit);
    send(&mut circuit, 2, Answer::Unasked, at(30));
    assert!(circuit.ask(at(30)).unwrap().probe);
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Taken),
        Just(Answer::Declined),
        Just(Answer::Refused),
        Just(Answer::Unasked),
        Just(FAILED),
        (0..10_000_u64).prop_map(|wait| Answer::Failed(Some(Duration::from_secs(wait)))),
    ]
}

proptest! {
    /// Deliveries begin and end in any order.
    #[test]
    fn a_stopped_destination_gets_one_probe_at_a_time_and_always_another(
        steps in proptest::collection::vec((any::<bool>(), 0..8_i64, answers(), 0..400_i64), 1..200)
    ) {
        let mut circuit = Circuit::default();
        let mut under_way: Vec<Permit> = Vec::new();
        let mut now = at(0);
        for (begins, delivery, answer, passes) in steps {
            now = later(now, Duration::from_secs(passes.unsigned_abs()));
            if begins {
                under_way.extend(circuit.ask(now));
            } else if !under_way.is_empty() {
                let place = usize::try_from(delivery).unwrap() % under_way.len();
                let permit = under_way.remove(place);
                circuit.ended(permit, delivery, answer, now, schedule());
            }
            let probes = under_way.iter().filter(|permit| permit.probe);
            prop_assert!(probes.count() <= 1);
        }
        for permit in under_way {
            circuit.ended(permit, 0, FAILED, now, schedule());
        }
        let next = circuit.next().expect("nothing is under way");
        prop_assert!(next <= later(now, Duration::from_hours(1)));
        prop_assert!(circuit.ask(next.max(now)).is_some());
    }
}
