//! Console: reports on standard output, for the demo and for looking at things.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::kinds::{BuildError, Kind};
use super::{Destination, Notice, NoticeKind, Pace, Receipt, SendError};
use crate::clock::Clock;
use crate::markup::document::Document;
use crate::markup::text::plain_text;
use crate::markup::visible::{one_line, visible};

/// Prints reports on standard output.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// How reports are printed.
    pub format: ConsoleFormat,
}

/// How reports are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConsoleFormat {
    /// The report as written.
    #[default]
    Markdown,
    /// Without markup.
    Text,
    /// One JSON object a line.
    Json,
}

impl Kind for ConsoleConfig {
    fn build(&self, _: Duration, _: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        Ok(Arc::new(Console::new(self)))
    }
}

pub(super) struct Console {
    format: ConsoleFormat,
    /// Held while a write is under way: a reader that stopped holds up one thread, not one more
    /// with every attempt.
    output: Arc<Mutex<dyn Write + Send>>,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut console = f.debug_struct("Console");
        console
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Console {
    pub(super) fn new(config: &ConsoleConfig) -> Self {
        Self::with_output(config, std::io::stdout())
    }

    fn with_output(config: &ConsoleConfig, output: impl Write + Send + 'static) -> Self {
        Self {
            format: config.format,
            output: Arc::new(Mutex::new(output)),
        }
    }

    fn request(&self, notice: &Notice) -> String {
        let (incident, report) = (&notice.incident, &notice.report);
        match (self.format, notice.kind) {
            (ConsoleFormat::Json, _) => {
                let line = json!({
                    "kind": notice.kind.name(),
                    "incident": incident.uid,
                    "title": report.title,
                    "severity": report.severity,
                    "count": incident.count,
                    "markdown": report.markdown,
                });
                format!("{line}\n")
            }
            (ConsoleFormat::Markdown, NoticeKind::Open) => {
                // A report holds no control character; a terminal must not meet one even if.
                format!("{}\n", visible(&report.markdown))
            }
            (ConsoleFormat::Text, NoticeKind::Open) => {
                let text = plain_text(&Document::parse(&report.markdown));
                format!("{}\n", visible(&text))
            }
            (_, kind) => format!(
                "{}: {} ({} events, {})\n",
                kind.name(),
                one_line(&report.title),
                incident.count,
                incident.state.name()
            ),
        }
    }
}

fn write(output: &Mutex<dyn Write + Send>, text: &str) -> Result<(), &'static str> {
    let mut output = output
        .try_lock()
        .map_err(|_| "standard output takes no more; its reader has stopped")?;
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|_| "standard output is closed")
}

impl Destination for Console {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            let text = self.request(notice);
            let output = Arc::clone(&self.output);
            match tokio::task::spawn_blocking(move || write(&output, &text)).await {
                Ok(Ok(())) => Ok(Receipt {
                    remote: None,
                    detail: "printed".to_owned(),
                }),
                Ok(Err(reason)) => Err(SendError::retry(reason, None)),
                Err(_) => Err(SendError::retry("standard output cannot be written", None)),
            }
        })
    }

    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests;
