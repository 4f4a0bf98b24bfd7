//! `render`: the report for events, in any format.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use super::{ConfigFile, print, subject};
use crate::clock::Clock;
use crate::config::resolve;
use crate::markup::format::Format;

/// Print the report for events.
#[derive(Debug, Args)]
pub(super) struct Render {
    #[command(flatten)]
    file: ConfigFile,
    /// The format to print
    #[arg(long, value_enum, default_value_t)]
    to: Format,
    /// Events as Falco posts them, one per line; `-` for standard input
    events: PathBuf,
}

impl Render {
    pub(super) fn run(self) -> Result<()> {
        let clock = Clock::system();
        let loaded = self.file.load()?;
        let resolved = resolve(&loaded, &clock)?;
        let body = subject::read(&self.events)?;
        let now = clock.now();
        for alert in subject::alerts(&body, &resolved, now)? {
            let alert = subject::masked(alert, &resolved);
            let route = resolved.rules.tree.routes().next();
            let route = route.context("the tree has no root")?;
            let incident = subject::incident(&alert, route).context("the event is gone")?;
            let engine = &resolved.setup.engine;
            let report = subject::report(engine, &alert, &incident, &resolved.setup.links, now)?;
            print(&self.to.write(&report))?;
        }
        Ok(())
    }
}
