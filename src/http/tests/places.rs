use super::*;

const PLACES: usize = 64;

fn full() -> Server {
    let mut setup = Setup::default();
    setup.connections.max_connections = PLACES;
    setup.start()
}

#[tokio::test]
async fn peers_that_never_end_a_request_head_lock_nobody_out() {
    let server = full();
    let mut half_open = Vec::new();
    for _ in 0..PLACES {
        let mut client = server.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: h\r\nX: ").await;
        half_open.push(client);
    }
    within(async {
        while server.metrics.connections.get() < 64 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let began = std::time::Instant::now();
    let mut good = server.connect().await;
    good.send(post(EVENT)).await;
    assert_eq!(good.reply().await.status, 200);
    assert!(began.elapsed() < Duration::from_secs(1));
    half_open.remove(0).closed().await;
    // The good one has a place now, and the next silent one takes that of a silent one.
    let _another = server.connect().await;
    half_open.remove(0).closed().await;
    good.send(post(EVENT)).await;
    assert_eq!(good.reply().await.status, 200);
    assert_eq!(server.metrics.connections_evicted.get(), 2);
    assert_eq!(server.metrics.connections_refused.get(), 0);
}

#[tokio::test]
async fn kept_connections_make_room_and_requests_under_way_do_not() {
    let server = full();
    let mut kept = Vec::new();
    for _ in 0..PLACES {
        let mut client = server.connect().await;
        client.send(request("GET", "/ping", "", "")).await;
        assert_eq!(client.reply().await.status, 200);
        kept.push(client);
    }
    server.inbox.0.gate.forget_permits(usize::MAX);
    let mut busy = Vec::new();
    for _ in 0..PLACES {
        let mut client = server.connect().await;
        client.send(post(EVENT)).await;
        let begun = within(server.inbox.0.begun.acquire()).await;
        begun.unwrap().forget();
        busy.push(client);
    }
    for mut client in kept {
        client.closed().await;
    }
    let mut late = server.connect().await;
    assert_eq!(late.reply().await.status, 503);
    server.inbox.0.gate.add_permits(PLACES);
    for mut client in busy {
        assert_eq!(client.reply().await.status, 200);
    }
}
