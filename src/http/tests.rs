//! Over real sockets: what counts is what a sender sees on the wire.

mod intake;
mod lifetime;
mod places;
mod tls;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    Auth, ConnectionLimits, Inbox, Ingest, Limits, Listener, Readiness, ingest_router, serve,
};
use crate::clock::Clock;
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::store::{AppendError, Refused};

const EVENT: &str =
    r#"{"rule":"R","priority":"Warning","time":"2026-03-01T10:15:00Z","output_fields":{"a":1}}"#;

/// Nothing in these tests takes this long unless it hangs.
const HANGS: Duration = Duration::from_secs(20);

/// A store that remembers.
#[derive(Clone, Default)]
struct Recorder(Arc<Recorded>);

struct Recorded {
    bodies: Mutex<Vec<Vec<Vec<u8>>>>,
    refused: Mutex<Vec<Refused>>,
    answer: Mutex<Result<(), AppendError>>,
    /// An append takes a permit; without permits it waits.
    gate: Semaphore,
    /// Gets a permit for each append that has begun.
    begun: Semaphore,
    /// Gets a permit for each refused body.
    kept: Semaphore,
}

impl Default for Recorded {
    fn default() -> Self {
        Self {
            bodies: Mutex::default(),
            refused: Mutex::default(),
            answer: Mutex::new(Ok(())),
            gate: Semaphore::new(1_000_000),
            begun: Semaphore::new(0),
            kept: Semaphore::new(0),
        }
    }
}

impl Recorder {
    fn events(&self) -> Vec<String> {
        let bodies = self.0.bodies.lock().unwrap();
        bodies
            .iter()
            .flatten()
            .map(|event| String::from_utf8_lossy(event).into_owned())
            .collect()
    }

    fn reasons(&self) -> Vec<String> {
        self.0
            .refused
            .lock()
            .unwrap()
            .iter()
            .map(|refused| refused.reason.clone())
            .collect()
    }

    fn answers(&self, answer: Result<(), AppendError>) {
        *self.0.answer.lock().unwrap() = answer;
    }
}

impl Inbox for Recorder {
    async fn append(&self, _: Timestamp, events: Vec<Vec<u8>>) -> Result<(), AppendError> {
        self.0.begun.add_permits(1);
        self.0.gate.acquire().await.unwrap().forget();
        let answer = *self.0.answer.lock().unwrap();
        if answer.is_ok() {
            self.0.bodies.lock().unwrap().push(events);
        }
        answer
    }

    async fn quarantine(&self, refused: Refused) -> Result<(), AppendError> {
        self.0.refused.lock().unwrap().push(refused);
        self.0.kept.add_permits(1);
        Ok(())
    }

    fn is_writable(&self) -> bool {
        self.0.answer.lock().unwrap().is_ok()
    }
}

/// How a test's listener differs from the usual one.
struct Setup {
    auth: &'static str,
    limits: Limits,
    connections: ConnectionLimits,
    tls: Option<watch::Receiver<Arc<rustls::ServerConfig>>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            auth: "{}",
            limits: Limits {
                max_body: 2 << 20,
                max_decoded: 8 << 20,
                body_timeout: HANGS,
            },
            connections: ConnectionLimits {
                max_connections: 64,
                header_timeout: HANGS,
                idle_timeout: HANGS,
                drain_timeout: HANGS,
            },
            tls: None,
        }
    }
}

struct Server {
    address: SocketAddr,
    inbox: Recorder,
    metrics: Metrics,
    stopping: CancellationToken,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Setup {
    fn start(self) -> Server {
        let inbox = Recorder::default();
        let metrics = Metrics::default();
        let stopping = CancellationToken::new();
        let readiness = Readiness::new(stopping.clone());
        let router = ingest_router(Ingest {
            inbox: inbox.clone(),
            clock: Clock::manual("2026-03-01T10:16:00Z".parse().unwrap()),
            auth: Auth::load(&serde_saphyr::from_str(self.auth).unwrap(), "ingest.auth").unwrap(),
            limits: self.limits,
            metrics: metrics.clone(),
            readiness,
        });
        let socket = TcpSocket::new_v4().unwrap();
        // Connections inherit it; the less the system buffers, the sooner a test sees a stall.
        socket.set_send_buffer_size(4096).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let socket = socket.listen(64).unwrap();
        let address = socket.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let stop = shutdown.soft().clone();
        let listener = Listener {
            socket,
            tls: self.tls,
            router,
            limits: self.connections,
            metrics: metrics.clone(),
        };
        let task = tokio::spawn(serve(listener, shutdown));
        Server {
            address,
            inbox,
            metrics,
            stopping,
            stop,
            task,
        }
    }
}

impl Server {
    async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// The answer to one request on a connection of its own.
    async fn ask(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut client = self.connect().await;
        client.send(request).await;
        client.reply().await
    }

    async fn stopped(self) {
        self.stop.cancel();
        within(self.task).await.unwrap();
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANGS, future).await.expect("it hangs")
}

fn request(method: &str, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: h\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn post(body: impl AsRef<[u8]>) -> Vec<u8> {
    request("POST", "/", "", body)
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn has(&self, header: &str) -> bool {
        self.head
            .lines()
            .any(|line| line.eq_ignore_ascii_case(header))
    }
}

/// One end of a connection that sees every byte.
struct Client<S> {
    stream: S,
    unread: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The server may have heard enough; what counts is its answer.
        let _ = within(self.stream.write_all(bytes.as_ref())).await;
        let _ = within(self.stream.flush()).await;
    }

    /// Reads until `end` is in the buffer and returns everything up to it; `None` at the end.
    async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            let text = String::from_utf8_lossy(&self.unread);
            if let Some(at) = text.find(end) {
                let found: Vec<u8> = self.unread.drain(..at + end.len()).collect();
                return Some(String::from_utf8(found).unwrap());
            }
            let mut chunk = [0; 4096];
            match within(self.stream.read(&mut chunk)).await {
                Ok(read @ 1..) => self.unread.extend_from_slice(&chunk[..read]),
                Ok(0) | Err(_) => return None,
            }
        }
    }

    async fn next_reply(&mut self) -> Option<Reply> {
        let head = self.until("\r\n\r\n").await?;
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length {
            let mut chunk = [0; 4096];
            let read = within(self.stream.read(&mut chunk)).await.unwrap();
            assert_ne!(read, 0, "the answer is cut off");
            self.unread.extend_from_slice(&chunk[..read]);
        }
        let body: Vec<u8> = self.unread.drain(..length).collect();
        Some(Reply {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: String::from_utf8(body).unwrap(),
        })
    }

    async fn reply(&mut self) -> Reply {
        self.next_reply().await.expect("an answer")
    }

    /// Waits until the server closes, and fails if it says anything more.
    async fn closed(&mut self) {
        assert_eq!(self.until("\u{0}never").await, None);
        assert_eq!(String::from_utf8_lossy(&self.unread), "");
    }
}
