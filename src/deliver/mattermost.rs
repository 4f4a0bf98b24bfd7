//! Mattermost: by bot token one post an incident, edited in place, with its details and a line for
//! each change in its thread; by incoming webhook new posts (Mattermost returns no handle to edit
//! them).
//!
//! Facts: developers.mattermost.com (incoming webhooks, REST API v4). What could mention somebody
//! stands in code, where Mattermost does not look.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::StatusCode;
use reqwest::{Client, Method, Url};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Answer;
use super::kinds::{BuildError, Kind};
use super::thread::{self, Chat, Posted, Refusal, Remote};
use super::{Destination, Notice, NoticeKind, Pace, Receipt, SendError, client};
use crate::clock::Clock;
use crate::markup::mattermost;
use crate::secret::{Secret, SecretKeys};

/// Posts to a Mattermost channel: by the incoming webhook `url`, or with `token` and `channel_id` as a
/// bot of the server at `url`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MattermostConfig {
    /// The incoming webhook; beside a token the server, such as `https://chat.example.com`.
    pub url: Option<Secret>,
    /// The environment variable that holds the address.
    pub url_env: Option<String>,
    /// The file that holds the address.
    pub url_file: Option<PathBuf>,
    /// The access token of a bot that is a member of the channel.
    pub token: Option<Secret>,
    /// The environment variable that holds the access token.
    pub token_env: Option<String>,
    /// The file that holds the access token.
    pub token_file: Option<PathBuf>,
    /// The channel's id, for a bot.
    pub channel_id: Option<String>,
}

#[derive(Debug)]
pub(super) struct Mattermost {
    client: Client,
    clock: Clock,
    /// The webhook or the server.
    url: Secret,
    bot: Option<Bot>,
}

#[derive(Debug)]
struct Bot {
    token: Secret,
    channel_id: String,
}

impl Kind for MattermostConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        let mattermost = Mattermost::from_config(self, timeout, clock.clone())?;
        Ok(Arc::new(mattermost))
    }
}

impl Mattermost {
    pub(super) fn from_config(
        config: &MattermostConfig,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, BuildError> {
        let url = SecretKeys {
            key: "url",
            value: config.url.as_ref(),
            env: config.url_env.as_deref(),
            file: config.url_file.as_deref(),
        };
        let token = SecretKeys {
            key: "token",
            value: config.token.as_ref(),
            env: config.token_env.as_deref(),
            file: config.token_file.as_deref(),
        };
        let url = url.resolve()?;
        client::check_url(url.expose(), "mattermost: `url`")?;
        let bot = match (token.resolve_optional()?, config.channel_id.clone()) {
            (Some(token), Some(channel_id)) => Some(Bot { token, channel_id }),
            (None, None) => None,
            _ => {
                let wrong = "mattermost: set `token` and `channel_id` together, or neither";
                return Err(BuildError::Setting(wrong.to_owned()));
            }
        };
        Ok(Self {
            client: client::client(timeout)?,
            clock,
            url,
            bot,
        })
    }
}

/// What the webhook is sent: as there is no thread, the details are said only once.
fn webhook_request(notice: &Notice) -> Value {
    let first = notice.kind == NoticeKind::Open;
    let news = (!first).then(|| notice.news());
    json!({ "text": mattermost::single(&notice.report, news.as_deref(), first) })
}

fn address(server: &str, what: &str, rest: &[&str]) -> Option<Url> {
    let mut url = Url::parse(server).ok()?;
    let mut path = url.path_segments_mut().ok()?;
    path.pop_if_empty().extend(["api", "v4", what]).extend(rest);
    drop(path);
    Some(url)
}

/// What only a change of the settings mends, though some of it comes with status 400.
const SETTINGS: [&str; 3] = [
    "web.incoming_webhook.",
    "api.post.create_post.can_not_post_to_deleted.",
    "api.post.create_post.town_square_read_only",
];

/// What a webhook says of the post itself.
const CONTENT: [&str; 2] = ["web.incoming_webhook.text.", "web.incoming_webhook.parse."];

/// What is said of a post that cannot be edited or answered any more.
const GONE: [&str; 3] = [
    "api.post.update_post.permissions_time_limit.app_error",
    "api.post.create_post.root_id.app_error",
    "api.post.create_post.channel_root_id.app_error",
];

impl Mattermost {
    async fn webhook(&self, notice: &Notice) -> Result<Receipt, SendError> {
        let request = self.client.post(self.url.expose());
        let answer = client::send(request.json(&webhook_request(notice))).await?;
        if !answer.status.is_success() {
            return Err(self.judge(&answer).into());
        }
        Ok(Receipt {
            remote: None,
            detail: "posted".to_owned(),
        })
    }

