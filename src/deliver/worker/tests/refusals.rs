use super::*;

#[tokio::test]
async fn what_a_destination_does_not_take_is_said_plainly() {
    let mut bench = Bench::start(ONE, [Answer::Refuse]);
    bench.event("\u{e9}vil").await;
    let sent = bench.tried(1).await;
    assert_eq!(sent.state, DeliveryState::Sent);
    assert_eq!(
        sent.detail.as_deref(),
        Some("said plainly, because as told; said")
    );
    let ascii: Vec<_> = bench.asked().iter().map(|asked| asked.ascii).collect();
    assert_eq!(ascii, [false, true]);
    bench.end().await;
}

#[tokio::test]
async fn what_a_destination_never_takes_is_a_dead_letter_with_a_notice_and_blocks_nothing() {
    let mut bench = Bench::start(ONE, [Answer::Refuse, Answer::Refuse]);
    bench.event("evil").await;
    let dead = bench.tried(1).await;
    assert_eq!(dead.state, DeliveryState::Dead);
    assert!(
        dead.detail
            .unwrap()
            .ends_with("a notice without text of the event was taken")
    );
    let rules: Vec<_> = bench.asked().into_iter().map(|asked| asked.rule).collect();
    assert_eq!(rules, ["evil", "evil", "withheld"]);
    bench.event("next").await;
    bench
        .delivery(|delivery| delivery.state == DeliveryState::Sent)
        .await;
    bench.end().await;
}
