//! `silence`: add, list, expire.

use std::fmt::Write;
use std::io::{BufRead, IsTerminal};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{ask, get, post, table};
use super::{ConfigFile, environment, print};
use crate::markup::visible::one_line;
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
    /// Only say what it would have hidden in the last seven days
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, on a terminal, whether to make it
    #[arg(long, short)]
    yes: bool,
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
        let would = json!({ "when": self.when, "above_ceiling": self.above_ceiling });
        let found = ask(&self.file, "silences/preview", would).await?;
        print(&preview(&found)?)?;
        if self.dry_run || !(self.yes || confirmed()?) {
            return print("nothing was made\n");
        }
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

/// What a silence would have hidden, in words.
fn preview(found: &Value) -> Result<String> {
    let number = |name: &str| found[name].as_u64().unwrap_or(0);
    let mut text = match found["since"].as_str() {
        None => "no event is stored, so nothing tells what it will hide\n".to_owned(),
        Some(since) => format!(
            "since {since} it would have hidden {} of {} alerts\n",
            number("hidden"),
            number("examined")
        ),
    };
    if number("above_ceiling") > 0 {
        writeln!(
            text,
            "{} more are at or above the ceiling: they are said all the same",
            number("above_ceiling")
        )?;
    }
    for row in ["rules", "workloads"] {
        for named in found[row].as_array().into_iter().flatten() {
            let name = one_line(named[0].as_str().unwrap_or_default());
            let count = named[1].as_u64().unwrap_or(0);
            writeln!(text, "{count:>8}  {name}")?;
        }
    }
    Ok(text)
}

/// Whether a person at a terminal agrees; scripts are not asked.
fn confirmed() -> Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Ok(true);
    }
    print("make it? [y/N] ")?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
