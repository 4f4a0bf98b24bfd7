//! Console: reports on standard output, for the demo and for looking at things.

use std::io::Write;
use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Destination, Notice, NoticeKind, Pace, Receipt, SendError};
use crate::markup::document::Document;
use crate::markup::text::plain_text;

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

#[derive(Debug)]
pub(super) struct Console {
    format: ConsoleFormat,
}

impl Console {
    pub(super) fn new(config: &ConsoleConfig) -> Self {
        Self {
            format: config.format,
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
            (ConsoleFormat::Markdown, NoticeKind::Open) => format!("{}\n", report.markdown),
            (ConsoleFormat::Text, NoticeKind::Open) => {
                format!("{}\n", plain_text(&Document::parse(&report.markdown)))
            }
            (_, kind) => format!(
                "{}: {} ({} events, {})\n",
                kind.name(),
                report.title,
                incident.count,
                incident.state.name()
            ),
        }
    }
}

impl Destination for Console {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            let text = self.request(notice);
            let written = tokio::task::spawn_blocking(move || {
                let mut stdout = std::io::stdout().lock();
                stdout
                    .write_all(text.as_bytes())
                    .and_then(|()| stdout.flush())
            });
            match written.await {
                Ok(Ok(())) => Ok(Receipt {
                    remote: None,
                    detail: "printed".to_owned(),
                }),
                _ => Err(SendError::retry("standard output is closed", None)),
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
