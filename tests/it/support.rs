//! A service process of the test's own, and the peers it talks to.

pub(crate) mod proxy;
pub(crate) mod sink;
pub(crate) mod smtp;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A running `falco-herald serve`.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) events: String,
    pub(crate) admin: String,
    /// What it has written to standard error.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Starts a service with a configuration; `listen`, `admin` and `store` are filled in.
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        Self::start_after(folder, config, "")
    }

    /// The same, in a shell that runs `before` first: for limits that a process inherits.
    pub(crate) fn start_after(folder: &Path, config: &str, before: &str) -> Self {
        Self::start_with(folder, config, before, Stdio::inherit())
    }

    /// The same with another standard input.
    pub(crate) fn start_with(folder: &Path, config: &str, before: &str, input: Stdio) -> Self {
        let file = folder.join("herald.yaml");
        let store = folder.join("store");
        let text = format!(
            "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstore: {{ path: {} }}\n{config}",
            store.display()
        );
        std::fs::write(&file, text).unwrap();
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("{before}\nexec \"$0\" serve --config \"$1\""))
            .arg(env!("CARGO_BIN_EXE_falco-herald"))
            .arg(&file)
            .stdin(input)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        let (events, admin) = loop {
            let line = log
                .next()
                .unwrap_or_else(|| panic!("no start: {seen:?}"))
                .unwrap();
            let entry: serde_json::Value = serde_json::from_str(&line).unwrap();
            if entry["message"] == "listening" {
                let address = |name: &str| entry[name].as_str().unwrap().to_owned();
                break (address("events"), address("admin"));
            }
            seen.push(line);
        };
        let lines = Arc::new(Mutex::new(seen));
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in log.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            child,
            events,
            admin,
            log: lines,
        }
    }

    /// Ends the process as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends the process as Kubernetes does; the exit code.
    pub(crate) fn terminate(self) -> Option<i32> {
        self.signal("TERM");
        self.exit_code()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Already ended in tests that went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits until `ready` holds.
pub(crate) async fn until(what: &str, mut ready: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !ready().await {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An HTTP client without proxy. One for all tests, because making one reads all root certificates;
/// without kept connections, because each test has a runtime of its own.
pub(crate) fn client() -> &'static reqwest::Client {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        drop(rustls::crypto::ring::default_provider().install_default());
        let builder = reqwest::Client::builder().no_proxy();
        builder.pool_max_idle_per_host(0).build().unwrap()
    });
    &CLIENT
}

/// An event of ours with a number in it.
pub(crate) fn event(rule: &str, number: usize) -> String {
    serde_json::json!({
        "uuid": "0", "rule": rule, "priority": "Critical", "time": "2026-03-01T10:15:00Z",
        "output": "x", "source": "syscall", "hostname": "node-1",
        "output_fields": { "proc.name": "sh", "proc.cmdline": format!("sh -c {number}") },
    })
    .to_string()
}

/// Fetches JSON from the admin listener.
pub(crate) async fn api(service: &Service, path: &str) -> serde_json::Value {
    let url = format!("http://{}/api/v1/{path}", service.admin);
    client()
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

/// Tests, and reports of sensors that lost nothing, are told to nobody.
pub(crate) fn is_told(event: &str) -> bool {
    let told_to_nobody = ["\"Test rule\"", "\"Falco internal: metrics snapshot\""];
    !told_to_nobody.iter().any(|rule| event.contains(rule))
}

/// The recorded events, one a line; `None` where the corpus is not here.
pub(crate) fn recorded() -> Option<Vec<String>> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/real-events.ndjson");
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().map(str::to_owned).collect())
}
