//! `rules`: what Herald knows about the official rules.

use std::fmt::Write;

use anyhow::{Context, Result};
use clap::Args;

use super::{ConfigFile, print};
use crate::classify::Catalogue;
use crate::report::{Engine, slug};

/// List the rules that are known, or print the runbook of one.
#[derive(Debug, Args)]
pub(super) struct Rules {
    #[command(flatten)]
    file: ConfigFile,
    /// The rule whose runbook is printed
    rule: Option<String>,
    /// Print JSON, one object per rule and line
    #[arg(long)]
    json: bool,
}

impl Rules {
    pub(super) fn run(self) -> Result<()> {
        let templates = self.file.load()?.config.templates;
        let engine = Engine::try_new(templates.as_deref())?;
        if let Some(rule) = &self.rule {
            let runbook = engine.runbook(rule)?;
            let missing = || {
                format!(
                    "there is no runbook for this rule; put one at runbooks/{}.md in the folder of templates",
                    slug(rule)
                )
            };
            return print(&runbook.with_context(missing)?);
        }
        let mut text = String::new();
        for entry in Catalogue::builtin().iter() {
            if self.json {
                let mut row = serde_json::to_value(entry)?;
                row["runbook"] = engine.has_runbook(&entry.rule).into();
                writeln!(text, "{row}")?;
            } else {
                writeln!(
                    text,
                    "{:<14} {:<14} {:<25} {}",
                    entry.priority,
                    entry.source,
                    entry.category.id(),
                    entry.rule
                )?;
            }
        }
        print(&text)
    }
}
