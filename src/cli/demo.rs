//! `demo`: the service on a throw-away store, fed with sample events, reports on standard output.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use super::print;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Loaded;
use crate::lifecycle::Shutdown;
use crate::store::Store;

/// Our own events, one a line, in the shapes that Falco and Falcosidekick send.
const EVENTS: &str = include_str!("demo.ndjson");

/// How long a report may take to come out.
const PATIENCE: Duration = Duration::from_secs(20);

/// Run the service with sample events.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// End after the reports instead of waiting for Ctrl-C
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub(super) async fn run(self) -> Result<()> {
        let folder = std::env::temp_dir().join(format!("falco-herald-demo-{}", std::process::id()));
        let result = self.run_in(&folder).await;
        if let Err(error) = std::fs::remove_dir_all(&folder) {
            tracing::debug!(%error, "the demo's store stays");
        }
        result
    }

    async fn run_in(&self, folder: &Path) -> Result<()> {
        let config = format!(
            "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstore: {{ path: {} }}\n\
             route: {{ to: [console], group_interval: 1s }}\ndestinations: {{ console: {{ console: {{}} }} }}\n",
            serde_json::to_string(folder)?
        );
        let loaded = Loaded::from_text(Path::new("demo"), config)?;
        let shutdown = Shutdown::new();
        let signals = tokio::spawn(shutdown.clone().on_signals()?);
        let clock = Clock::system();
        let app = App::build(&loaded, clock.clone(), shutdown.clone()).await?;
        let (address, store) = (app.address()?, app.store());
        let service = tokio::spawn(app.run());
        post(&format!("http://{address}/"), clock.now()).await?;
        said(&store).await?;
        let fates = store.fates().await?;
        let told: u64 = fates.iter().map(|(_, _, events)| events).sum();
        let received = EVENTS.lines().count();
        print(&format!(
            "---\n\n{received} sample events received and stored, {told} told or counted in a report above.\n"
        ))?;
        if self.once {
            shutdown.begin();
        } else {
            print(&format!(
                "Still receiving: curl --data-binary @event.json http://{address}/\nCtrl-C ends the demo.\n"
            ))?;
        }
        let result = service.await.context("the service ended")?;
        signals.abort();
        result
    }
}

/// Fields that hold a time, in nanoseconds.
const TIMES: [&str; 4] = [
    "evt.time",
    "evt.time.iso8601",
    "container.start_ts",
    "proc.exe_ino.ctime",
];

/// A sample event as if it happened now.
fn fresh(event: &str, now: Timestamp) -> Result<String> {
    let mut event: Value = serde_json::from_str(event)?;
    let time: Timestamp = event["time"]
        .as_str()
        .context("a sample event has no time")?
        .parse()?;
    let later = i64::try_from(now.as_nanosecond() - time.as_nanosecond())?;
    event["time"] = now.to_string().into();
    for name in TIMES {
        if let Some(field) = event["output_fields"].get_mut(name)
            && let Some(nanos) = field.as_i64()
        {
            *field = nanos.saturating_add(later).into();
        }
    }
    Ok(event.to_string())
}

async fn post(url: &str, now: Timestamp) -> Result<()> {
    let client = reqwest_client()?;
    for event in EVENTS.lines() {
        let answer = client.post(url).body(fresh(event, now)?).send().await?;
        if !answer.status().is_success() {
            bail!("a sample event was answered with {}", answer.status());
        }
    }
    Ok(())
}

fn reqwest_client() -> Result<reqwest::Client> {
    drop(rustls::crypto::ring::default_provider().install_default());
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// Waits until everything that was posted has been said.
async fn said(store: &Store) -> Result<()> {
    let mut changed = store.outbox_changed();
    let all = async {
        loop {
            changed.borrow_and_update();
            let behind = store.cursor().await? < *store.latest().borrow();
            let fates = store.fates().await?;
            if !behind && fates.iter().all(|(_, fate, _)| fate.is_some()) {
                return Ok(());
            }
            changed.changed().await?;
        }
    };
    tokio::time::timeout(PATIENCE, all)
        .await
        .context("the reports did not come out in time")?
}
