//! `incidents`: list, acknowledge, close.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::api::{get, post, table};
use super::{ConfigFile, environment, print};

/// List, acknowledge or close incidents.
#[derive(Debug, Args)]
pub(super) struct Incidents {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List incidents, the newest first
    List {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Say that somebody has taken an incident: no reminders follow
    Acknowledge(Change),
    /// End an incident: the next alert of its kind opens a new one
    Close(Change),
}

#[derive(Debug, Args)]
struct Change {
    #[command(flatten)]
    file: ConfigFile,
    /// Its name, as listed
    uid: Uuid,
    /// Who does it; shown in the message. Default: the user of this shell
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl Incidents {
    pub(super) async fn run(self) -> Result<()> {
        match self.action {
            Action::List { file } => {
                let columns = [
                    "uid",
                    "state",
                    "severity",
                    "count",
                    "last_received",
                    "rule",
                    "handled_by",
                ];
                print(&table(&get(&file, "incidents").await?, &columns)?)
            }
            Action::Acknowledge(change) => change.post("acknowledge").await,
            Action::Close(change) => change.post("close").await,
        }
    }
}

impl Change {
    async fn post(self, verb: &str) -> Result<()> {
        let by = self.by.or_else(|| environment("USER"));
        let by = by.context("say who does it with --by NAME")?;
        let path = format!("incidents/{}/{verb}", self.uid);
        post(&self.file, &path, Some(json!({ "by": by }))).await
    }
}
