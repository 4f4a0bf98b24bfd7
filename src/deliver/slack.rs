//! Slack: by bot token one message an incident, edited in place, with a thread; by incoming webhook
//! new messages (Slack returns no handle to edit them).
//!
//! Facts: docs.slack.dev (Web API, Block Kit). Event text is only in `plain_text` and `rich_text`.

mod answer;
mod bot;
mod evidence;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::Client;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::kinds::{BuildError, Kind};
use super::{Destination, Notice, NoticeKind, Pace, Receipt, SendError, client};
use crate::clock::Clock;
use crate::markup::slack::{SlackMessage, message};
use crate::secret::{Secret, SecretKeys};
use answer::Class;
use bot::Bot;

/// Posts to a Slack channel. Set either `token` and `channel`, or `webhook_url`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlackConfig {
    /// A bot token (`xoxb-`) with the scope `chat:write`; with `files:write` too, the events of
    /// critical incidents are attached.
    pub token: Option<Secret>,
    /// The environment variable that holds the bot token.
    pub token_env: Option<String>,
    /// The file that holds the bot token.
    pub token_file: Option<PathBuf>,
    /// The channel, for a bot token: its id, or its name with `#`.
    pub channel: Option<String>,
    /// An incoming webhook.
    pub webhook_url: Option<Secret>,
    /// The environment variable that holds the incoming webhook.
    pub webhook_url_env: Option<String>,
    /// The file that holds the incoming webhook.
    pub webhook_url_file: Option<PathBuf>,
    /// Where the Web API is, for gateways and tests.
    pub api_url: Option<String>,
    /// The name shown with messages; a bot needs the scope `chat:write.customize`.
    pub username: Option<String>,
    /// The picture shown with messages: `:emoji:` or an https address; same scope.
    pub icon: Option<String>,
}

#[derive(Debug)]
pub(super) struct Slack {
    client: Client,
    clock: Clock,
    username: Option<String>,
    icon: Option<String>,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Webhook(Secret),
    Bot {
        token: Secret,
        channel: String,
        /// No secret, but no text of ours shows an address.
        api_url: Secret,
    },
}

/// What stands in Slack for an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Remote {
    channel: String,
    ts: String,
    /// How many messages of the first report are out, the head included.
    posted: usize,
    /// More of the first report is to come: a send failed half-way.
    partial: bool,
    /// The channel takes no replies, so everything is posted at its top level.
    flat: bool,
    /// The event is in the thread as a file.
    attached: bool,
}

impl Remote {
    fn of(notice: &Notice) -> Self {
        let stored = notice.remote.as_deref();
        stored
            .and_then(|remote| serde_json::from_str(remote).ok())
            .unwrap_or_default()
    }

    fn stored(&self) -> String {
        serde_json::to_string(self).expect("text and numbers are always JSON")
    }
}

impl Kind for SlackConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        Ok(Arc::new(Slack::from_config(self, timeout, clock.clone())?))
    }
}

impl Slack {
    pub(super) fn from_config(
        config: &SlackConfig,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            client: client::client(timeout)?,
            clock,
            username: config.username.clone(),
            icon: config.icon.clone(),
            mode: mode(config)?,
        })
    }
}

