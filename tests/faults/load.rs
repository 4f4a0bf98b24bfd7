//! Senders such as Falco: each has one connection and one request at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::history::{Answer, Post, event};
use crate::rig::Rig;
use crate::wire::{header, until_blank_line};

/// How long a sender waits for its answer.
const WAIT: Duration = Duration::from_secs(20);

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) senders: u32,
    /// Events in one request.
    pub(crate) batch: u64,
    /// Incidents over which the events are spread, from the first on.
    pub(crate) groups: u32,
    pub(crate) first_group: u32,
    /// Between an answer and the next request.
    pub(crate) pause: Duration,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            senders: 8,
            batch: 1,
            groups: 24,
            first_group: 0,
            pause: Duration::from_millis(5),
        }
    }
}

/// Senders at work.
pub(crate) struct Senders {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Senders {
    /// Sends to where the rig's service is, also when it moves.
    pub(crate) fn start(rig: &Rig, load: Load) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..load.senders).map(|number| {
            let (rig, stop) = (rig.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut connection = Connection::default();
                let mut turn = number;
                while !stop.load(Ordering::Relaxed) {
                    let group = load.first_group + turn % load.groups;
                    turn += load.senders + 1;
                    connection.post(&rig, group, load.batch, false).await;
                    tokio::time::sleep(load.pause).await;
                }
            })
        });
        let tasks = tasks.collect();
        Self { stop, tasks }
    }

    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// A sender's connection, made when it is needed.
#[derive(Default)]
pub(crate) struct Connection {
    stream: Option<(String, TcpStream)>,
}

impl Connection {
    /// Posts new events of a group and writes down what came of it.
    pub(crate) async fn post(
        &mut self,
        rig: &Rig,
        group: u32,
        events: u64,
        critical: bool,
    ) -> Answer {
        let Some(address) = rig.address() else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            return Answer::Refused(0);
        };
        let first = rig.take_ids(events);
        let bodies: Vec<_> = (first..first + events)
            .map(|id| event(group, id, critical))
            .collect();
        let body = if events == 1 {
            bodies.concat()
        } else {
            format!("[{}]", bodies.join(","))
        };
        let sent = rig.now();
        let answer = self.exchange(&address, &[], body.as_bytes()).await;
        let post = Post {
            group,
            first,
            events,
            critical,
            answer,
            sent,
            answered: rig.now(),
        };
        rig.note(|history| history.posts.push(post));
        if answer == Answer::Refused(0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        answer
    }

    /// Posts a body as it is.
    pub(crate) async fn exchange(
        &mut self,
        address: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Answer {
        let head = match self.ask(address, headers, body).await {
            Ok(head) => head,
            Err(answer) => return answer,
        };
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        match status {
            Some(200..300) => Answer::Accepted,
            Some(status) => Answer::Refused(status),
            None => Answer::Unknown,
        }
    }

    /// The same; the head of the answer, or what follows from there being none.
    pub(crate) async fn ask(
        &mut self,
        address: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Result<String, Answer> {
        let kept = self.stream.take().filter(|(to, _)| to == address);
        let mut stream = match kept {
            Some((_, stream)) => stream,
            None => TcpStream::connect(address)
                .await
                .map_err(|_| Answer::Refused(0))?,
        };
        let headers: String = headers.iter().flat_map(|line| [line, "\r\n"]).collect();
        let length = body.len();
        let mut request =
            format!("POST / HTTP/1.1\r\nhost: herald\r\n{headers}content-length: {length}\r\n\r\n")
                .into_bytes();
        request.extend_from_slice(body);
        let asked = async {
            // A refusal may come before the whole body is taken.
            let _sent = stream.write_all(&request).await;
            let mut read = Vec::new();
            let head = until_blank_line(&mut stream, &mut read).await.ok()??;
            let length: usize = header(&head, "content-length").parse().unwrap_or(0);
            while read.len() < length {
                if stream.read_buf(&mut read).await.ok()? == 0 {
                    break;
                }
            }
            Some(head)
        };
        let head = tokio::time::timeout(WAIT, asked).await.ok().flatten();
        let head = head.ok_or(Answer::Unknown)?;
        if !header(&head, "connection").eq_ignore_ascii_case("close") {
            self.stream = Some((address.to_owned(), stream));
        }
        Ok(head)
    }
}

/// Fetches a path; status, head and body. `None` when there is no answer within two seconds.
pub(crate) async fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.ok()?;
        let text = String::from_utf8_lossy(&read).into_owned();
        let status = text.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = text.split_once("\r\n\r\n")?;
        Some((status, body.to_owned()))
    };
    tokio::time::timeout(Duration::from_secs(2), asked)
        .await
        .ok()?
}
