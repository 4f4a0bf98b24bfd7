use super::*;
use crate::deliver::testing::tracker::Bench;
use crate::deliver::testing::{CANARY, TIMEOUT, now, rt};
use crate::incident::State;

fn config(url: &str) -> RtConfig {
    RtConfig {
        url: Some(Secret::new(url)),
        token: Some(Secret::new(CANARY)),
        queue: "Sec Ops".to_owned(),
        ..RtConfig::default()
    }
}

async fn bench(marker_field: &'static str) -> Bench {
    let build = |url: &str| {
        let config = RtConfig {
            marker_field: marker_field.to_owned(),
            ..config(url)
        };
        config.build(TIMEOUT, &Clock::manual(now())).unwrap()
    };
    Bench::start("#1", rt::answer, build).await
}

const FIELD: &str = "Falco Herald";

#[tokio::test]
async fn a_ticket_lives_as_its_incident_does() {
    let mut bench = bench(FIELD).await;
    bench.lives().await;
    let ticket = bench.change(|tickets| tickets[0].clone());
    assert_eq!(ticket["comments"].as_array().unwrap().len(), 4);
    assert!(
        ticket["content"]
            .as_str()
            .unwrap()
            .contains("What happened")
    );
}

#[tokio::test]
async fn a_ticket_is_found_again_and_a_rejected_one_stays_closed() {
    bench(FIELD).await.is_found_again().await;
    let reject = |ticket: &mut Value| ticket["Status"] = json!("rejected");
    bench(FIELD).await.stays_closed(reject).await;
}

#[tokio::test]
async fn the_official_client_shares_the_ticket() {
    bench(FIELD).await.is_shared_with("rt").await;
}

#[tokio::test]
async fn what_rt_refuses_says_why() {
    bench(FIELD).await.judges().await;
    bench(FIELD).await.takes_hostile_reports().await;
}

#[tokio::test]
async fn without_the_field_in_the_queue_nothing_is_created() {
    let mut bench = bench("Other").await;
    bench.change(Vec::clear);
    let said = bench.refused(State::Open).await;
    assert_eq!(
        said,
        "the queue has no custom field `Other` that this user sees"
    );
    assert_eq!(bench.change(|tickets| tickets.len()), 0);
}

#[tokio::test]
async fn a_refusal_in_an_answer_of_200_is_seen() {
    let mut bench = bench(FIELD).await;
    bench.send(1, State::Open).await;
    bench.change(|tickets| tickets[0]["locked"] = json!(true));
    let said = bench.refused(State::Closed).await;
    assert_eq!(said, "RT does not let this user change the status");
}

#[test]
fn names_do_not_leave_their_quotes() {
    for queue in ["", "a' OR id > 0", "../x", "a}b"] {
        let config = RtConfig {
            queue: queue.to_owned(),
            ..config("http://rt")
        };
        let built = config.build(TIMEOUT, &Clock::manual(now()));
        assert!(built.is_err(), "{queue}");
    }
}
