//! `silence`: add, list, expire.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use super::api::{get, post, table};
use super::{ConfigFile, environment, print};
use crate::units::Span;

/// Hide alerts for a time.
#[derive(Debug, Args)]
pub(super) struct Silence {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Hide alerts that match a condition; they are counted, and told when the silence ends
    Add(Add),
    /// List silences, the newest first
    List {
        #[command(flatten)]
        file: ConfigFile,
        /// Also those that are over
        #[arg(long)]
        all: bool,
    },
    /// End a silence now
    Expire {
        #[command(flatten)]
        file: ConfigFile,
        /// Its number
        id: i64,
    },
}

#[derive(Debug, Args)]
struct Add {
    #[command(flatten)]
    file: ConfigFile,
    /// Which alerts, in the language of `when`: `rule = "Run shell untrusted" and hostname = ci-1`
    when: String,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", default_value = "2h")]
    duration: Span,
    /// Why
    #[arg(long, value_name = "TEXT")]
    comment: String,
    /// Who makes it. Default: the user of this shell
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Hide also what is at or above `silence_ceiling`
    #[arg(long)]
    above_ceiling: bool,
}

impl Silence {
    pub(super) async fn run(self) -> Result<()> {
        match self.action {
            Action::Add(add) => add.run().await,
            Action::List { file, all } => {
                let columns = ["id", "ends", "hidden", "by", "comment", "when"];
                let rows = get(&file, &format!("silences?all={all}")).await?;
                print(&table(&rows, &columns)?)
            }
            Action::Expire { file, id } => {
                post(&file, &format!("silences/{id}/expire"), None).await
            }
        }
    }
}

impl Add {
    async fn run(self) -> Result<()> {
        let by = self.by.or_else(|| environment("USER"));
        let silence = json!({
            "when": self.when,
            "by": by.context("say who makes it with --by NAME")?,
            "comment": self.comment,
            "for": self.duration,
            "above_ceiling": self.above_ceiling,
        });
        post(&self.file, "silences", Some(silence)).await
    }
}
