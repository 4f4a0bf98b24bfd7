//! Alertmanager, by its API v2: one alert an incident, identified by its labels.
//!
//! Facts: measured with Alertmanager 0.25. It passes labels and annotations on to mail and chats
//! through templates of the site, so event text arrives as [`inert`] text. Peers of one cluster do
//! not share alerts: configure one destination for each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use reqwest::Client;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client;
use super::kinds::{BuildError, Kind};
use super::paging;
use super::{Destination, Notice, Pace, Receipt, SendError};
use crate::clock::{Clock, later};
use crate::markup::inert;
use crate::markup::visible::truncate;
use crate::secret::{Secret, SecretKeys};
use crate::units::Span;

/// Posts alerts to an Alertmanager.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertmanagerConfig {
    /// Where Alertmanager is: `http://alertmanager:9093`, with its route prefix if it has one.
    pub url: Option<Secret>,
    /// The environment variable that holds the address.
    pub url_env: Option<String>,
    /// The file that holds the address.
    pub url_file: Option<PathBuf>,
    /// The user, for HTTP Basic.
    pub username: Option<String>,
    /// The password itself.
    pub password: Option<Secret>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
    /// A bearer token.
    pub token: Option<Secret>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// Labels of every alert, such as `team: soc`, for Alertmanager's routes.
    pub labels: BTreeMap<String, String>,
    /// After how long an alert ends by itself when nothing is heard of its incident any more. Longer
    /// than the time between two messages, and than `delivery.max_age`, so that an alert does not
    /// end while its next message is still being retried.
    pub resolve_after: Span,
}

impl Default for AlertmanagerConfig {
    fn default() -> Self {
        Self {
            url: None,
            url_env: None,
            url_file: None,
            username: None,
            password: None,
            password_env: None,
            password_file: None,
            token: None,
            token_env: None,
            token_file: None,
            labels: BTreeMap::new(),
            resolve_after: Span(Duration::from_hours(25)),
        }
    }
}

#[derive(Debug)]
pub(super) struct Alertmanager {
    client: Client,
    clock: Clock,
    alerts: Secret,
    login: Login,
    labels: Labels,
    resolve_after: Duration,
}

#[derive(Debug)]
enum Login {
    None,
    Basic(String, Secret),
    Bearer(Secret),
}

type Labels = BTreeMap<String, String>;

/// What stands in Alertmanager for an incident.
#[derive(Debug, Serialize, Deserialize)]
struct Remote {
    /// The identity of its alert.
    labels: Labels,
}

impl Kind for AlertmanagerConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        let alertmanager = Alertmanager::from_config(self, timeout, clock.clone())?;
        Ok(Arc::new(alertmanager))
    }
}

