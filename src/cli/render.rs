//! `render`: the report for events, in any format.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::{ConfigFile, print, subject};
use crate::clock::Clock;
use crate::config::resolve;
use crate::markup::document::Document;
use crate::markup::{html, slack, text};
use crate::report::Report;

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

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// The report as written
    #[default]
    Markdown,
    /// Without markup
    Text,
    /// As the HTML part of a mail
    Html,
    /// The messages that would be posted to Slack
    Slack,
    /// Title, lead, severity and Markdown
    Json,
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
            let public_url = loaded.config.public_url.as_deref();
            let engine = &resolved.setup.engine;
            let report = subject::report(engine, &alert, &incident, public_url, now)?;
            print(&self.format(&report))?;
        }
        Ok(())
    }

    fn format(&self, report: &Report) -> String {
        let document = || Document::parse(&report.markdown);
        match self.to {
            Format::Markdown => format!("{}\n", report.markdown),
            Format::Text => format!("{}\n", text::plain_text(&document())),
            Format::Html => format!("{}\n", html::html_page(&report.title, &document())),
            Format::Slack => {
                let thread = slack::message(report);
                let message = |message: &slack::SlackMessage| json!({ "text": message.text, "blocks": message.blocks });
                let details: Vec<_> = thread.details.iter().map(message).collect();
                format!(
                    "{:#}\n",
                    json!({ "head": message(&thread.head), "details": details })
                )
            }
            Format::Json => {
                let report = json!({
                    "title": report.title,
                    "lead": report.lead,
                    "severity": report.severity,
                    "markdown": report.markdown,
                });
                format!("{report}\n")
            }
        }
    }
}
