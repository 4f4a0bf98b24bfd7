use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::sink::Sink;
use crate::support::{Service, api, client, event, is_told, recorded, until};

async fn settled(service: &Service) -> bool {
    let fates = api(service, "fates").await;
    let fates = fates.as_array().unwrap();
    !fates.is_empty() && fates.iter().all(|fate| !fate["fate"].is_null())
}

#[tokio::test]
async fn every_recorded_event_reaches_slack_and_the_webhook() {
    let Some(events) = recorded() else {
        println!("skipped: the corpus of recorded events is not here");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (slack, hook) = (Sink::start().await, Sink::start().await);
    let config = format!(
        "destinations:\n  hook: {{ webhook: {{ url: '{}/in', secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw }} }}\n  soc: {{ slack: {{ token: xoxb-canary, channel: C024, api_url: '{}/api' }} }}\nroute:\n  to: [hook]\n  group_interval: 0s\n  routes:\n    - when: priority >= critical and rule startswith Drop\n      to: [hook, soc]\n",
        hook.url, slack.url
    );
    let service = Service::start(folder.path(), &config);
    for event in &events {
        let answer = client()
            .post(format!("http://{}/", service.events))
            .body(event.clone());
        let answer = answer.send().await.unwrap();
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.text().await.unwrap().as_str()
            ),
            (200, "")
        );
    }
    until("the webhook has been told of every event", async || {
        let fates = api(&service, "fates").await;
        let told: u64 = fates
            .as_array()
            .unwrap()
            .iter()
            .filter(|fate| fate["destination"] != "soc" && !fate["fate"].is_null())
            .map(|fate| fate["events"].as_u64().unwrap())
            .sum();
        told == events.len() as u64
    })
    .await;
    until("slack has a thread", async || slack.taken().len() >= 2).await;
    let posts = slack.taken();
    assert_eq!(posts[0].headers["authorization"], "Bearer xoxb-canary");
    assert!(posts[0].body.get("thread_ts").is_none());
    assert!(posts[1].body.get("thread_ts").is_some());
    // The last message of each incident holds its exact count.
    let mut counts = std::collections::HashMap::new();
    for taken in hook.taken() {
        let incident = &taken.body["data"]["incident"];
        let uid = incident["uid"].as_str().unwrap().to_owned();
        let count = incident["count"].as_u64().unwrap();
        let most = counts.entry(uid).or_insert(0);
        *most = count.max(*most);
    }
    let told = events.iter().filter(|event| is_told(event)).count();
    assert_eq!(counts.values().sum::<u64>(), told as u64);
    assert_eq!(service.terminate(), Some(0));
}

#[tokio::test]
async fn a_signature_is_accepted_by_the_official_verifier() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let config = format!(
        "destinations: {{ hook: {{ webhook: {{ url: '{}', secret: {secret} }} }} }}\nroute: {{ to: [hook] }}\n",
        hook.url
    );
    let service = Service::start(folder.path(), &config);
    let post = client().post(format!("http://{}/any/path", service.events));
    post.body(event("r", 1)).send().await.unwrap();
    until("the webhook is told", async || hook.taken().len() == 1).await;
    let taken = hook.taken().remove(0);
    let webhook = standardwebhooks::Webhook::new(secret).unwrap();
    let body = taken.body.to_string();
    webhook.verify(body.as_bytes(), &taken.headers).unwrap();
    assert_eq!(taken.path, "/");
}

#[tokio::test]
async fn passing_trouble_is_retried_and_a_refusal_becomes_a_dead_letter() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let config = format!(
        "destinations: {{ hook: {{ webhook: {{ url: '{}' }}, delivery: {{ retry_initial: 10ms, retry_max: 20ms }} }} }}\nroute: {{ to: [hook], group_by: [rule] }}\n",
        hook.url
    );
    let service = Service::start(folder.path(), &config);
    hook.refuse(&[(503, "later"), (500, "")]);
    let post = |rule: &str| {
        client()
            .post(format!("http://{}/", service.events))
            .body(event(rule, 1))
    };
    post("first").send().await.unwrap();
    until("the third attempt arrives", async || {
        hook.taken().len() == 1
    })
    .await;
    hook.refuse(&[(409, "no")]);
    post("second").send().await.unwrap();
    until("the second is dead", async || {
        api(&service, "deliveries?state=dead")
            .await
            .as_array()
            .unwrap()
            .len()
            == 1
    })
    .await;
    let dead = api(&service, "deliveries?state=dead").await;
    assert_eq!(dead[0]["detail"], "the destination answered 409");
    let id = dead[0]["id"].as_i64().unwrap();
    let retry = client().post(format!(
        "http://{}/api/v1/deliveries/{id}/retry",
        service.admin
    ));
    assert_eq!(retry.send().await.unwrap().status(), 204);
    // The first, the dead letter, and what Herald says of it.
    until("the dead letter is delivered", async || {
        hook.taken().len() == 3
    })
    .await;
    until("all is settled", async || settled(&service).await).await;
}