    fn judge(&self, answer: &Answer) -> Refusal {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let id = body["id"].as_str().unwrap_or_default();
        if GONE.contains(&id) {
            return Refusal::Gone;
        }
        let mut error = client::judge(answer.status, &answer.headers, self.clock.now());
        let is_of_id = |byte: u8| byte.is_ascii_lowercase() || b"._".contains(&byte);
        if (1..=100).contains(&id.len()) && id.bytes().all(is_of_id) {
            error.reason = format!("mattermost answered {} {id}", answer.status.as_u16());
        }
        let is_of = |starts: &[&str]| starts.iter().any(|start| id.starts_with(start));
        if answer.status.is_client_error() && is_of(&SETTINGS) && !is_of(&CONTENT) {
            error = SendError::pause(error.reason);
        }
        error.into()
    }

    async fn call(
        &self,
        method: Method,
        rest: &[&str],
        body: Option<&Value>,
    ) -> Result<Answer, SendError> {
        self.call_about("posts", method, rest, body).await
    }

    async fn call_about(
        &self,
        what: &str,
        method: Method,
        rest: &[&str],
        body: Option<&Value>,
    ) -> Result<Answer, SendError> {
        let url = address(self.url.expose(), what, rest);
        let url = url.ok_or_else(|| SendError::pause("the server's address is not valid"))?;
        let mut request = self.client.request(method, url);
        if let Some(bot) = &self.bot {
            request = request.bearer_auth(bot.token.expose());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        client::send(request).await
    }

    /// Whether a post is gone. An edit alone does not tell: it is forbidden then, as it is to a bot
    /// that may not edit.
    async fn is_gone(&self, post: &str) -> Result<bool, SendError> {
        let answer = self.call(Method::GET, &[post], None).await?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let deleted = body["delete_at"].as_i64().is_some_and(|at| at > 0);
        Ok(answer.status == StatusCode::NOT_FOUND || deleted)
    }
}

impl Chat for Mattermost {
    type Message = String;

    fn report(&self, notice: &Notice) -> Vec<String> {
        mattermost::mattermost(&notice.report)
    }

    fn news(&self, notice: &Notice) -> String {
        notice.news()
    }

    async fn post(
        &self,
        message: &String,
        head: Option<&Remote>,
        _: &str,
    ) -> Result<Posted, Refusal> {
        let channel = self.bot.as_ref().map(|bot| &bot.channel_id);
        let mut body = json!({ "channel_id": channel, "message": message });
        if let Some(head) = head {
            body["root_id"] = head.head.as_str().into();
        }
        let answer = self.call(Method::POST, &[], Some(&body)).await?;
        if !answer.status.is_success() {
            return Err(self.judge(&answer));
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let id = body["id"].as_str().map(str::to_owned);
        let wrong = "mattermost answered without a post; check `url`";
        let id = id.ok_or_else(|| SendError::retry(wrong, None))?;
        Ok(Posted { place: None, id })
    }

    async fn edit(&self, head: &Remote, message: &String, _: &str) -> Result<(), Refusal> {
        let body = json!({ "message": message });
        let answer = self
            .call(Method::PUT, &[&head.head, "patch"], Some(&body))
            .await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let refused = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&answer.status);
        if refused && self.is_gone(&head.head).await? {
            return Err(Refusal::Gone);
        }
        Err(self.judge(&answer))
    }
}

impl Destination for Mattermost {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            match self.bot {
                Some(_) => thread::send(self, notice).await,
                None => self.webhook(notice).await,
            }
        })
    }

    fn probe(&self) -> Option<BoxFuture<'_, Result<String, SendError>>> {
        let bot = self.bot.as_ref()?;
        Some(Box::pin(async move {
            let rest = [bot.channel_id.as_str()];
            let answer = self
                .call_about("channels", Method::GET, &rest, None)
                .await?;
            if answer.status.is_success() {
                return Ok("the bot sees the channel".to_owned());
            }
            Err(self.judge(&answer).into())
        }))
    }

    /// Servers take ten requests a second; people read fewer.
    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests;
