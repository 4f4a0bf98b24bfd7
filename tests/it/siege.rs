//! Peers that take what they can get: connections, and with them descriptors.

use std::io::Write;
use std::net::TcpStream;

use crate::support::sink::Sink;
use crate::support::{Service, client, event, until};

#[tokio::test(flavor = "multi_thread")]
async fn with_few_descriptors_silent_peers_take_none_from_senders_store_and_destinations() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let config = format!(
        "destinations: {{ hook: {{ webhook: {{ url: '{}' }} }} }}\nroute: {{ to: [hook], group_by: [rule] }}\n",
        hook.url
    );
    let service = Service::start_after(folder.path(), &config, "ulimit -n 64");
    let silent: Vec<_> = [&service.events, &service.admin]
        .into_iter()
        .cycle()
        .take(200)
        .map(|address| {
            let mut stream = TcpStream::connect(address).unwrap();
            // Whether it is heard or has had to go already is the same.
            drop(stream.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nX: "));
            stream
        })
        .collect();
    for number in 0..20 {
        let post = client().post(format!("http://{}/", service.events));
        let post = post.body(event(&format!("rule {number}"), 1));
        let answer = post.send().await;
        let answer = answer.unwrap_or_else(|error| {
            panic!(
                "post {number}: {error:?}, log: {:?}",
                service.log.lock().unwrap()
            )
        });
        assert_eq!(answer.status(), 200);
    }
    until("all are told", async || hook.taken().len() == 20).await;
    let metrics = client().get(format!("http://{}/metrics", service.admin));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("falco_herald_connections_refused_total 0"),
        "{metrics}"
    );
    assert!(!metrics.contains("falco_herald_connections_evicted_total 0"));
    let log = service.log.lock().unwrap().join("\n");
    assert!(log.contains("fewer connections than configured"), "{log}");
    assert!(!log.contains("cannot accept"), "{log}");
    drop(silent);
    assert_eq!(service.terminate(), Some(0));
}
