use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::event;
use crate::metrics::RequestOutcome;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_event_is_stored_byte_for_byte_and_acknowledged_without_a_body() {
    let server = Setup::default().start();
    for (method, path) in [
        ("POST", "/"),
        ("PUT", "/"),
        ("POST", "/any//path/?x=%zz"),
        ("PUT", "/test"),
        ("PUT", "/ping"),
    ] {
        let reply = server
            .ask(request(method, path, "Content-Type: text/plain\r\n", EVENT))
            .await;
        assert_eq!(reply.status, 200, "{method} {path}");
        assert!(reply.has("content-length: 0"), "{}", reply.head);
    }
    assert_eq!(server.inbox.events(), [EVENT; 5]);
    assert_eq!(server.metrics.requests(RequestOutcome::Accepted), 5);
    assert_eq!(server.metrics.received.get(), 5);
    assert_eq!(server.metrics.request_bytes.get(), 5 * EVENT.len() as u64);
}

#[tokio::test]
async fn several_events_of_one_body_are_stored_together() {
    let server = Setup::default().start();
    for body in [format!("[{EVENT}, {EVENT}]"), format!("{EVENT}\n{EVENT}\n")] {
        assert_eq!(server.ask(post(&body)).await.status, 200);
        assert_eq!(
            server.inbox.0.bodies.lock().unwrap().pop().unwrap(),
            [EVENT.as_bytes(); 2]
        );
    }
    let reply = server.ask(post(format!("[{EVENT},{{}}]"))).await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (400, "event 2: `rule` is missing or empty\n")
    );
    assert_eq!(server.inbox.events().len(), 0);
}

#[tokio::test]
async fn only_falco_itself_may_leave_output_fields_out() {
    let server = Setup::default().start();
    let bare = EVENT.replace(r#","output_fields":{"a":1}"#, "");
    assert_eq!(server.ask(post(&bare)).await.status, 400);
    let agent = "User-Agent: falcosecurity/falco\r\n";
    assert_eq!(
        server.ask(request("POST", "/", agent, &bare)).await.status,
        200
    );
}

#[tokio::test]
async fn a_refused_body_is_kept_with_its_reason() {
    let server = Setup::default().start();
    let line = "10:15:00.000000000: Warning Shell";
    let reply = server.ask(post(line)).await;
    assert_eq!(reply.status, 400);
    assert!(reply.has("content-type: text/plain; charset=utf-8"));
    assert!(reply.has("x-content-type-options: nosniff"));
    assert!(reply.body.contains("json_output: true"), "{}", reply.body);
    let refused = server.inbox.0.refused.lock().unwrap().pop().unwrap();
    assert_eq!(
        (refused.body.as_slice(), refused.size),
        (line.as_bytes(), line.len() as u64)
    );
    assert_eq!(format!("{}\n", refused.reason), reply.body);
    assert_eq!(server.metrics.requests(RequestOutcome::Invalid), 1);
}

#[tokio::test]
async fn other_methods_get_the_answer_of_falcosidekick() {
    let server = Setup::default().start();
    for (method, path) in [
        ("GET", "/"),
        ("DELETE", "/x"),
        ("GET", "/test"),
        ("OPTIONS", "*"),
    ] {
        let reply = server.ask(request(method, path, "", "")).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (400, "send events with POST or PUT\n")
        );
    }
    assert_eq!(server.inbox.reasons().len(), 0);
}

#[tokio::test]
async fn a_store_that_cannot_take_it_is_said_so() {
    let server = Setup::default().start();
    for error in [AppendError::Busy, AppendError::Failed] {
        server.inbox.answers(Err(error));
        let mut client = server.connect().await;
        client.send(post(EVENT)).await;
        let reply = client.reply().await;
        assert_eq!(reply.status, 503);
        assert!(
            reply.has("retry-after: 1") && reply.has("connection: close"),
            "{}",
            reply.head
        );
        client.closed().await;
    }
    assert_eq!(server.metrics.requests(RequestOutcome::Unavailable), 2);
    assert_eq!(server.metrics.received.get(), 0);
}

