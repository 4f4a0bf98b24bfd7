//! Google Chat, by webhook: one thread an incident. A webhook cannot edit, so each change is a new
//! message in the thread. A message that is sent again under the same request id is taken once.
//!
//! Facts: developers.google.com/chat (`spaces.messages.create`, webhooks).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::{Client, Url};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Answer;
use super::kinds::{BuildError, Kind};
use super::{Destination, Notice, NoticeKind, Pace, Receipt, SendError, client};
use crate::clock::Clock;
use crate::markup::google_chat::google_chat;
use crate::secret::{Secret, SecretKeys};

/// Posts to a Google Chat space.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GoogleChatConfig {
    /// The webhook's address, with its key and token.
    pub url: Option<Secret>,
    /// The environment variable that holds the address.
    pub url_env: Option<String>,
    /// The file that holds the address.
    pub url_file: Option<PathBuf>,
}

#[derive(Debug)]
pub(super) struct GoogleChat {
    client: Client,
    clock: Clock,
    url: Secret,
}

impl Kind for GoogleChatConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        let chat = GoogleChat::from_config(self, timeout, clock.clone())?;
        Ok(Arc::new(chat))
    }
}

impl GoogleChat {
    pub(super) fn from_config(
        config: &GoogleChatConfig,
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
        client::check_url(url.expose(), "google_chat: `url`")?;
        Ok(Self {
            client: client::client(timeout)?,
            clock,
            url,
        })
    }
}

/// The message, in the thread of the incident. Details are said only once.
fn request(notice: &Notice) -> Value {
    let first = notice.kind == NoticeKind::Open;
    let news = (!first).then(|| notice.news());
    let mut message = google_chat(&notice.report, news.as_deref(), first);
    message["thread"] = json!({ "threadKey": notice.incident.uid });
    message
}

fn address(webhook: &str, key: &str) -> Option<Url> {
    let mut url = Url::parse(webhook).ok()?;
    // Without the option the thread key is passed over and each message begins a thread.
    url.query_pairs_mut()
        .append_pair("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
        .append_pair("requestId", key);
    Some(url)
}

impl GoogleChat {
    fn judge(&self, answer: &Answer) -> Result<Receipt, SendError> {
        if answer.status.is_success() {
            return Ok(Receipt {
                remote: None,
                detail: "posted".to_owned(),
            });
        }
        let mut error = client::judge(answer.status, &answer.headers, self.clock.now());
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let word = body["error"]["status"].as_str().unwrap_or_default();
        let letters = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        if (1..=64).contains(&word.len()) && word.bytes().all(letters) {
            error.reason = format!("google chat answered {} {word}", answer.status.as_u16());
        }
        Err(error)
    }
}

impl Destination for GoogleChat {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            let url = address(self.url.expose(), &notice.key);
            let url = url.ok_or_else(|| SendError::pause("the webhook's address is not valid"))?;
            let request = self.client.post(url).json(&request(notice));
            self.judge(&client::send(request).await?)
        })
    }

    /// One message a second and space.
    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests;
