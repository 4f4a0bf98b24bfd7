//! `serve`: the service, with reload on SIGHUP and on change.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::ConfigFile;
use crate::app::{App, Reload};
use crate::clock::Clock;
use crate::config::{Loaded, resolve};
use crate::deliver::DestinationConfig;
use crate::lifecycle::{Shutdown, on_hangup};

/// How often configuration and templates are looked at. Watching single files misses the symlink
/// swaps by which Kubernetes updates a `ConfigMap`.
const LOOK: Duration = Duration::from_secs(5);

pub(super) async fn run(file: ConfigFile) -> Result<()> {
    let shutdown = Shutdown::new();
    let signals = tokio::spawn(shutdown.clone().on_signals()?);
    let loaded = file.load()?;
    let app = App::build(&loaded, Clock::system(), shutdown.clone()).await?;
    let reload = app.reload();
    let hangup = {
        let (file, reload) = (file.clone(), reload.clone());
        on_hangup(shutdown.soft().clone(), move || apply(&file, &reload))?
    };
    let hangup = tokio::spawn(hangup);
    tracing::info!(
        events = %app.address()?,
        admin = %app.admin_address()?,
        passed_sockets = app.passed_sockets(),
        store = %loaded.config.store.path.display(),
        "listening"
    );
    let watch = tokio::spawn(watch(file, loaded, reload));
    let result = app.run().await;
    for task in [signals, hangup] {
        task.abort();
    }
    watch.abort();
    result
}

fn apply(file: &ConfigFile, reload: &Reload) {
    let resolved = file
        .load()
        .and_then(|loaded| Ok(resolve(&loaded, &Clock::system())?));
    reload.apply(resolved);
}

async fn watch(file: ConfigFile, loaded: Loaded, reload: Reload) {
    let templates = loaded.config.templates.clone();
    let tls = loaded.config.ingest.files().into_iter();
    let destinations = loaded.config.destinations.values();
    let presets = destinations.flat_map(DestinationConfig::files);
    let config = file.path().into_iter().map(Path::to_owned);
    let further = templates.into_iter().chain(tls.chain(presets).cloned());
    let watched: Vec<_> = config.chain(further).collect();
    if watched.is_empty() {
        return;
    }
    let look = || digest(&watched);
    let mut seen = look();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = look();
        if now != seen {
            seen = now;
            apply(&file, &reload);
        }
    }
}

/// Changes when the content of a file does; only compared within this process.
fn digest(watched: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in watched {
        digest_path(path, &mut hasher, 4);
    }
    hasher.finish()
}

fn digest_path(path: &Path, hasher: &mut DefaultHasher, depth: u32) {
    path.hash(hasher);
    if path.is_dir() && depth > 0 {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            digest_path(&path, hasher, depth - 1);
        }
    } else if let Ok(content) = std::fs::read(path) {
        content.hash(hasher);
    }
}
