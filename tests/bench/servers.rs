//! The servers that are measured beside each other, each on a fresh folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Server, free_address};
use crate::sink::Sink;

/// The service, with its admin listener and its folder.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) server: Server,
    pub(crate) admin: String,
}

impl Service {
    /// Starts `program` over the folder `folder`, which keeps its store. `config` is all but the
    /// listeners and the store.
    pub(crate) async fn start(program: &Path, folder: &Path, config: &str) -> Self {
        let (events, admin) = (free_address(), free_address());
        let file = folder.join("herald.yaml");
        let store = folder.join("store");
        std::fs::create_dir_all(&store).unwrap();
        let store = store.display();
        let text =
            format!("listen: {events}\nadmin: {admin}\nstore: {{ path: {store} }}\n{config}");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .env("RUST_LOG", "error");
        Self {
            server: Server::start(command, events, "/readyz").await,
            admin,
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.server.address
    }

    /// Events that are acknowledged and have not been through the second step; `None` when the
    /// service does not say.
    pub(crate) async fn backlog(&self) -> Option<u64> {
        let page = crate::load::get(&self.admin, "/metrics").await?;
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("falco_herald_inbox_backlog "))?;
        line.trim().parse().ok()
    }

    /// Waits until the second step has caught up.
    pub(crate) async fn drained(&self) {
        while self.backlog().await != Some(0) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// Bytes of the files of a store that was started in `folder`.
pub(crate) fn store_size(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder.join("store")).unwrap();
    let sizes = files.map(|file| file.unwrap().metadata().map_or(0, |data| data.len()));
    sizes.sum()
}

/// One destination, one route.
pub(crate) fn plain(sink: &Sink) -> String {
    format!(
        "destinations:\n  sink: {{ webhook: {{ url: '{}' }} }}\nroute:\n  to: [sink]\n  group_by: [rule, k8s.pod.name]\n",
        sink.url
    )
}

/// Four destinations, ten routes, of which the last ones match.
pub(crate) fn busy(sink: &Sink) -> String {
    use std::fmt::Write;
    let mut text = "destinations:\n".to_owned();
    for number in 1..=4 {
        writeln!(
            text,
            "  sink{number}: {{ webhook: {{ url: '{}' }} }}",
            sink.url
        )
        .unwrap();
    }
    text.push_str(
        "route:\n  to: [sink1]\n  group_by: [rule, k8s.pod.name]\n  group_wait: 0s\n  routes:\n",
    );
    for number in 1..=7 {
        writeln!(
            text,
            "    - {{ to: [sink2], when: k8s.ns.name = team-{number} and priority >= error }}"
        )
        .unwrap();
    }
    text.push_str("    - { to: [sink3], when: priority >= critical, continue: true }\n");
    text.push_str("    - { to: [sink4], when: k8s.ns.name = shop and priority >= warning }\n");
    text
}

/// The bare handler.
pub(crate) async fn baseline() -> Server {
    let address = free_address();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([crate::BASELINE, &address]);
    Server::start(command, address, "/").await
}

/// Alertmanager as Debian packages it; `None` where `tests/peers/install` has not brought it.
pub(crate) async fn alertmanager(folder: &Path) -> Option<Server> {
    let program = peers().join("alertmanager/alertmanager");
    if !program.exists() {
        return None;
    }
    let file = folder.join("alertmanager.yml");
    let config =
        "route: { receiver: none, group_by: [rule, k8s_ns_name] }\nreceivers: [{ name: none }]\n";
    std::fs::write(&file, config).unwrap();
    let address = free_address();
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!(
            "--storage.path={}",
            folder.join("alerts").display()
        ))
        .arg(format!("--web.listen-address={address}"))
        .args(["--cluster.listen-address=", "--log.level=error"])
        .current_dir(peers().join("alertmanager/usr"));
    Some(Server::start(command, address, "/-/ready").await)
}

/// What one writes by hand in an afternoon: `FastAPI` that takes an event and answers. It stores and
/// forwards nothing.
pub(crate) async fn by_hand() -> Option<Server> {
    let python = peers().join("bench/bin/python");
    if !python.exists() {
        return None;
    }
    let address = free_address();
    let (host, port) = address.split_once(':').unwrap();
    let mut command = Command::new(python);
    command
        .args(["-m", "uvicorn", "by_hand:app", "--log-level", "error"])
        .args(["--host", host, "--port", port])
        .arg("--app-dir")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench"));
    Some(Server::start(command, address, "/ping").await)
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers")
}
