//! `losses`: what was refused for want of room or speed.

use std::io::ErrorKind;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use super::api::table;
use super::{ConfigFile, print};
use crate::store::{losses, losses_file};

/// List events that were refused because the disk had no room or was too slow.
#[derive(Debug, Args)]
pub(super) struct Losses {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Losses {
    pub(super) fn run(self) -> Result<()> {
        let folder = self.file.load()?.config.store.path;
        let losses = match losses(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => {
                read.with_context(|| format!("cannot read {}", losses_file(&folder).display()))?
            }
        };
        if self.json {
            return print(&format!("{}\n", serde_json::to_string(&losses)?));
        }
        let columns = [
            "received", "reason", "priority", "rule", "hostname", "size", "sha256",
        ];
        print(&table(&json!(losses), &columns)?)
    }
}
