//! `check`: whether a configuration works, without doing anything with it.

use anyhow::{Result, bail};
use clap::Args;

use super::{ConfigFile, print};
use crate::clock::Clock;
use crate::config::resolve;
use crate::deliver::Configured;
use crate::http::Auth;

/// Check a configuration and its templates.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    file: ConfigFile,
    /// Ask each destination whether it would take a message, without sending one
    #[arg(long)]
    live: bool,
}

impl Check {
    pub(super) async fn run(self) -> Result<()> {
        let loaded = self.file.load()?;
        let resolved = resolve(&loaded, &Clock::system())?;
        for (auth, section) in [
            (&loaded.config.ingest.auth, "ingest.auth"),
            (&loaded.config.admin_auth, "admin_auth"),
        ] {
            Auth::load(auth, section).map_err(|error| loaded.locate(error.to_string()))?;
        }
        for doubt in &resolved.doubts {
            print(&format!("warning: {doubt}\n"))?;
        }
        let routes = resolved.rules.tree.routes().count();
        let destinations = resolved.setup.destinations.len();
        if self.live {
            ask(&resolved.setup.destinations).await?;
        }
        print(&format!(
            "ok: {routes} routes, {destinations} destinations\n"
        ))
    }
}

/// Asks every destination, and tells of each in a line.
async fn ask(destinations: &[Configured]) -> Result<()> {
    let mut failed = 0;
    for configured in destinations {
        let name = &configured.name;
        let line = match configured.destination.probe() {
            None => format!("{name}: can only be asked by a message; run send-test {name}"),
            Some(probe) => match probe.await {
                Ok(found) => format!("{name}: ok, {found}"),
                Err(error) => {
                    failed += 1;
                    format!("{name}: FAILED, {error}")
                }
            },
        };
        print(&format!("{line}\n"))?;
    }
    if failed > 0 {
        bail!(
            "{failed} of {} destinations would take no message",
            destinations.len()
        );
    }
    Ok(())
}