#[tokio::test]
async fn what_is_refused_is_answered_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), "");
    let post = |body: Vec<u8>| {
        client()
            .post(format!("http://{}/", service.events))
            .body(body)
    };
    let answer = post(b"{\"rule\":\"\"}".to_vec()).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(
        answer.text().await.unwrap(),
        "event 1: `rule` is missing or empty\n"
    );
    assert_eq!(
        post(vec![b' '; 3 << 20]).send().await.unwrap().status(),
        413
    );
    let listed = api(&service, "quarantine").await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[1]["reason"], "event 1: `rule` is missing or empty");
    let get = client().get(format!("http://{}/", service.events));
    assert_eq!(get.send().await.unwrap().status(), 400);
    let ping = client().get(format!("http://{}/ping", service.events));
    assert_eq!(ping.send().await.unwrap().text().await.unwrap(), "pong\n");
    let metrics = client().get(format!("http://{}/metrics", service.admin));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("falco_herald_requests_total{outcome=\"invalid\"} 2"),
        "{metrics}"
    );
}

/// What the service answers to bytes on a fresh connection, until it closes or `end` is seen.
fn talk(service: &Service, sent: &[&[u8]], end: &str) -> String {
    let mut stream = TcpStream::connect(&service.events).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    for part in sent {
        stream.write_all(part).unwrap();
        stream.flush().unwrap();
    }
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..read]);
        if !end.is_empty() && String::from_utf8_lossy(&answer).contains(end) {
            break;
        }
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn stuck_connections_are_closed_and_odd_framing_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let limits = "ingest: { header_timeout: 300ms, body_timeout: 300ms }\n";
    let service = Service::start(folder.path(), limits);
    // Both wait for the service to close: the read ends.
    assert_eq!(
        talk(&service, &[b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow"], ""),
        ""
    );
    let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{\"rule\"";
    let slow_body = talk(&service, &[head], "");
    assert!(slow_body.starts_with("HTTP/1.1 408 "), "{slow_body}");
    let body = event("chunked", 1);
    let (first, second) = body.split_at(20);
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let answer = talk(&service, &[chunked.as_bytes()], "");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "no body: {answer}");
    let one = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let two = one.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    let pipelined = talk(&service, &[one.as_bytes(), two.as_bytes()], "");
    assert_eq!(pipelined.matches("HTTP/1.1 200 ").count(), 2, "{pipelined}");
    until("three events are counted", async || {
        let incidents = api(&service, "incidents").await;
        incidents[0]["count"] == 3
    })
    .await;
}

#[test]
fn a_second_service_on_the_same_store_refuses_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Service::start(folder.path(), "");
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_falco-herald"))
        .args(["serve", "--config"])
        .arg(folder.path().join("herald.yaml"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("is in use by another falco-herald"));
}

#[test]
fn a_wrong_configuration_is_told_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("herald.yaml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_falco-herald"))
            .args(["check", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, unknown) = check("listen: 127.0.0.1:1\nlisten_on: x\n");
    assert_eq!(code, Some(1));
    assert!(unknown.contains("herald.yaml:2:1:"), "{unknown}");
    let (_, when) = check(
        "destinations: { a: { console: {} } }\nroute:\n  to: [a]\n  routes:\n    - when: priority >= hihg\n",
    );
    assert!(when.contains("herald.yaml:5:13:"), "{when}");
    let (_, to) = check("destinations: { a: { console: {} } }\nroute:\n  to: [b]\n");
    assert!(
        to.contains("herald.yaml:3:7:") && to.contains("no destination `b`"),
        "{to}"
    );
    let (_, size) = check("store:\n  max_size: 1MiB\n");
    assert!(
        size.contains("herald.yaml:2:13:") && size.contains("64MiB at least"),
        "{size}"
    );
}
