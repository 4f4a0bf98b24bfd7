//! A server as a process, and what the kernel says it has used.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::load::get;

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

/// What a process has used since it started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// Bytes that went to the disk.
    pub(crate) written: u64,
    /// MiB.
    pub(crate) resident: f64,
    /// How often its threads stopped to wait.
    pub(crate) waits: u64,
}

impl Server {
    /// Starts one and waits until it answers `path` with 2xx.
    pub(crate) async fn start(mut command: Command, address: String, path: &str) -> Self {
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut server = Self { child, address };
        let began = Instant::now();
        while get(&server.address, path).await.is_none() {
            let ended = server.child.try_wait().unwrap();
            let waits = ended.is_none() && began.elapsed() < Duration::from_mins(1);
            assert!(waits, "{command:?} does not answer: {ended:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server
    }

    pub(crate) fn usage(&self) -> Usage {
        let read = |name: &str| {
            let path = format!("/proc/{}/{name}", self.child.id());
            std::fs::read_to_string(path).unwrap_or_default()
        };
        let number = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok())
                .unwrap_or(0_u64)
        };
        let stat = read("stat");
        let ticks = stat.rsplit_once(") ").map(|(_, fields)| fields);
        let ticks = ticks.unwrap_or("").split(' ').skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let waits = threads.into_iter().flatten().flatten().map(|thread| {
            let text = std::fs::read_to_string(thread.path().join("status"));
            number(&text.unwrap_or_default(), "voluntary_ctxt_switches:")
        });
        Usage {
            cpu: Duration::from_millis(ticks * 10),
            written: number(&read("io"), "write_bytes:"),
            resident: number(&read("status"), "VmRSS:") as f64 / 1024.0,
            waits: waits.sum(),
        }
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The service ends in good order, so that its store is whole for what comes next.
        let pid = self.child.id().to_string();
        drop(Command::new("kill").arg(pid).status());
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if began.elapsed() > Duration::from_secs(20) {
                drop(self.child.kill());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// An address that was free just now.
pub(crate) fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