/// How a message goes out.
enum Way<'a> {
    Webhook(&'a Secret),
    Bot(Bot<'a>),
}

fn mode(config: &SlackConfig) -> Result<Mode, BuildError> {
    let webhook = SecretKeys {
        key: "webhook_url",
        value: config.webhook_url.as_ref(),
        env: config.webhook_url_env.as_deref(),
        file: config.webhook_url_file.as_deref(),
    };
    let token = SecretKeys {
        key: "token",
        value: config.token.as_ref(),
        env: config.token_env.as_deref(),
        file: config.token_file.as_deref(),
    };
    match (webhook.resolve_optional()?, token.resolve_optional()?) {
        (Some(url), None) => {
            address(url.expose(), "webhook_url")?;
            Ok(Mode::Webhook(url))
        }
        (None, Some(token)) => {
            let channel = config.channel.clone();
            let missing = "slack: set `channel` beside the token";
            let api_url = config.api_url.as_deref();
            let api_url = api_url.unwrap_or("https://slack.com/api");
            address(api_url, "api_url")?;
            Ok(Mode::Bot {
                token,
                channel: channel.ok_or_else(|| BuildError::Setting(missing.to_owned()))?,
                api_url: Secret::new(api_url.trim_end_matches('/')),
            })
        }
        _ => {
            let wrong = "slack: set either `token` and `channel`, or `webhook_url`";
            Err(BuildError::Setting(wrong.to_owned()))
        }
    }
}

fn address(text: &str, key: &str) -> Result<(), BuildError> {
    client::check_url(text, &format!("slack: `{key}`"))
}

/// The body of one message. Never link names, never unfurl: that would fetch addresses of an
/// attacker.
fn request(message: &SlackMessage) -> Value {
    json!({
        "text": message.text,
        "blocks": message.blocks,
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

/// What is new since the last message, for the thread.
fn news(notice: &Notice) -> SlackMessage {
    let text = notice.news();
    let element = json!({ "type": "text", "text": text });
    let section = json!({ "type": "rich_text_section", "elements": [element] });
    SlackMessage {
        text,
        blocks: vec![json!({ "type": "rich_text", "elements": [section] })],
    }
}

impl Slack {
    /// The body of a new message, under the configured name and picture.
    fn post(&self, message: &SlackMessage) -> Value {
        let mut body = request(message);
        if let Some(username) = &self.username {
            body["username"] = json!(username);
        }
        if let Some(icon) = &self.icon {
            let key = if icon.starts_with(':') {
                "icon_emoji"
            } else {
                "icon_url"
            };
            body[key] = json!(icon);
        }
        body
    }

    fn way(&self) -> Way<'_> {
        match &self.mode {
            Mode::Webhook(url) => Way::Webhook(url),
            Mode::Bot {
                token,
                channel,
                api_url,
            } => Way::Bot(Bot {
                slack: self,
                token,
                channel,
                api_url,
            }),
        }
    }

    async fn webhook(&self, url: &Secret, notice: &Notice) -> Result<Receipt, SendError> {
        let thread = message(&notice.report);
        let mut messages = vec![&thread.head];
        let mut remote = Remote::default();
        if notice.kind == NoticeKind::Open {
            // No thread to put more into: the rest would flood the channel.
            messages.extend(thread.details.first());
            remote.posted = Remote::of(notice).posted;
        }
        for message in messages.into_iter().skip(remote.posted) {
            match self.post_webhook(url, self.post(message)).await {
                Ok(()) => remote.posted += 1,
                // A retry goes on behind what is out.
                Err(error) if remote.posted > 0 => return Err(error.with_remote(remote.stored())),
                Err(error) => return Err(error),
            }
        }
        Ok(Receipt {
            remote: None,
            detail: "posted".to_owned(),
        })
    }

    /// Posts; once more with text alone when Slack refuses the blocks.
    async fn post_webhook(&self, url: &Secret, mut body: Value) -> Result<(), SendError> {
        let send = |body: &Value| client::send(self.client.post(url.expose()).json(body));
        match answer::judge_webhook(&send(&body).await?, self.clock.now()) {
            Err(refusal) if refusal.class == Class::Blocks => {
                without_blocks(&mut body);
                Ok(answer::judge_webhook(
                    &send(&body).await?,
                    self.clock.now(),
                )?)
            }
            result => Ok(result?),
        }
    }
}

fn without_blocks(body: &mut Value) {
    if let Some(body) = body.as_object_mut() {
        body.remove("blocks");
    }
}

impl Destination for Slack {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            match self.way() {
                Way::Webhook(url) => self.webhook(url, notice).await,
                Way::Bot(bot) => bot.send(notice).await,
            }
        })
    }

    /// One message a second and channel (docs.slack.dev, rate limits).
    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::from_secs(1),
        }
    }

    fn probe(&self) -> Option<BoxFuture<'_, Result<String, SendError>>> {
        match self.way() {
            Way::Webhook(_) => None,
            Way::Bot(bot) => Some(Box::pin(async move { bot.probe().await })),
        }
    }

    fn doubt(&self) -> Option<&'static str> {
        let webhook = "an incoming webhook can neither edit nor thread: each update is a new message; \
                       with a bot token there is one message an incident";
        matches!(self.mode, Mode::Webhook(_)).then_some(webhook)
    }
}

#[cfg(test)]
mod tests;
