use super::*;
use crate::metrics::RequestOutcome;

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let mut setup = Setup::default();
    setup.connections.header_timeout = SHORT;
    let server = setup.start();
    for begun in ["", "POST / HT", "POST / HTTP/1.1\r\nHost: h\r\nX: "] {
        let mut client = server.connect().await;
        client.send(begun).await;
        client.closed().await;
    }
}

#[tokio::test]
async fn a_kept_connection_is_closed_after_the_idle_time_and_not_after_the_header_time() {
    let mut setup = Setup::default();
    setup.connections.header_timeout = SHORT;
    setup.connections.idle_timeout = SHORT * 5;
    let server = setup.start();
    let mut client = server.connect().await;
    client.send(post(EVENT)).await;
    assert_eq!(client.reply().await.status, 200);
    let idle = std::time::Instant::now();
    client.closed().await;
    assert!(idle.elapsed() >= SHORT * 4, "{:?}", idle.elapsed());
}

#[tokio::test]
async fn a_stuck_body_is_answered_408_and_closed() {
    let mut setup = Setup::default();
    setup.limits.body_timeout = SHORT;
    let server = setup.start();
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n{")
        .await;
    let reply = client.reply().await;
    assert_eq!(reply.status, 408);
    assert!(reply.has("connection: close"), "{}", reply.head);
    client.closed().await;
    assert_eq!(server.metrics.requests(RequestOutcome::TooSlow), 1);
    assert_eq!(server.inbox.events().len(), 0);
}

#[tokio::test]
async fn a_peer_that_asks_and_never_reads_is_closed() {
    let mut setup = Setup::default();
    setup.connections.idle_timeout = SHORT;
    let server = setup.start();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = Client::new(socket.connect(server.address).await.unwrap());
    let many = request("GET", "/ping", "", "").repeat(1000);
    // Writing goes on until the server gives up on us.
    within(async { while client.stream.write_all(&many).await.is_ok() {} }).await;
}

#[tokio::test]
async fn while_all_places_have_requests_under_way_more_connections_are_refused() {
    let mut setup = Setup::default();
    setup.connections.max_connections = 1;
    let server = setup.start();
    server.inbox.0.gate.forget_permits(usize::MAX);
    let mut first = server.connect().await;
    first.send(post(EVENT)).await;
    let begun = within(server.inbox.0.begun.acquire()).await;
    begun.unwrap().forget();
    assert_eq!(server.metrics.connections.get(), 1);

    let mut second = server.connect().await;
    assert_eq!(second.reply().await.status, 503);
    second.closed().await;
    assert_eq!(server.metrics.connections_refused.get(), 1);

    server.inbox.0.gate.add_permits(1000);
    assert_eq!(first.reply().await.status, 200);
    drop(first);
    within(async {
        loop {
            let mut next = server.connect().await;
            next.send(post(EVENT)).await;
            if next
                .next_reply()
                .await
                .is_some_and(|reply| reply.status == 200)
            {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_takes_no_more() {
    let server = Setup::default().start();
    server.inbox.0.gate.forget_permits(usize::MAX);
    let mut idle = server.connect().await;
    idle.send(request("GET", "/ping", "", "")).await;
    assert_eq!(idle.reply().await.status, 200);
    let mut busy = server.connect().await;
    busy.send(post(EVENT)).await;
    within(server.inbox.0.begun.acquire())
        .await
        .unwrap()
        .forget();

    server.stop.cancel();
    // The last request of a kept connection is answered, and told to be the last.
    idle.send(request("GET", "/ping", "", "")).await;
    let last = idle.reply().await;
    assert!(last.has("connection: close"), "{}", last.head);
    idle.closed().await;
    assert!(!server.task.is_finished());
    assert!(TcpStream::connect(server.address).await.is_err());

    server.inbox.0.gate.add_permits(1);
    assert_eq!(busy.reply().await.status, 200);
    busy.closed().await;
    within(server.task).await.unwrap();
    assert_eq!(server.inbox.events(), [EVENT]);
    assert_eq!(server.metrics.connections.get(), 0);
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut() {
    let mut setup = Setup::default();
    setup.connections.drain_timeout = SHORT;
    let server = setup.start();
    server.inbox.0.gate.forget_permits(usize::MAX);
    let mut stuck = server.connect().await;
    stuck.send(post(EVENT)).await;
    within(server.inbox.0.begun.acquire())
        .await
        .unwrap()
        .forget();
    server.stopped().await;
    stuck.closed().await;
}

#[tokio::test]
async fn a_silent_connection_does_not_hold_up_the_stop() {
    let server = Setup::default().start();
    let mut silent = server.connect().await;
    let mut asks = server.connect().await;
    asks.send(request("GET", "/ping", "", "")).await;
    assert_eq!(asks.reply().await.status, 200);
    server.stopped().await;
    silent.closed().await;
}
