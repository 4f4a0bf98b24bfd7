use super::*;
use crate::metrics::RequestOutcome;

#[tokio::test]
async fn a_connection_is_kept_for_the_next_event() {
    let server = Setup::default().start();
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send(post(EVENT)).await;
        assert_eq!(client.reply().await.status, 200);
        client.send(post("nonsense")).await;
        assert_eq!(client.reply().await.status, 400);
    }
    assert_eq!(server.inbox.events().len(), 3);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Setup::default().start();
    let mut client = server.connect().await;
    client
        .send(
            [
                post(EVENT),
                post("x"),
                request("GET", "/ping", "", ""),
                post(EVENT),
            ]
            .concat(),
        )
        .await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        let reply = client.reply().await;
        answers.push((reply.status, reply.body == "pong\n"));
    }
    assert_eq!(
        answers,
        [(200, false), (400, false), (200, true), (200, false)]
    );
    assert_eq!(server.inbox.events().len(), 2);
}

#[tokio::test]
async fn a_chunked_body_is_put_together() {
    let server = Setup::default().start();
    let (a, b) = EVENT.split_at(30);
    let body = format!(
        "{:x}\r\n{a}\r\n{:x};ext=1\r\n{b}\r\n0\r\nTrailer: x\r\n\r\n",
        a.len(),
        b.len()
    );
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(server.ask(format!("{head}{body}")).await.status, 200);
    assert_eq!(server.inbox.events(), [EVENT]);
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit() {
    let mut setup = Setup::default();
    setup.limits.max_body = 100_000;
    let server = setup.start();
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    for _ in 0..8 {
        client
            .send(format!("4000\r\n{}\r\n", "x".repeat(0x4000)))
            .await;
    }
    let reply = client.reply().await;
    assert_eq!(reply.status, 413);
    assert!(reply.has("connection: close"), "{}", reply.head);
    client.closed().await;
    let refused = server.inbox.0.refused.lock().unwrap().pop().unwrap();
    assert_eq!((refused.body.len(), refused.size), (64 * 1024, 100_000));
    assert_eq!(server.metrics.requests(RequestOutcome::TooLarge), 1);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken() {
    let mut setup = Setup::default();
    setup.limits.max_body = EVENT.len();
    let server = setup.start();
    assert_eq!(server.ask(post(EVENT)).await.status, 200);
    assert_eq!(server.ask(post(format!("{EVENT} "))).await.status, 413);
}

#[tokio::test]
async fn a_sender_that_expects_to_continue_is_told_so_only_for_a_body_that_fits() {
    let server = Setup::default().start();
    let head = |length: usize| {
        format!(
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut client = server.connect().await;
    client.send(head(EVENT.len())).await;
    assert_eq!(client.reply().await.status, 100);
    client.send(EVENT).await;
    assert_eq!(client.reply().await.status, 200);

    let mut client = server.connect().await;
    client.send(head(3 << 20)).await;
    assert_eq!(client.reply().await.status, 413);
    client.closed().await;
}

#[tokio::test]
async fn a_length_that_is_too_short_costs_the_event_and_the_connection() {
    let server = Setup::default().start();
    let mut client = server.connect().await;
    let cut = EVENT.len() - 5;
    client
        .send(format!(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {cut}\r\n\r\n{EVENT}"
        ))
        .await;
    assert_eq!(client.reply().await.status, 400);
    // What is left over is no request.
    assert_eq!(
        client.next_reply().await.map_or(400, |reply| reply.status),
        400
    );
    client.closed().await;
    assert_eq!(server.inbox.events().len(), 0);
}

#[tokio::test]
async fn a_length_that_is_too_long_stores_nothing() {
    let server = Setup::default().start();
    let mut client = server.connect().await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n\r\n{EVENT}"
        ))
        .await;
    client.stream.shutdown().await.unwrap();
    within(server.inbox.0.kept.acquire())
        .await
        .unwrap()
        .forget();
    assert_eq!(server.inbox.reasons(), ["the body ended early"]);
    assert_eq!(server.inbox.events().len(), 0);
}

#[tokio::test]
async fn an_aborted_body_stores_nothing_and_harms_nobody() {
    let server = Setup::default().start();
    let mut client = server.connect().await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n\r\n{EVENT}"
        ))
        .await;
    drop(client);
    within(server.inbox.0.kept.acquire())
        .await
        .unwrap()
        .forget();
    assert_eq!(server.inbox.events().len(), 0);
    assert_eq!(server.ask(post(EVENT)).await.status, 200);
}

#[tokio::test]
async fn a_sender_that_leaves_before_the_answer_leaves_a_whole_event() {
    let server = Setup::default().start();
    server.inbox.0.gate.forget_permits(usize::MAX);
    let mut client = server.connect().await;
    client.send(post(format!("{EVENT}{EVENT}"))).await;
    within(server.inbox.0.begun.acquire())
        .await
        .unwrap()
        .forget();
    drop(client);
    // By the time of this answer the server has seen the end of the other connection.
    assert_eq!(
        server.ask(request("GET", "/ping", "", "")).await.status,
        200
    );
    server.inbox.0.gate.add_permits(1);
    let inbox = server.inbox.clone();
    server.stopped().await;
    assert_eq!(inbox.events(), [EVENT; 2]);
}

#[tokio::test]
async fn a_sender_that_closes_its_side_is_still_answered() {
    let server = Setup::default().start();
    server.inbox.0.gate.forget_permits(usize::MAX);
    let mut client = server.connect().await;
    client.send(post(EVENT)).await;
    client.stream.shutdown().await.unwrap();
    within(server.inbox.0.begun.acquire())
        .await
        .unwrap()
        .forget();
    assert_eq!(
        server.ask(request("GET", "/ping", "", "")).await.status,
        200
    );
    server.inbox.0.gate.add_permits(1);
    assert_eq!(client.reply().await.status, 200);
    client.closed().await;
}

#[tokio::test]
async fn a_sender_of_too_much_is_not_reset_before_it_has_read_the_answer() {
    let server = Setup::default().start();
    let mut client = server.connect().await;
    let body = post("x".repeat(8 << 20));
    within(client.stream.write_all(&body)).await.unwrap();
    assert_eq!(client.reply().await.status, 413);
    client.stream.shutdown().await.unwrap();
    client.closed().await;
    let refused = server.inbox.0.refused.lock().unwrap().pop().unwrap();
    assert!(refused.size <= 64 * 1024, "{}", refused.size);
}

#[tokio::test]
async fn malformed_requests_close_the_connection_and_store_nothing() {
    let server = Setup::default().start();
    let two_lengths = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{EVENT}"
    );
    let long_head = format!("POST / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(128 * 1024));
    let many_headers = format!("POST / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(200));
    for bad in [
        EVENT,
        "POST / HTTP/9.9\r\n\r\n",
        "\r\n\r\n\0\0\0\r\n",
        &two_lengths,
        &long_head,
        &many_headers,
    ] {
        let mut client = server.connect().await;
        client.send(bad).await;
        client.stream.shutdown().await.unwrap_or_default();
        if let Some(reply) = client.next_reply().await {
            assert!(
                (400..=431).contains(&reply.status),
                "{bad:.40}: {}",
                reply.status
            );
        }
        client.closed().await;
    }
    assert_eq!(server.inbox.events().len(), 0);
    assert_eq!(server.ask(post(EVENT)).await.status, 200);
}
