//! PagerDuty, by its Events API v2: one alert an incident, found again by its `dedup_key`.
//!
//! Facts: developer.pagerduty.com, Events API v2. PagerDuty shows text literally, but passes it on
//! to phones and chats, so event text arrives as [`inert`](crate::markup::inert) text.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::StatusCode;
use jiff::Timestamp;
use reqwest::Client;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{self, Answer};
use super::kinds::{BuildError, Kind};
use super::paging::{self, Act, BETWEEN};
use super::{Destination, Notice, Pace, Receipt, SendError};
use crate::clock::Clock;
use crate::event::Priority;
use crate::secret::{Secret, SecretKeys};

/// Triggers, acknowledges and resolves alerts in PagerDuty.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PagerdutyConfig {
    /// The integration key of a service or an orchestration (Events API v2).
    pub routing_key: Option<Secret>,
    /// The environment variable that holds the integration key.
    pub routing_key_env: Option<String>,
    /// The file that holds the integration key.
    pub routing_key_file: Option<PathBuf>,
    /// Where the Events API is; default: `https://events.pagerduty.com`. In the EU:
    /// `https://events.eu.pagerduty.com`.
    pub api_url: Option<String>,
}

#[derive(Debug)]
pub(super) struct Pagerduty {
    client: Client,
    clock: Clock,
    routing_key: Secret,
    /// No secret, but no text of ours shows an address.
    enqueue: Secret,
}

impl Kind for PagerdutyConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        let pagerduty = Pagerduty::from_config(self, timeout, clock.clone())?;
        Ok(Arc::new(pagerduty))
    }
}

impl Pagerduty {
    pub(super) fn from_config(
        config: &PagerdutyConfig,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, BuildError> {
        let routing_key = SecretKeys {
            key: "routing_key",
            value: config.routing_key.as_ref(),
            env: config.routing_key_env.as_deref(),
            file: config.routing_key_file.as_deref(),
        };
        let api_url = config.api_url.as_deref();
        let api_url = api_url.unwrap_or("https://events.pagerduty.com");
        client::check_url(api_url, "pagerduty: `api_url`")?;
        Ok(Self {
            client: client::client(timeout)?,
            clock,
            routing_key: routing_key.resolve()?,
            enqueue: Secret::new(format!("{}/v2/enqueue", api_url.trim_end_matches('/'))),
        })
    }
}

/// `summary` of at most 1024 characters.
const SUMMARY: usize = 1_024;

/// The whole event has at most 512 KB. A character takes at most 4 bytes and its escapes less, so
/// this leaves room for 32 labels.
const REPORT: usize = 60_000;

/// The body of one call, but for the routing key.
fn request(notice: &Notice, act: Act) -> Value {
    let action = match act {
        Act::Trigger => "trigger",
        Act::Acknowledge => "acknowledge",
        Act::Resolve => "resolve",
    };
    let mut body = json!({
        "event_action": action,
        "dedup_key": notice.incident.uid,
    });
    if act == Act::Trigger {
        body["payload"] = payload(notice);
        body["client"] = json!("falco-herald");
        if let Some(link) = &notice.link {
            body["client_url"] = json!(link);
            body["links"] = json!([{ "href": link, "text": "The incident in falco-herald" }]);
        }
    }
    body
}

fn payload(notice: &Notice) -> Value {
    let incident = &notice.incident;
    let mut details: Map<String, Value> = paging::facts(notice)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    details.insert("count".to_owned(), json!(incident.count));
    let labels: Map<_, _> = paging::labels(notice)
        .map(|(name, value)| (name, json!(value)))
        .collect();
    details.insert("labels".to_owned(), labels.into());
    details.insert("report".to_owned(), json!(paging::report(notice, REPORT)));
    let source = paging::label(notice, "hostname").unwrap_or_else(|| "falco".to_owned());
    let mut payload = json!({
        "summary": paging::summary(notice, SUMMARY),
        "source": source,
        "severity": severity(incident.severity),
        "timestamp": incident.last_received.to_string(),
        "class": incident.category.id(),
        "custom_details": details,
    });
    for (key, label) in [("component", "proc.name"), ("group", "k8s.ns.name")] {
        if let Some(value) = paging::label(notice, label) {
            payload[key] = json!(value);
        }
    }
    payload
}

fn severity(severity: Priority) -> &'static str {
    match severity {
        Priority::Emergency | Priority::Alert | Priority::Critical => "critical",
        Priority::Error => "error",
        Priority::Warning => "warning",
        Priority::Notice | Priority::Informational | Priority::Debug => "info",
    }
}

impl Pagerduty {
    async fn call(&self, mut body: Value) -> Result<(), SendError> {
        body["routing_key"] = json!(self.routing_key.expose());
        let request = self.client.post(self.enqueue.expose()).json(&body);
        judge(&client::send(request).await?, self.clock.now())
    }
}

impl Destination for Pagerduty {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            let mut told = None;
            for act in paging::acts(notice) {
                match self.call(request(notice, act)).await {
                    Ok(()) => told = Some(act.name().to_owned()),
                    // A retry goes on behind what was taken.
                    Err(error) => {
                        return Err(SendError {
                            remote: told,
                            ..error
                        });
                    }
                }
            }
            Ok(Receipt {
                detail: told.clone().unwrap_or_default(),
                remote: told,
            })
        })
    }

    /// About 120 events a minute and integration key.
    fn pace(&self) -> Pace {
        Pace {
            concurrency: 2,
            interval: BETWEEN,
        }
    }
}

fn judge(answer: &Answer, now: Timestamp) -> Result<(), SendError> {
    if answer.status == StatusCode::ACCEPTED {
        return Ok(());
    }
    if answer.status.is_success() {
        let wrong = "pagerduty answered something else than 202; check `api_url`";
        return Err(SendError::retry(wrong, None));
    }
    // Only the name of a field is taken from the answer: it may come from anything between.
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status == StatusCode::BAD_REQUEST && text.contains("routing_key") {
        return Err(SendError::pause("pagerduty refused the routing key"));
    }
    Err(client::judge(answer.status, &answer.headers, now))
}

#[cfg(test)]
mod tests;
