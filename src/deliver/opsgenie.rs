//! Opsgenie, and Jira Service Management, which took over its alert API: one alert an incident,
//! found again by its alias.
//!
//! Facts: docs.opsgenie.com, Alert API. A 202 says that the request was queued; whether it worked is
//! asked for afterwards. The description may be shown as HTML, so event text arrives as
//! [`inert`] text.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use reqwest::{Client, RequestBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{self, Answer};
use super::kinds::{BuildError, Kind};
use super::paging::{self, Act, BETWEEN};
use super::{Destination, Notice, Pace, Receipt, SendError};
use crate::clock::Clock;
use crate::event::Priority;
use crate::markup::inert;
use crate::markup::visible::truncate;
use crate::secret::{Secret, SecretKeys};

/// Creates, acknowledges and closes alerts in Opsgenie or Jira Service Management.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpsgenieConfig {
    /// The key of an API integration.
    pub api_key: Option<Secret>,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// The file that holds the key.
    pub api_key_file: Option<PathBuf>,
    /// Where the API is; default: `https://api.opsgenie.com`. In the EU:
    /// `https://api.eu.opsgenie.com`. Jira Service Management:
    /// `https://api.atlassian.com/jsm/ops/integration`.
    pub api_url: Option<String>,
    /// The team that is told, when the integration does not say.
    pub team: Option<String>,
    /// Tags of every alert.
    pub tags: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Opsgenie {
    client: Client,
    clock: Clock,
    api_key: Secret,
    /// No secret, but no text of ours shows an address.
    alerts: Secret,
    team: Option<String>,
    tags: Vec<String>,
    /// Between two questions about what became of a request.
    poll: Duration,
}

impl Kind for OpsgenieConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        let opsgenie = Opsgenie::from_config(self, timeout, clock.clone())?;
        Ok(Arc::new(opsgenie))
    }
}

impl Opsgenie {
    pub(super) fn from_config(
        config: &OpsgenieConfig,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, BuildError> {
        let api_key = SecretKeys {
            key: "api_key",
            value: config.api_key.as_ref(),
            env: config.api_key_env.as_deref(),
            file: config.api_key_file.as_deref(),
        };
        let api_url = config.api_url.as_deref();
        let api_url = api_url.unwrap_or("https://api.opsgenie.com");
        client::check_url(api_url, "opsgenie: `api_url`")?;
        Ok(Self {
            client: client::client(timeout)?,
            clock,
            api_key: api_key.resolve()?,
            alerts: Secret::new(format!("{}/v2/alerts", api_url.trim_end_matches('/'))),
            team: config.team.clone(),
            tags: config.tags.clone(),
            poll: Duration::from_millis(500),
        })
    }
}

const MESSAGE: usize = 130;
const DESCRIPTION: usize = 15_000;
/// All details together; names and values count.
const DETAILS: usize = 8_000;

/// How often it is asked what became of a request.
const POLLS: u32 = 5;

/// One request: method, what follows `/v2/alerts`, body.
#[derive(Debug)]
struct Call {
    method: Method,
    path: String,
    body: Value,
}

/// The requests for one step. An alert keeps its first description and priority whatever is said
/// later, so these are replaced by requests of their own.
fn requests(notice: &Notice, act: Act, team: Option<&str>, tags: &[String]) -> Vec<Call> {
    let alias = notice.incident.uid;
    let call = |method, part: &str, body| Call {
        method,
        path: format!("/{alias}/{part}?identifierType=alias"),
        body,
    };
    let note = || json!({ "source": "falco-herald", "note": note(notice) });
    let alert = create(notice, team, tags);
    let part = |name: &str| call(Method::PUT, name, json!({ name: alert[name] }));
    let changes = [part("description"), part("priority")];
    let (first, changed) = match act {
        Act::Resolve => (call(Method::POST, "close", note()), false),
        Act::Acknowledge => (call(Method::POST, "acknowledge", note()), true),
        Act::Trigger => {
            let create = Call {
                method: Method::POST,
                path: String::new(),
                body: alert,
            };
            (create, true)
        }
    };
    let changed = changed && notice.remote.is_some();
    let changes = changes.into_iter().filter(|_| changed);
    std::iter::once(first).chain(changes).collect()
}

fn create(notice: &Notice, team: Option<&str>, tags: &[String]) -> Value {
    let link = notice.link.as_deref();
    let head = link.map_or_else(String::new, |link| format!("{link}\n\n"));
    let room = DESCRIPTION.saturating_sub(head.chars().count());
    let mut body = json!({
        "message": paging::summary(notice, MESSAGE),
        "alias": notice.incident.uid,
        "description": format!("{head}{}", paging::report(notice, room)),
        "priority": priority(notice.incident.severity),
        "details": details(notice),
        "entity": paging::label(notice, "hostname").unwrap_or_default(),
        "source": "falco-herald",
        "tags": tags,
    });
    if let Some(team) = team {
        body["responders"] = json!([{ "type": "team", "name": team }]);
    }
    body
}

/// Text to text, the certain facts first: what has no room is left out.
fn details(notice: &Notice) -> Map<String, Value> {
    let facts = paging::facts(notice).into_iter();
    let facts = facts.map(|(name, value)| (name.to_owned(), value));
    let mut room = DETAILS;
    let mut details = Map::new();
    for (name, value) in facts.chain(paging::labels(notice)) {
        let value = truncate(&value, 500).into_owned();
        let size = name.chars().count() + value.chars().count();
        let Some(left) = room.checked_sub(size) else {
            break;
        };
        room = left;
        // A label never takes the place of a fact.
        details.entry(name).or_insert_with(|| json!(value));
    }
    details
}

fn note(notice: &Notice) -> String {
    let incident = &notice.incident;
    let by = incident.handled.as_ref();
    let by = by.map_or_else(String::new, |handled| {
        format!(" by {}", inert::line(handled.by.raw(), 200))
    });
    format!("{}{by}, {} events", incident.state.name(), incident.count)
}

fn priority(severity: Priority) -> &'static str {
    match severity {
        Priority::Emergency | Priority::Alert | Priority::Critical => "P1",
        Priority::Error => "P2",
        Priority::Warning => "P3",
        Priority::Notice => "P4",
        Priority::Informational | Priority::Debug => "P5",
    }
}

