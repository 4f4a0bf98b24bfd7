//! `deliveries` and `quarantine`: through the admin listener of the running service, which owns the
//! store.

use anyhow::Result;
use clap::{Args, Subcommand};

use super::api::{get, post, table};
use super::{ConfigFile, print};
use crate::store::DeliveryState;

/// List, retry or discard deliveries.
#[derive(Debug, Args)]
pub(super) struct Deliveries {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List deliveries, the newest first
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// Only those in this state: pending, sending, sent, dead or discarded
        #[arg(long)]
        state: Option<DeliveryState>,
    },
    /// Put a dead delivery back into the queue
    Retry {
        #[command(flatten)]
        file: ConfigFile,
        /// Its number
        id: i64,
    },
    /// Give a pending or dead delivery up
    Discard {
        #[command(flatten)]
        file: ConfigFile,
        /// Its number
        id: i64,
    },
}

/// List bodies that were refused.
#[derive(Debug, Args)]
pub(super) struct Quarantine {
    #[command(flatten)]
    file: ConfigFile,
}

impl Deliveries {
    pub(super) async fn run(self) -> Result<()> {
        match self.action {
            Action::List { file, state } => {
                let query = state
                    .map(|state| format!("?state={state}"))
                    .unwrap_or_default();
                let rows = get(&file, &format!("deliveries{query}")).await?;
                print(&table(
                    &rows,
                    &[
                        "id",
                        "state",
                        "destination",
                        "events",
                        "severity",
                        "attempts",
                        "due",
                        "detail",
                    ],
                )?)
            }
            Action::Retry { file, id } => {
                post(&file, &format!("deliveries/{id}/retry"), None).await
            }
            Action::Discard { file, id } => {
                post(&file, &format!("deliveries/{id}/discard"), None).await
            }
        }
    }
}

impl Quarantine {
    pub(super) async fn run(self) -> Result<()> {
        let rows = get(&self.file, "quarantine").await?;
        print(&table(
            &rows,
            &["id", "received", "size", "reason", "body"],
        )?)
    }
}
