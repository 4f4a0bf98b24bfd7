//! A restart that no sender notices: the socket is held by whoever starts the service.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, Service};

const CONFIG: &str = "destinations: { screen: { console: {} } }\nroute: { to: [screen] }\n";

/// What systemd does: the socket is descriptor 3 of the service.
const PASS: &str = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$";

fn start(folder: &Path, socket: &TcpListener) -> Service {
    let socket = OwnedFd::from(socket.try_clone().unwrap());
    Service::start_with(folder, CONFIG, PASS, Stdio::from(socket))
}

/// Posts one event after the other, as Falco does.
struct Sender {
    address: SocketAddr,
    kept: Option<TcpStream>,
}

impl Sender {
    /// Posts one event. A kept connection that turns out closed is replaced once, as HTTP clients do.
    fn post(&mut self, number: u64) -> Result<(), String> {
        if let Some(stream) = self.kept.take() {
            match self.ask(stream, number) {
                Err(error) if is_closed(&error) => {}
                result => return result.map_err(|error| error.to_string()),
            }
        }
        let stream = TcpStream::connect(self.address).map_err(|error| error.to_string())?;
        self.ask(stream, number).map_err(|error| error.to_string())
    }

    fn ask(&mut self, mut stream: TcpStream, number: u64) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let event = format!(
            r#"{{"rule":"R{number}","priority":"Warning","time":"2026-03-01T10:15:00Z","output_fields":{{"a":1}}}}"#
        );
        let length = event.len();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{event}"
        )?;
        let mut answer = Vec::new();
        let mut part = [0; 1024];
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            let read = stream.read(&mut part)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(part.get(..read).unwrap());
        }
        let answer = String::from_utf8_lossy(&answer).to_lowercase();
        if !answer.starts_with("http/1.1 200") {
            return Err(std::io::Error::other(answer));
        }
        if !answer.contains("connection: close") {
            self.kept = Some(stream);
        }
        Ok(())
    }
}

fn is_closed(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}

#[test]
fn five_restarts_refuse_no_connection_and_fail_no_post() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut service = start(folder.path(), &socket);
    assert_eq!(service.events, address.to_string());

    let (over, posted) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (over, posted) = (Arc::clone(&over), Arc::clone(&posted));
            let mut sender = Sender {
                address,
                kept: None,
            };
            std::thread::spawn(move || {
                let mut failures = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let number = posted.fetch_add(1, Ordering::Relaxed);
                    failures.extend(sender.post(number % 50).err());
                    std::thread::sleep(Duration::from_millis(2));
                }
                failures
            })
        })
        .collect();
    let began = Instant::now();
    for restart in 1..=5_u32 {
        let due = Duration::from_millis(1500) * restart;
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        assert_eq!(service.terminate(), Some(0));
        service = start(folder.path(), &socket);
    }
    std::thread::sleep(Duration::from_secs(1));
    over.store(true, Ordering::Relaxed);
    let failures: Vec<_> = senders
        .into_iter()
        .flat_map(|sender| sender.join().unwrap())
        .collect();
    let posted = posted.load(Ordering::Relaxed);
    assert!(
        failures.is_empty(),
        "{} of {posted}: {failures:?}",
        failures.len()
    );
    assert!(posted > 100, "{posted}");
}

#[test]
fn what_is_passed_and_no_listener_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("herald.yaml");
    let text = format!(
        "store: {{ path: {} }}\n{CONFIG}",
        folder.path().join("store").display()
    );
    std::fs::write(&file, text).unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let output = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("{PASS}\nexec \"$0\" serve --config \"$1\""))
        .arg(env!("CARGO_BIN_EXE_falco-herald"))
        .arg(&file)
        .stdin(Stdio::from(OwnedFd::from(udp)))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(error.contains("is no TCP listener"), "{error}");
}
