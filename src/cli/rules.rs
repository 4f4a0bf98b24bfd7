//! `rules`: what Herald knows about the official rules.

use std::fmt::Write;

use anyhow::Result;
use clap::Args;

use super::print;
use crate::classify::Catalogue;

/// List the rules that are known.
#[derive(Debug, Args)]
pub(super) struct Rules {
    /// Print JSON, one object per rule and line
    #[arg(long)]
    json: bool,
}

impl Rules {
    pub(super) fn run(self) -> Result<()> {
        let mut text = String::new();
        for entry in Catalogue::builtin().iter() {
            if self.json {
                writeln!(text, "{}", serde_json::to_string(entry)?)?;
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
