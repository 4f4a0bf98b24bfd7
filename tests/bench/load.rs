//! Load: a fixed number of connections that each wait for their answer (closed loop), or requests at
//! fixed moments whose latency counts from the moment they were due (open loop), so that a server
//! that stalls is charged for everything that had to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::events::Request;

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) took: Duration,
    /// Microseconds, sorted.
    latencies: Vec<u32>,
}

impl Load {
    pub(crate) fn rate(&self) -> f64 {
        self.accepted as f64 / self.took.as_secs_f64()
    }

    /// The latency that the share `share` of the requests stayed within.
    pub(crate) fn within(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        let micros = self.latencies.get(place).copied().unwrap_or(u32::MAX);
        Duration::from_micros(u64::from(micros))
    }

    fn join(parts: Vec<Self>, took: Duration) -> Self {
        let mut all = Self {
            took,
            ..Self::default()
        };
        for part in parts {
            all.accepted += part.accepted;
            all.refused += part.refused;
            all.latencies.extend(part.latencies);
        }
        all.latencies.sort_unstable();
        all
    }

    fn note(&mut self, accepted: bool, latency: Duration) {
        *(if accepted {
            &mut self.accepted
        } else {
            &mut self.refused
        }) += 1;
        self.latencies
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }
}

/// `connections` that post as fast as they are answered, for `length`.
pub(crate) async fn closed(
    address: &str,
    request: &Request,
    connections: usize,
    length: Duration,
) -> Load {
    let opened = connect(address, connections).await;
    let began = Instant::now();
    let tasks = opened
        .into_iter()
        .map(|mut connection| {
            let mut request = request.clone();
            tokio::spawn(async move {
                let mut load = Load::default();
                while began.elapsed() < length {
                    let asked = Instant::now();
                    let accepted = connection.post(request.next()).await;
                    load.note(accepted, asked.elapsed());
                }
                load
            })
        })
        .collect();
    gather(tasks, began).await
}

/// `count` requests at `rate` a second over `connections`.
pub(crate) async fn open(
    address: &str,
    request: &Request,
    connections: usize,
    rate: u32,
    count: u64,
) -> Load {
    let opened = connect(address, connections).await;
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let tasks = opened
        .into_iter()
        .map(|mut connection| {
            let (mut request, next) = (request.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                let mut load = Load::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return load;
                    }
                    let due = began + Duration::from_secs_f64(number as f64 / f64::from(rate));
                    tokio::time::sleep_until(due.into()).await;
                    let accepted = connection.post(request.next()).await;
                    load.note(accepted, due.elapsed());
                }
            })
        })
        .collect();
    gather(tasks, began).await
}

async fn connect(address: &str, connections: usize) -> Vec<Connection> {
    let mut opened = Vec::with_capacity(connections);
    for _ in 0..connections {
        opened.push(Connection::open(address).await);
    }
    opened
}

async fn gather(tasks: Vec<tokio::task::JoinHandle<Load>>, began: Instant) -> Load {
    let mut parts = Vec::new();
    for task in tasks {
        parts.push(task.await.unwrap());
    }
    Load::join(parts, began.elapsed())
}

/// A kept connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            answer: Vec::with_capacity(4_096),
        }
    }

    /// Whether it was accepted.
    pub(crate) async fn post(&mut self, request: &[u8]) -> bool {
        self.ask(request).await.is_some_and(|(code, _)| code < 300)
    }

    /// The status and the body of the answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Option<(u16, &str)> {
        self.stream.write_all(request).await.ok()?;
        self.answer.clear();
        let head = loop {
            if self.stream.read_buf(&mut self.answer).await.ok()? == 0 {
                return None;
            }
            let end = self.answer.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(self.answer.get(..head)?).ok()?;
        let code = text.get(9..12)?.parse().ok()?;
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        let whole = head + length.unwrap_or(0);
        while self.answer.len() < whole {
            if self.stream.read_buf(&mut self.answer).await.ok()? == 0 {
                return None;
            }
        }
        Some((code, std::str::from_utf8(self.answer.get(head..)?).ok()?))
    }
}

/// The body of a page; `None` unless it was answered with 2xx.
pub(crate) async fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let ask = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 2").then(|| body.to_owned())
}
