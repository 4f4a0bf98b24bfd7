//! Negative controls: faults that no service survives, which the judge must find.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::launch::Launch;
use crate::load::{Connection, Load, Senders};
use crate::matrix::{Did, Scenario};
use crate::peer::Peer;
use crate::rig::Rig;
use crate::service::Service;
use crate::wire::{header, until_blank_line};

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "control 2",
    name: "the judge finds an acknowledgement that comes before the append",
    tools: &[],
    control: Some("I1"),
    run: |rig| liar(rig).boxed_local(),
}];

/// How much later than its answer a request reaches the service.
const LEAD: Duration = Duration::from_millis(50);

async fn liar(rig: Rig) -> Did {
    let peer = Peer::start(&rig, "good").await;
    let launch = Launch::to(&[&peer]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let before = listener.local_addr().unwrap().to_string();
    let behind = Arc::new(Mutex::new(String::new()));
    let proxy = tokio::spawn(lie(listener, Arc::clone(&behind)));
    for _ in 0..3 {
        let service = Service::start(&rig, &launch).await;
        behind.lock().unwrap().clone_from(&service.events);
        rig.listens_at(Some(&before));
        let senders = Senders::start(&rig, Load::default());
        tokio::time::sleep(Duration::from_millis(300)).await;
        service.crash(&rig).await;
        senders.stop().await;
    }
    proxy.abort();
    let service = Service::start(&rig, &launch).await;
    // It will never be told of everything, so rest is when nothing new comes.
    let mut told = 0;
    crate::rig::until(crate::rig::PATIENCE, async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = rig.note(|history| history.deliveries.len());
        std::mem::replace(&mut told, now) == now
    })
    .await;
    service.terminate().await;
    Did {
        rounds: 3,
        what: "kill -9 behind a proxy that answers 200 before it passes on".into(),
    }
}

/// Answers at once, passes on later.
async fn lie(listener: TcpListener, behind: Arc<Mutex<String>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let behind = Arc::clone(&behind);
        tokio::spawn(async move {
            let mut read = Vec::new();
            while let Some(body) = request(&mut stream, &mut read).await {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                if stream.write_all(answer).await.is_err() {
                    return;
                }
                let address = behind.lock().unwrap().clone();
                tokio::spawn(async move {
                    tokio::time::sleep(LEAD).await;
                    Connection::default().exchange(&address, &[], &body).await
                });
            }
        });
    }
}

async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Vec<u8>> {
    let head = until_blank_line(stream, read).await.ok()??;
    let length: usize = header(&head, "content-length").parse().ok()?;
    while read.len() < length {
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
    Some(read.drain(..length).collect())
}
