//! How a service is started: its configuration, and what it runs under.

use std::path::{Path, PathBuf};

use crate::peer::Peer;
use crate::rig::missing;

/// How a service is started.
#[derive(Clone, Default)]
pub(crate) struct Launch {
    /// All but `listen`, `admin` and `store`.
    pub(crate) config: String,
    /// A program and its arguments that become the service by exec.
    pub(crate) under: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Where the store is, unless in the rig's folder.
    pub(crate) store: Option<PathBuf>,
    pub(crate) output: Output,
}

/// Where the service writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Output {
    /// Into the log that the scenario sees.
    #[default]
    Read,
    Closed,
    /// Into pipes that fill up.
    Unread,
}

impl Launch {
    /// A webhook for each peer, with short retries, and one route to all of them.
    pub(crate) fn to(peers: &[&Peer]) -> Self {
        let entries = peers.iter().map(|peer| peer.entry(RETRIES));
        Self::with(&entries.collect::<String>(), peers)
    }

    /// The same with entries of one's own.
    pub(crate) fn with(entries: &str, peers: &[&Peer]) -> Self {
        let names: Vec<_> = peers.iter().map(|peer| peer.name).collect();
        let names = names.join(", ");
        let config = format!(
            "destinations:\n{entries}route: {{ to: [{names}], group_by: [rule, hostname], group_interval: 200ms }}\n"
        );
        Self {
            config,
            ..Self::default()
        }
    }

    pub(crate) fn under(mut self, words: &[&str]) -> Self {
        self.under = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    pub(crate) fn with_variable(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    pub(crate) fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    pub(crate) fn on(mut self, store: &Path) -> Self {
        self.store = Some(store.to_owned());
        self
    }
}

/// A port that was free just now, for a service that cannot say which one it got.
pub(crate) fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Retries that fit into a test.
pub(crate) const RETRIES: &str = "retry_initial: 100ms, retry_max: 500ms, timeout: 2s";

/// Writes a configuration.
pub(crate) fn write_config(file: &Path, store: &Path, config: &str) {
    let store = store.display();
    let text =
        format!("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstore: {{ path: {store} }}\n{config}");
    std::fs::write(file, text).unwrap();
}

/// What makes a process end with the test that started it, even when that is killed itself.
pub(crate) fn mortal() -> &'static [&'static str] {
    if missing(&["setpriv"]).is_some() {
        return &[];
    }
    &["setpriv", "--pdeathsig", "KILL"]
}
