//! The kinds of destinations: the one table that knows them all.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::alertmanager::AlertmanagerConfig;
use super::console::ConsoleConfig;
use super::discord::DiscordConfig;
use super::email::EmailConfig;
use super::github::GithubConfig;
use super::gitlab::GitlabConfig;
use super::google_chat::GoogleChatConfig;
use super::jira::JiraConfig;
use super::matrix::MatrixConfig;
use super::mattermost::MattermostConfig;
use super::opsgenie::OpsgenieConfig;
use super::pagerduty::PagerdutyConfig;
use super::redmine::RedmineConfig;
use super::rt::RtConfig;
use super::servicenow::ServicenowConfig;
use super::slack::SlackConfig;
use super::teams::TeamsConfig;
use super::telegram::TelegramConfig;
use super::webhook::WebhookConfig;
use super::{Configured, Destination, Pace};
use crate::backoff::{Backoff, InvalidBackoff};
use crate::clock::Clock;
use crate::secret::SecretError;
use crate::units::Span;

/// One entry of `destinations`: exactly one kind, and how it is delivered to.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DestinationConfig {
    /// Prints reports on standard output.
    pub console: Option<ConsoleConfig>,
    /// Posts to a Slack channel, by bot token (one thread an incident) or incoming webhook.
    pub slack: Option<SlackConfig>,
    /// Posts cards to Microsoft Teams by a Workflows webhook; a new message each time.
    pub teams: Option<TeamsConfig>,
    /// Posts to a Discord channel by webhook: one message an incident, edited in place.
    pub discord: Option<DiscordConfig>,
    /// Posts to a Matrix room: one message an incident, edited in place, with a thread.
    pub matrix: Option<MatrixConfig>,
    /// Posts to a Telegram chat by bot token: one message an incident, edited in place, with answers.
    pub telegram: Option<TelegramConfig>,
    /// Posts to a Mattermost channel, by bot token (one thread an incident) or incoming webhook.
    pub mattermost: Option<MattermostConfig>,
    /// Posts to a Google Chat space by webhook, one thread an incident.
    pub google_chat: Option<GoogleChatConfig>,
    /// Sends mail, one thread an incident.
    pub email: Option<EmailConfig>,
    /// Posts JSON: the way to any other system.
    pub webhook: Option<WebhookConfig>,
    /// Alerts in PagerDuty, by its Events API.
    pub pagerduty: Option<PagerdutyConfig>,
    /// Alerts in Opsgenie or Jira Service Management.
    pub opsgenie: Option<OpsgenieConfig>,
    /// Alerts in Alertmanager.
    pub alertmanager: Option<AlertmanagerConfig>,
    /// Keeps one GitHub issue for each kind of trouble.
    pub github: Option<GithubConfig>,
    /// Keeps one Redmine issue for each kind of trouble.
    pub redmine: Option<RedmineConfig>,
    /// Keeps one ticket in Request Tracker for each kind of trouble.
    pub rt: Option<RtConfig>,
    /// Keeps one Jira issue for each kind of trouble.
    pub jira: Option<JiraConfig>,
    /// Keeps one GitLab issue for each kind of trouble.
    pub gitlab: Option<GitlabConfig>,
    /// Keeps one ServiceNow incident for each kind of trouble.
    pub servicenow: Option<ServicenowConfig>,
    /// Retries and age limit.
    pub delivery: DeliveryConfig,
}

impl DestinationConfig {
    /// The destination of a site that configures none.
    pub fn console() -> Self {
        Self {
            console: Some(ConsoleConfig::default()),
            ..Self::default()
        }
    }

    /// The files beside the configuration that say how it is delivered.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let webhook = self.webhook.iter();
        webhook.filter_map(|webhook| webhook.preset_file.as_ref())
    }
}

