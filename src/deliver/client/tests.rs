use super::*;
use crate::deliver::testing::http::{Peer, Planned};
use crate::deliver::testing::{IMPATIENT, TIMEOUT, retried};

fn after(value: &str) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, value.parse().unwrap());
    retry_after(&headers, Timestamp::from_second(784_111_777).unwrap())
}

#[test]
fn retry_after_is_seconds_or_a_date_and_garbage_is_ignored() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (value, expected) in [
        ("7", seconds(7)),
        (" 7 ", seconds(7)),
        ("1000000000", seconds(1_000_000_000)),
        ("Sun, 06 Nov 1994 08:49:47 GMT", seconds(10)),
        ("Sun, 06 Nov 1994 08:49:27 GMT", None),
        ("-5", None),
        ("99999999999999999999999", None),
        ("soon", None),
        ("", None),
    ] {
        assert_eq!(after(value), expected, "{value}");
    }
    assert_eq!(retry_after(&HeaderMap::new(), Timestamp::UNIX_EPOCH), None);
}

#[test]
fn only_passing_trouble_is_retried() {
    for (status, again) in [
        (500, true),
        (502, true),
        (503, true),
        (429, true),
        (425, true),
        (408, true),
        (301, false),
        (307, false),
        (400, false),
        (401, false),
        (404, false),
        (410, false),
        (422, false),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let error = judge(status, &HeaderMap::new(), Timestamp::UNIX_EPOCH);
        assert_eq!(retried(&error), again, "{status}");
    }
}

async fn get(url: &str, timeout: Duration) -> Result<Answer, SendError> {
    send(client(timeout).unwrap().get(url)).await
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (peer, elsewhere) = (Peer::start().await, Peer::start().await);
    peer.plan([Planned::with(302, "location", &elsewhere.url)]);
    let answer = get(&peer.url, TIMEOUT).await.unwrap();
    assert_eq!(answer.status, StatusCode::FOUND);
    assert!(elsewhere.taken().is_empty());
}

#[tokio::test]
async fn an_answer_without_end_is_read_up_to_the_cap() {
    let peer = Peer::start().await;
    peer.plan([Planned::Endless]);
    assert_eq!(get(&peer.url, TIMEOUT).await.unwrap().body.len(), ANSWER);
}

#[tokio::test]
async fn an_answer_that_comes_in_drops_ends_with_the_time_for_the_whole() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    for head in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: ",
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let peer = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Its beginning is enough.
            stream.read_exact(&mut [0; 16]).await.unwrap();
            stream.write_all(head).await.unwrap();
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let error = get(&url, IMPATIENT).await.err().unwrap();
        assert!(error.reason.ends_with(TIMED_OUT), "{error}");
        peer.abort();
    }
}

#[tokio::test]
async fn no_answer_and_no_listener_are_retried_and_told_apart() {
    let peer = Peer::start().await;
    peer.plan([Planned::Hang]);
    let error = get(&peer.url, IMPATIENT).await.err().unwrap();
    assert_eq!(
        error,
        SendError::retry("the destination did not answer in time", None)
    );
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let error = get(&url, TIMEOUT).await.err().unwrap();
    assert_eq!(
        error,
        SendError::retry("cannot connect to the destination", None)
    );
}

#[tokio::test]
async fn a_certificate_of_nobody_is_refused_and_named_as_the_reason() {
    use crate::deliver::testing::smtp::{FakeSmtp, Security};
    // Any TLS server will do: the handshake ends before a word is said.
    let server = FakeSmtp::start(Security::Implicit).await;
    let url = format!("https://localhost:{}/canary", server.port);
    let error = get(&url, TIMEOUT).await.err().unwrap();
    let reason = "the destination's TLS certificate is not trusted";
    assert_eq!(error, SendError::retry(reason, None));
}
