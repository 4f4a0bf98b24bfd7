//! Discord, by webhook: one message an incident, edited in place, and a line for each change. A
//! webhook cannot open threads below its messages.
//!
//! Facts: discord.com/developers (Webhook, Rate Limits, JSON error codes).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::{Client, Method, Url};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::client::Answer;
use super::kinds::{BuildError, Kind};
use super::thread::{self, Chat, Posted, Refusal, Remote};
use super::{Destination, Notice, Pace, Receipt, SendError, client};
use crate::clock::Clock;
use crate::markup::discord;
use crate::secret::{Secret, SecretKeys};

/// Posts to a Discord channel.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DiscordConfig {
    /// The webhook's address.
    pub url: Option<Secret>,
    /// The environment variable that holds the address.
    pub url_env: Option<String>,
    /// The file that holds the address.
    pub url_file: Option<PathBuf>,
    /// A thread of the channel to post into; a forum channel needs one.
    pub thread_id: Option<String>,
}

#[derive(Debug)]
pub(super) struct Discord {
    client: Client,
    clock: Clock,
    url: Secret,
    thread_id: Option<String>,
}

impl Kind for DiscordConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        Ok(Arc::new(Discord::from_config(
            self,
            timeout,
            clock.clone(),
        )?))
    }
}

impl Discord {
    pub(super) fn from_config(
        config: &DiscordConfig,
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
        client::check_url(url.expose(), "discord: `url`")?;
        let is_id = |id: &String| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        if config.thread_id.as_ref().is_some_and(|id| !is_id(id)) {
            let wrong = "discord: `thread_id` is a number, in quotes";
            return Err(BuildError::Setting(wrong.to_owned()));
        }
        Ok(Self {
            client: client::client(timeout)?,
            clock,
            url,
            thread_id: config.thread_id.clone(),
        })
    }
}

/// The address of the webhook, or of a message of it.
fn address(webhook: &str, message: Option<&str>, thread_id: Option<&str>) -> Option<Url> {
    let mut url = Url::parse(webhook).ok()?;
    if let Some(id) = message {
        let mut path = url.path_segments_mut().ok()?;
        path.pop_if_empty().extend(["messages", id]);
    }
    // Without `wait` there is no message in the answer, and no error either.
    url.query_pairs_mut().append_pair("wait", "true");
    if let Some(id) = thread_id {
        url.query_pairs_mut().append_pair("thread_id", id);
    }
    Some(url)
}

impl Discord {
    async fn call(
        &self,
        method: Method,
        message: Option<&str>,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let url = address(self.url.expose(), message, self.thread_id.as_deref());
        let url = url.ok_or_else(|| SendError::pause("the webhook's address is not valid"))?;
        let request = self.client.request(method, url).json(body);
        self.judge(&client::send(request).await?)
    }

    fn judge(&self, answer: &Answer) -> Result<Value, Refusal> {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status.is_success() {
            return Ok(body);
        }
        let code = body["code"].as_u64();
        if code == Some(UNKNOWN_MESSAGE) {
            return Err(Refusal::Gone);
        }
        let mut error = client::judge(answer.status, &answer.headers, self.clock.now());
        error = error.wait_for(body["retry_after"].as_f64());
        if let Some(code) = code.filter(|code| *code > 0) {
            error.reason = format!("discord answered {} {code}", answer.status.as_u16());
        }
        if let Some((_, hint)) = SETTINGS.iter().find(|(of, _)| Some(*of) == code) {
            error = SendError::pause(format!("{}: {hint}", error.reason));
        }
        Err(error.into())
    }
}

const UNKNOWN_MESSAGE: u64 = 10_008;

/// Codes that only a change of the settings mends.
const SETTINGS: [(u64, &str); 5] = [
    (10_003, "the channel or thread is gone"),
    (10_015, "the webhook was deleted"),
    (50_027, "the webhook's token is not valid"),
    (50_083, "the thread is archived"),
    (220_001, "a forum channel needs `thread_id`"),
];

impl Chat for Discord {
    type Message = Value;

    fn report(&self, notice: &Notice) -> Vec<Value> {
        discord::discord(&notice.report)
    }

    fn news(&self, notice: &Notice) -> Value {
        discord::line(&notice.news())
    }

    async fn post(&self, body: &Value, _: Option<&Remote>, _: &str) -> Result<Posted, Refusal> {
        let answer = self.call(Method::POST, None, body).await?;
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Ok(Posted {
            place: text("channel_id"),
            id: text("id").ok_or_else(|| {
                SendError::retry("discord answered without a message; check `url`", None)
            })?,
        })
    }

    async fn edit(&self, head: &Remote, body: &Value, _: &str) -> Result<(), Refusal> {
        let message = Some(head.head.as_str());
        self.call(Method::PATCH, message, body).await.map(drop)
    }
}

impl Destination for Discord {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(thread::send(self, notice))
    }

    fn probe(&self) -> Option<BoxFuture<'_, Result<String, SendError>>> {
        Some(Box::pin(async move {
            let answer = client::send(self.client.get(self.url.expose())).await?;
            self.judge(&answer)?;
            Ok("the webhook is there".to_owned())
        }))
    }

    /// A webhook may post 30 messages a minute to a channel, and a change is two requests.
    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::from_secs(2),
        }
    }
}

#[cfg(test)]
mod tests;