/// How a destination is delivered to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryConfig {
    /// How long one request may take.
    pub timeout: Span,
    /// After how long a delivery that keeps failing is given up and becomes a dead letter.
    pub max_age: Span,
    /// The first delay after a failure; it doubles from there.
    pub retry_initial: Span,
    /// The longest delay between two attempts.
    pub retry_max: Span,
    /// How many messages may be under way at once. The default depends on the kind.
    #[schemars(range(min = 1))]
    pub concurrency: Option<u32>,
    /// The least time between the starts of two messages. The default depends on the kind: what a
    /// chat or a pager is known to take, none for the others.
    pub interval: Option<Span>,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            timeout: Span(Duration::from_secs(30)),
            max_age: Span(Duration::from_hours(24)),
            retry_initial: Span(Duration::from_secs(2)),
            retry_max: Span(Duration::from_mins(10)),
            concurrency: None,
            interval: None,
        }
    }
}

/// Why a destination is refused.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No kind or more than one.
    #[error("set exactly one of {}", names())]
    Kind,
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The retry delays make no schedule.
    #[error(transparent)]
    Backoff(#[from] InvalidBackoff),
    /// A setting makes no sense.
    #[error("{0}")]
    Setting(String),
}

/// The section of a kind: the first of its five parts.
pub(super) trait Kind {
    /// Makes the destination. `timeout` is that of one request.
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError>;
}

/// Every kind: its key in a [`DestinationConfig`] with a line about it.
macro_rules! kinds {
    ($($name:ident: $line:literal),+ $(,)?) => {
        /// The kinds with a line about each.
        pub const KINDS: &[(&str, &str)] = &[$((stringify!($name), $line)),+];

        impl DestinationConfig {
            fn kinds(&self) -> impl Iterator<Item = &dyn Kind> {
                [$(self.$name.as_ref().map(|section| section as &dyn Kind)),+]
                    .into_iter()
                    .flatten()
            }
        }
    };
}

kinds! {
    console: "prints reports on standard output",
    slack: "Slack, by bot token or incoming webhook",
    teams: "Microsoft Teams, by a Workflows webhook",
    discord: "Discord, by webhook",
    matrix: "Matrix, by access token",
    telegram: "Telegram, by bot token",
    mattermost: "Mattermost, by bot token or incoming webhook",
    google_chat: "Google Chat, by webhook",
    email: "SMTP with STARTTLS or implicit TLS",
    webhook: "JSON to any HTTP endpoint, signed",
    pagerduty: "PagerDuty, by its Events API v2",
    opsgenie: "Opsgenie or Jira Service Management",
    alertmanager: "Alertmanager, by its API v2",
    github: "GitHub Issues",
    redmine: "Redmine",
    rt: "Request Tracker, by its REST API 2",
    jira: "Jira, Cloud or Data Center",
    gitlab: "GitLab issues",
    servicenow: "ServiceNow incidents",
}

fn names() -> String {
    let names: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// Makes a destination from its entry.
pub fn configure(
    name: &str,
    config: &DestinationConfig,
    clock: &Clock,
) -> Result<Configured, BuildError> {
    let delivery = &config.delivery;
    let mut kinds = config.kinds();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return Err(BuildError::Kind);
    };
    let destination = kind.build(delivery.timeout.0, clock)?;
    let usual = destination.pace();
    let concurrency = match delivery.concurrency {
        Some(0) => {
            return Err(BuildError::Setting(
                "delivery.concurrency: at least 1".to_owned(),
            ));
        }
        Some(concurrency) => usize::try_from(concurrency).unwrap_or(usize::MAX),
        None => usual.concurrency,
    };
    Ok(Configured {
        name: name.to_owned(),
        pace: Pace {
            concurrency,
            interval: delivery
                .interval
                .map_or(usual.interval, |interval| interval.0),
        },
        destination,
        max_age: delivery.max_age.0,
        retry: Backoff::try_new(delivery.retry_initial.0, delivery.retry_max.0)?,
    })
}

#[cfg(test)]
mod tests;
