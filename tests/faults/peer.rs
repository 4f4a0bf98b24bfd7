//! A destination's other end, which can go wrong in every way that a peer does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::history::{self, Delivery, Taking};
use crate::rig::{Rig, until};
use crate::wire::{header, until_blank_line};

/// What a peer does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    Well,
    /// A status, and header lines that end with CR LF.
    Answer(u16, String),
    /// 503 for each n-th request.
    Flaky(u64),
    /// Answers after a while.
    Slow(Duration),
    /// Never answers.
    Silent,
    /// One byte a second.
    Drip,
    /// A body that never ends.
    Endless,
    /// Answers, and never closes nor says how long the answer is.
    Lingering,
    /// Resets the connection after the head.
    ResetEarly,
    /// Resets the connection after the whole request.
    ResetLate,
}

/// The peer. It listens on one port for its whole life, except while it is down.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    name: &'static str,
    rig: Rig,
    mode: Mutex<Mode>,
    requests: AtomicU64,
    tls: Mutex<Option<tokio_rustls::TlsAcceptor>>,
}

impl Peer {
    /// A peer that works; the history has it as a destination.
    pub(crate) async fn start(rig: &Rig, name: &'static str) -> Self {
        let peer = Self::bystander(rig, name).await;
        rig.note(|history| history.destinations.push(name));
        peer
    }

    /// A peer that need not be told of everything.
    pub(crate) async fn bystander(rig: &Rig, name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            name,
            rig: rig.clone(),
            mode: Mutex::new(Mode::Well),
            requests: AtomicU64::new(0),
            tls: Mutex::new(None),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        let task = Mutex::new(Some(task));
        Self {
            name,
            port,
            shared,
            task,
        }
    }

    /// One that no fault touches.
    pub(crate) async fn healthy(rig: &Rig, name: &'static str) -> Self {
        rig.note(|history| history.healthy.push(name));
        Self::start(rig, name).await
    }

    /// Its entry under `destinations`, with `delivery` settings in flow style.
    pub(crate) fn entry(&self, delivery: &str) -> String {
        let port = self.port;
        self.entry_at(&format!("http://127.0.0.1:{port}"), delivery)
    }

    pub(crate) fn entry_at(&self, url: &str, delivery: &str) -> String {
        let name = self.name;
        format!("  {name}: {{ webhook: {{ url: '{url}' }}, delivery: {{ {delivery} }} }}\n")
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    pub(crate) fn speak_tls(&self, acceptor: Option<tokio_rustls::TlsAcceptor>) {
        *self.shared.tls.lock().unwrap() = acceptor;
    }

    /// Requests that have come, whole or not; with TLS, also handshakes that failed.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Closes its socket and all connections.
    pub(crate) async fn go_down(&self) {
        let task = self.task.lock().unwrap().take();
        if let Some(task) = task {
            task.abort();
            // Ended or aborted, the socket is closed.
            drop(task.await);
        }
    }

    pub(crate) async fn come_back(&self) {
        let address = format!("127.0.0.1:{}", self.port);
        let listener = TcpListener::bind(address).await.unwrap();
        let task = tokio::spawn(accept(listener, Arc::clone(&self.shared)));
        *self.task.lock().unwrap() = Some(task);
    }

    /// Its port takes no connection and refuses none, until what is returned is dropped.
    pub(crate) async fn black_hole(&self) -> (TcpListener, Vec<TcpStream>) {
        self.go_down().await;
        let address = format!("127.0.0.1:{}", self.port).parse().unwrap();
        let mut narrow = None;
        until(Duration::from_secs(5), async || {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            narrow = socket.bind(address).and_then(|()| socket.listen(1)).ok();
            narrow.is_some()
        })
        .await;
        let listener = narrow.unwrap();
        let mut fill = Vec::new();
        let patience = Duration::from_millis(200);
        while let Ok(Ok(stream)) = tokio::time::timeout(patience, TcpStream::connect(address)).await
        {
            fill.push(stream);
        }
        (listener, fill)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap().take() {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let acceptor = shared.tls.lock().unwrap().clone();
            // A peer that goes away ends its connection, nothing else.
            let _ended = match acceptor {
                Some(acceptor) => {
                    shared.requests.fetch_add(1, Ordering::SeqCst);
                    match acceptor.accept(stream).await {
                        Ok(stream) => serve(stream, &shared).await.map(drop),
                        Err(error) => Err(error),
                    }
                }
                None => match serve(stream, &shared).await {
                    Ok(Some(stream)) => stream.set_zero_linger(),
                    ended => ended.map(drop),
                },
            };
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Serves requests until the connection ends; gives it back when it is to be reset.
async fn serve<S>(mut stream: S, shared: &Shared) -> std::io::Result<Option<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut read = Vec::new();
    loop {
        let Some(head) = until_blank_line(&mut stream, &mut read).await? else {
            return Ok(None);
        };
        let number = shared.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let mode = shared.mode.lock().unwrap().clone();
        if matches!(mode, Mode::ResetEarly) {
            return Ok(Some(stream));
        }
        let length: usize = header(&head, "content-length").parse().unwrap_or(0);
        while read.len() < length {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(None);
            }
        }
        let body: Vec<u8> = read.drain(..length).collect();
        let taking = match &mode {
            Mode::Answer(status, _) if !(200..300).contains(status) => Taking::Refused,
            Mode::Flaky(each) if number.is_multiple_of(*each) => Taking::Refused,
            Mode::Silent | Mode::Drip | Mode::Endless | Mode::Lingering | Mode::ResetLate => {
                Taking::Ambiguous
            }
            _ => Taking::Taken,
        };
        record(shared, &head, &body, taking);
        let answer = match mode {
            Mode::Answer(status, headers) => {
                format!("HTTP/1.1 {status} x\r\n{headers}content-length: 0\r\n\r\n")
            }
            Mode::Flaky(_) if taking == Taking::Refused => {
                "HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            Mode::Slow(wait) => {
                tokio::time::sleep(wait).await;
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned()
            }
            Mode::Silent => std::future::pending().await,
            Mode::Drip => {
                for byte in "HTTP/1.1 200 OK\r\nx-slow: yes\r\n".bytes().cycle() {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                return Ok(None);
            }
            Mode::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    stream.write_all(&[b'x'; 4096]).await?;
                    tokio::task::yield_now().await;
                }
            }
            Mode::Lingering => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nok").await?;
                std::future::pending().await
            }
            Mode::ResetLate | Mode::ResetEarly => return Ok(Some(stream)),
            Mode::Well | Mode::Flaky(_) => {
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned()
            }
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

fn record(shared: &Shared, head: &str, body: &[u8], taking: Taking) {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let data = &body["data"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rule = text(&data["incident"]["rule"]);
    let group = history::group(&rule);
    let at = shared.rig.now();
    let delivery = Delivery {
        destination: shared.name,
        key: header(head, "webhook-id").to_owned(),
        uid: text(&data["incident"]["uid"]),
        group,
        own: group.is_none().then_some(rule),
        event: history::id(&text(&data["event"]["output_fields"]["proc.cmdline"])),
        count: data["incident"]["count"].as_u64().unwrap_or(0),
        opens: body["type"] == "incident.open",
        at,
        taking,
    };
    shared.rig.note(|history| history.deliveries.push(delivery));
}