impl Alertmanager {
    pub(super) fn from_config(
        config: &AlertmanagerConfig,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, BuildError> {
        let url = SecretKeys {
            key: "url",
            value: config.url.as_ref(),
            env: config.url_env.as_deref(),
            file: config.url_file.as_deref(),
        };
        let url = url.resolve()?;
        client::check_url(url.expose(), "alertmanager: `url`")?;
        let wrong = config.labels.keys().find(|name| label_name(name) != **name);
        if let Some(name) = wrong {
            let wrong = format!("alertmanager: `labels`: `{name}` is no label name");
            return Err(BuildError::Setting(wrong));
        }
        if config.resolve_after.0 < SOON {
            let wrong = "alertmanager: `resolve_after`: at least 5m";
            return Err(BuildError::Setting(wrong.to_owned()));
        }
        let url = url.expose().trim_end_matches('/');
        Ok(Self {
            client: client::client(timeout)?,
            clock,
            alerts: Secret::new(format!("{url}/api/v2/alerts")),
            login: login(config)?,
            labels: config.labels.clone(),
            resolve_after: config.resolve_after.0,
        })
    }
}

fn login(config: &AlertmanagerConfig) -> Result<Login, BuildError> {
    let password = SecretKeys {
        key: "password",
        value: config.password.as_ref(),
        env: config.password_env.as_deref(),
        file: config.password_file.as_deref(),
    };
    let token = SecretKeys {
        key: "token",
        value: config.token.as_ref(),
        env: config.token_env.as_deref(),
        file: config.token_file.as_deref(),
    };
    let password = password.resolve_optional()?;
    match (&config.username, password, token.resolve_optional()?) {
        (None, None, None) => Ok(Login::None),
        (Some(username), Some(password), None) => Ok(Login::Basic(username.clone(), password)),
        (None, None, Some(token)) => Ok(Login::Bearer(token)),
        _ => {
            let wrong = "alertmanager: set `username` and a password, or a token, or neither";
            Err(BuildError::Setting(wrong.to_owned()))
        }
    }
}

/// How long an incident that ended before it was told stands, so that it is told at all: an alert
/// that ends before the `group_wait` of its route is never sent on.
const SOON: Duration = Duration::from_mins(5);

/// How far the clocks of two machines may differ. An end that is still to come for Alertmanager would
/// be taken for a prolongation, and the later of two such ends wins.
const SKEW: Duration = Duration::from_mins(1);

/// How much of a label's value is told.
const LABEL: usize = 200;

/// The alerts to post for a notice, and the labels by which its alert is found again.
fn request(
    notice: &Notice,
    own: &Labels,
    resolve_after: Duration,
    now: Timestamp,
) -> (Value, Labels) {
    let current = labels(notice, own);
    let former = notice.remote.as_deref();
    let former = former.and_then(|remote| serde_json::from_str::<Remote>(remote).ok());
    match former {
        Some(former) if paging::is_over(notice) => {
            let alerts = json!([ended(notice, &former.labels, now)]);
            (alerts, former.labels)
        }
        // A higher severity is another label, so another alert: the former one ends.
        Some(former) if former.labels != current => {
            let alerts = json!([
                active(notice, &current, later(now, resolve_after)),
                ended(notice, &former.labels, now),
            ]);
            (alerts, current)
        }
        None if paging::is_over(notice) => {
            (json!([active(notice, &current, later(now, SOON))]), current)
        }
        _ => {
            let alerts = json!([active(notice, &current, later(now, resolve_after))]);
            (alerts, current)
        }
    }
}

/// Without an end, Alertmanager would end it after its own `resolve_timeout` of five minutes, since
/// it expects its clients to repeat themselves all the time. Messages about an incident are rare.
fn active(notice: &Notice, labels: &Labels, until: Timestamp) -> Value {
    alert(notice, labels, notice.incident.first_received, until)
}

fn ended(notice: &Notice, labels: &Labels, now: Timestamp) -> Value {
    let end = earlier(now, SKEW);
    // Refused unless it begins before it ends.
    let start = notice.incident.first_received.min(earlier(end, SKEW));
    alert(notice, labels, start, end)
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

fn alert(notice: &Notice, labels: &Labels, start: Timestamp, end: Timestamp) -> Value {
    let mut annotations: BTreeMap<_, _> = paging::facts(notice).into_iter().collect();
    annotations.insert("summary", paging::summary(notice, 1_000));
    annotations.insert("description", inert::line(&notice.report.lead, 4_000));
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": start.to_string(),
        "endsAt": end.to_string(),
    });
    if let Some(link) = &notice.link {
        alert["generatorURL"] = json!(link);
    }
    alert
}

/// What the incident's alerts have in common, and the incident itself: these stay the same for its
/// whole life, but for the severity. The site's own labels win.
fn labels(notice: &Notice, own: &Labels) -> Labels {
    let incident = &notice.incident;
    let rule = Some(inert::line(incident.rule.raw(), LABEL)).filter(|rule| !rule.is_empty());
    let mut labels = own.clone();
    let known = [
        (
            "alertname",
            rule.unwrap_or_else(|| "Falco alert".to_owned()),
        ),
        ("severity", incident.severity.name().to_lowercase()),
        ("category", incident.category.id().to_owned()),
        ("incident", incident.uid.to_string()),
    ];
    let known = known.map(|(name, value)| (name.to_owned(), value));
    let shared = paging::labels(notice).map(|(name, value)| (label_name(&name), value));
    for (name, value) in known.into_iter().chain(shared) {
        let value = truncate(&value, LABEL).into_owned();
        labels.entry(name).or_insert(value);
    }
    labels
}

/// Before version 0.27 a label's name must be `[a-zA-Z_][a-zA-Z0-9_]*`.
fn label_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name
    } else {
        format!("_{name}")
    }
}

impl Destination for Alertmanager {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            let now = self.clock.now();
            let (alerts, labels) = request(notice, &self.labels, self.resolve_after, now);
            let request = self.client.post(self.alerts.expose()).json(&alerts);
            let request = match &self.login {
                Login::None => request,
                Login::Basic(user, password) => request.basic_auth(user, Some(password.expose())),
                Login::Bearer(token) => request.bearer_auth(token.expose()),
            };
            let answer = client::send(request).await?;
            if !answer.status.is_success() {
                return Err(client::judge(answer.status, &answer.headers, now));
            }
            let remote = Remote { labels };
            Ok(Receipt {
                remote: serde_json::to_string(&remote).ok(),
                detail: format!("answered {}", answer.status.as_u16()),
            })
        })
    }

    fn pace(&self) -> Pace {
        Pace {
            concurrency: 4,
            interval: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests;
