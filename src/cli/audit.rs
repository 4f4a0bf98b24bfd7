//! `audit`: received = the sum of fates.

use std::fmt::Write;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;

use super::{ConfigFile, api, print};
use crate::clock::Clock;
use crate::store::{Audit as Found, Period, Store, StoreError};

/// Prove that every event is accounted for.
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Only events received at or after this time, such as 2026-03-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Only events received before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
}

impl Audit {
    pub(super) async fn run(self) -> Result<()> {
        let found = self.find().await?;
        if self.json {
            print(&format!("{}\n", serde_json::to_string(&found)?))?;
        } else {
            print(&table(&found)?)?;
        }
        anyhow::ensure!(found.balanced, "the account of events does not balance");
        Ok(())
    }

    /// Asks the running service, or reads the store when none runs.
    async fn find(&self) -> Result<Found> {
        let folder = self.file.load()?.config.store.path;
        // Opening makes a store where there is none: an audit of nothing would balance.
        anyhow::ensure!(
            folder.join("state.db").exists(),
            "there is no store at {}",
            folder.display()
        );
        match Store::open(&folder, &Clock::system()) {
            Ok(store) => {
                let period = Period {
                    from: self.from,
                    to: self.to,
                    ..Period::default()
                };
                let found = store.audit(period).await;
                store.close().await;
                Ok(found?)
            }
            Err(StoreError::InUse { .. }) => {
                let bounds = [("from", self.from), ("to", self.to)].into_iter();
                let query: Vec<String> = bounds
                    .filter_map(|(name, time)| Some(format!("{name}={}", time?)))
                    .collect();
                let answer = api::get(&self.file, &format!("audit?{}", query.join("&"))).await?;
                Ok(serde_json::from_value(answer)?)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn table(found: &Found) -> Result<String> {
    let mut text = format!("received\t{}\n", found.received);
    for (account, events) in &found.fates {
        writeln!(text, "{}\t{events}", account.name())?;
    }
    for (destination, fates) in &found.destinations {
        let fates: Vec<_> = fates
            .iter()
            .map(|(account, events)| format!("{} {events}", account.name()))
            .collect();
        writeln!(text, "at {destination}\t{}", fates.join(", "))?;
    }
    for problem in &found.problems {
        writeln!(text, "problem\t{problem}")?;
    }
    let verdict = if found.balanced { "yes" } else { "NO" };
    writeln!(text, "balanced\t{verdict}")?;
    Ok(text)
}