#[tokio::test]
async fn gzip_is_taken_and_everything_else_is_refused() {
    let server = Setup::default().start();
    let ask = async |encoding: &str, body: &[u8]| {
        let header = format!("Content-Encoding: {encoding}\r\n");
        server.ask(request("POST", "/", &header, body)).await
    };
    assert_eq!(ask("gzip", &gzip(EVENT.as_bytes())).await.status, 200);
    assert_eq!(ask("identity", EVENT.as_bytes()).await.status, 200);
    assert_eq!(server.inbox.events(), [EVENT; 2]);

    assert_eq!(ask("gzip", EVENT.as_bytes()).await.status, 400);
    assert_eq!(ask("gzip", &gzip(b"{}")).await.status, 400);
    let bomb = gzip(&vec![b' '; 9 << 20]);
    assert_eq!(ask("gzip", &bomb).await.status, 413);
    let zstd = ask("zstd", EVENT.as_bytes()).await;
    assert_eq!(zstd.status, 415);
    assert!(zstd.has("accept-encoding: gzip"));
    assert_eq!(server.inbox.reasons().len(), 4);
    assert_eq!(server.inbox.events().len(), 2);
}

#[tokio::test]
async fn credentials_guard_events_and_the_self_test_but_not_the_probes() {
    let setup = Setup {
        auth: "basic: { username: falco, password: pw }\nbearer: { token: t0ken }",
        ..Setup::default()
    };
    let server = setup.start();
    let basic = |text: &str| format!("Authorization: Basic {}\r\n", STANDARD.encode(text));
    for path in ["/", "/test"] {
        for good in [
            basic("falco:pw"),
            "Authorization: Bearer t0ken\r\n".to_owned(),
        ] {
            assert_eq!(
                server.ask(request("POST", path, &good, EVENT)).await.status,
                200
            );
        }
        let mut answers = Vec::new();
        for bad in [
            basic("falco:PW"),
            basic("nobody:pw"),
            "Authorization: Bearer no\r\n".to_owned(),
            String::new(),
        ] {
            let reply = server.ask(request("POST", path, &bad, EVENT)).await;
            assert_eq!(reply.status, 401, "{path} {bad}");
            assert!(reply.has("www-authenticate: Basic realm=\"falco-herald\", charset=\"UTF-8\""));
            assert!(reply.has("www-authenticate: Bearer realm=\"falco-herald\""));
            answers.push(reply.body);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "unknown and wrong must look the same");
    }
    assert_eq!(
        server.ask(request("GET", "/ping", "", "")).await.status,
        200
    );
    assert_eq!(server.inbox.events().len(), 4);
    assert_eq!(
        server.inbox.reasons().len(),
        0,
        "strangers must not fill the quarantine"
    );
    assert_eq!(server.metrics.requests(RequestOutcome::Unauthorized), 8);
}

#[tokio::test]
async fn probes_answer_as_those_of_falcosidekick() {
    let server = Setup::default().start();
    for method in ["GET", "POST"] {
        assert_eq!(
            server.ask(request(method, "/ping", "", "")).await.body,
            "pong\n"
        );
        let reply = server.ask(request(method, "/healthz", "", "")).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (200, r#"{"status":"ok"}"#)
        );
        assert!(reply.has("content-type: application/json"));
        let ready = server.ask(request(method, "/readyz", "", "")).await;
        assert_eq!(
            (ready.status, ready.body.as_str()),
            (200, r#"{"status":"ready"}"#)
        );
    }
    let mut client = server.connect().await;
    client
        .send(b"HEAD /ping HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .await;
    let head = client.until("\r\n\r\n").await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    client.closed().await;
}

#[tokio::test]
async fn readiness_follows_the_store_and_the_shutdown() {
    let server = Setup::default().start();
    server.inbox.answers(Err(AppendError::Failed));
    let reply = server.ask(request("GET", "/readyz", "", "")).await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (
            503,
            r#"{"status":"unready","reason":"the store cannot write"}"#
        )
    );
    server.inbox.answers(Ok(()));
    server.stopping.cancel();
    let reply = server.ask(request("GET", "/readyz", "", "")).await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (503, r#"{"status":"unready","reason":"shutting down"}"#)
    );
    assert_eq!(
        server.ask(post(EVENT)).await.status,
        200,
        "events are taken to the end"
    );
}

#[tokio::test]
async fn the_self_test_is_an_event_like_any_other() {
    let server = Setup::default().start();
    let reply = server.ask(request("POST", "/test", "", "anything")).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    let stored = server.inbox.events();
    let events = event::split(stored[0].as_bytes(), event::Sender::Other).unwrap();
    let event = event::decode(events[0]).unwrap();
    assert_eq!(event.rule.raw(), "Test rule");
    assert_eq!(event.priority, event::Priority::Debug);
    assert_eq!(event.source.raw(), "internal");
    assert_eq!(event.time.to_string(), "2026-03-01T10:16:00Z");
    assert_eq!(event.output_fields.len(), 1);
}