impl Opsgenie {
    async fn act(&self, notice: &Notice, act: Act) -> Result<(), SendError> {
        for call in requests(notice, act, self.team.as_deref(), &self.tags) {
            let url = format!("{}{}", self.alerts.expose(), call.path);
            let request = self.client.request(call.method, url).json(&call.body);
            let answer = self.send(request).await?;
            if answer.status != StatusCode::ACCEPTED {
                return Err(self.judge(&answer));
            }
            if let Some(id) = request_id(&answer.body) {
                self.follow(&id, act).await?;
            }
        }
        Ok(())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, SendError> {
        let key = format!("GenieKey {}", self.api_key.expose());
        client::send(request.header(http::header::AUTHORIZATION, key)).await
    }

    fn judge(&self, answer: &Answer) -> SendError {
        if answer.status.is_success() {
            let wrong = "opsgenie answered something else than 202; check `api_url`";
            return SendError::retry(wrong, None);
        }
        client::judge(answer.status, &answer.headers, self.clock.now())
    }

    /// Waits briefly for what became of a request. What is still queued then counts as taken: the
    /// alias would keep a repetition from being a second alert, but most likely there is no need.
    async fn follow(&self, id: &str, act: Act) -> Result<(), SendError> {
        for _ in 0..POLLS {
            self.clock.sleep(self.poll).await;
            let request = self
                .client
                .get(format!("{}/requests/{id}", self.alerts.expose()));
            // The request is taken: no answer about it must not make it sent again.
            let Ok(answer) = self.send(request).await else {
                return Ok(());
            };
            if answer.status == StatusCode::OK
                && let Ok(body) = serde_json::from_slice::<Value>(&answer.body)
                && let Some(success) = body["data"]["isSuccess"].as_bool()
            {
                return outcome(success, act);
            }
        }
        Ok(())
    }
}

/// What processing came to. A text of the answer is not shown: it may repeat what was sent.
fn outcome(success: bool, act: Act) -> Result<(), SendError> {
    match (success, act) {
        (false, Act::Trigger) => Err(SendError::unacceptable(
            "opsgenie took the alert, but could not process it",
        )),
        // Somebody closed or deleted it there: nothing to acknowledge or to close is no failure.
        _ => Ok(()),
    }
}

/// The id by which to ask; only what can be an id, because it becomes part of an address.
fn request_id(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let id = body["requestId"].as_str()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    ((1..=64).contains(&id.len()) && id.bytes().all(plain)).then(|| id.to_owned())
}

impl Destination for Opsgenie {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            let mut told = None;
            for act in paging::acts(notice) {
                match self.act(notice, act).await {
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

    fn pace(&self) -> Pace {
        Pace {
            concurrency: 2,
            interval: BETWEEN,
        }
    }
}

#[cfg(test)]
mod tests;
