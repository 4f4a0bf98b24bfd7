//! `explain`: what an event means, which routes it takes and why.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;

use super::{ConfigFile, api, print, subject};
use crate::classify::Alert;
use crate::clock::Clock;
use crate::config::{Resolved, resolve};
use crate::markup::visible::one_line;
use crate::pipeline::lane;
use crate::store::{Account, Way};

/// Say what an event means.
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    file: ConfigFile,
    /// Events as Falco posts them, one per line, in a file; `-` for standard input; or the number of
    /// an event that the running service has taken over
    #[arg(value_name = "EVENT|ID")]
    event: PathBuf,
}

impl Explain {
    pub(super) async fn run(self) -> Result<()> {
        let clock = Clock::system();
        let resolved = resolve(&self.file.load()?, &clock)?;
        let id = self.event.to_str().and_then(|id| id.parse().ok());
        if let Some(id) = id.filter(|_| !self.event.exists()) {
            return self.follow(id, &resolved).await;
        }
        let body = subject::read(&self.event)?;
        for alert in subject::alerts(&body, &resolved, clock.now())? {
            print(&explain(&resolved, &alert)?)?;
        }
        Ok(())
    }
}

impl Explain {
    /// Says what became of an event.
    async fn follow(&self, id: i64, resolved: &Resolved) -> Result<()> {
        let found = api::get(&self.file, &format!("events/{id}")).await?;
        let received: Option<Timestamp> =
            serde_json::from_value(found["event"]["received"].clone())?;
        match (found["event"]["body"].as_str(), received) {
            (Some(body), Some(received)) => {
                for alert in subject::alerts(body.as_bytes(), resolved, received)? {
                    print(&explain(resolved, &alert)?)?;
                }
                print(&format!("received     {received}\n"))?;
            }
            _ => print("event        not kept as posted; samples of its incident stand for it\n")?,
        }
        let ways: Vec<Way> = serde_json::from_value(found["ways"].clone())?;
        print(&follow(&ways)?)
    }
}

fn follow(ways: &[Way]) -> Result<String> {
    let mut text = String::new();
    for way in ways {
        if let (Some(incident), Some(route)) = (way.incident, &way.route) {
            let state = way.state.as_deref().unwrap_or_default();
            let count = way.count.unwrap_or_default();
            writeln!(
                text,
                "incident     {incident} of route {route}: {state}, {count} events"
            )?;
        }
        if let Some(silence) = way.silence {
            writeln!(text, "silence      {} hid it", silence.0)?;
        }
        for stop in &way.stops {
            let fate = stop.fate.map_or("unknown", Account::name);
            let at = if stop.destination.is_empty() {
                "nowhere"
            } else {
                &stop.destination
            };
            writeln!(
                text,
                "at {at:<9} {fate}, with {} events of its batch",
                stop.events
            )?;
            if let (Some(delivery), Some(due)) = (stop.delivery, stop.due) {
                writeln!(text, "             delivery {delivery}, due {due}")?;
            }
            for tried in &stop.attempts {
                let detail = one_line(&tried.detail);
                writeln!(
                    text,
                    "             {} {}: {detail}",
                    tried.at, tried.outcome
                )?;
            }
        }
    }
    Ok(text)
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
    for tried in resolved.rules.tree.explain(alert, lane(alert.nature)) {
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
