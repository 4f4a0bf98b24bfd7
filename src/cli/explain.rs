//! `explain`: what an event means, which routes it takes and why.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{ConfigFile, print, subject};
use crate::classify::{Alert, Nature};
use crate::clock::Clock;
use crate::config::{Resolved, resolve};
use crate::markup::visible::one_line;

/// Say what an event means.
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    file: ConfigFile,
    /// Events as Falco posts them, one per line; `-` for standard input
    event: PathBuf,
}

impl Explain {
    pub(super) fn run(self) -> Result<()> {
        let clock = Clock::system();
        let resolved = resolve(&self.file.load()?, &clock)?;
        let body = subject::read(&self.event)?;
        for alert in subject::alerts(&body, &resolved, clock.now())? {
            print(&explain(&resolved, &alert)?)?;
        }
        Ok(())
    }
}

fn explain(resolved: &Resolved, alert: &Alert) -> Result<String> {
    let mut text = String::new();
    let masker = &resolved.setup.masker;
    let rule = masker.mask(alert.event.rule.raw());
    writeln!(text, "rule         {}", one_line(&rule))?;
    let known = alert
        .entry
        .map_or("not in the catalogue", |_| "in the catalogue");
    writeln!(text, "known        {known}")?;
    writeln!(text, "priority     {}", alert.event.priority)?;
    writeln!(text, "severity     {}", alert.severity)?;
    writeln!(text, "category     {}", alert.category.id())?;
    writeln!(text, "tactics      {}", alert.tactics.join(" "))?;
    writeln!(text, "techniques   {}", alert.techniques.join(" "))?;
    let is_test = alert.nature == Nature::Test;
    for tried in resolved.rules.tree.explain(alert, is_test) {
        let verdict = match (tried.taken, tried.matched) {
            (true, _) => "takes it",
            (false, true) => "matches, but a route below took it",
            (false, false) => "does not match",
        };
        writeln!(text, "route {:<6} {verdict}", tried.route.id.0)?;
        if let Some(when) = &tried.route.when {
            writeln!(text, "             when {}", one_line(&when.to_string()))?;
        }
        for (leaf, held) in &tried.leaves {
            let held = if *held { "yes" } else { "no " };
            writeln!(text, "             {held} {}", one_line(leaf))?;
        }
        if tried.taken {
            writeln!(text, "             to {}", tried.route.to.join(", "))?;
            let incident = subject::incident(alert, tried.route);
            if let Some(incident) = incident.map(|incident| masker.incident(incident)) {
                writeln!(text, "             incident key {:?}", incident.key)?;
                for (name, value) in &incident.labels {
                    writeln!(text, "               {name} = {}", one_line(value.raw()))?;
                }
            }
        }
    }
    text.push('\n');
    Ok(text)
}
