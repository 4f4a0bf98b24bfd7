//! Slack: by bot token one message an incident, edited in place, with a thread; by incoming webhook
//! new messages (Slack returns no handle to edit them).
//!
//! Facts: docs.slack.dev (Web API, Block Kit). Event text is only in `plain_text` and `rich_text`.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use reqwest::Client;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{self, Answer};
use super::kinds::BuildError;
use super::{Destination, Notice, NoticeKind, Pace, Receipt, SendError, Verdict};
use crate::markup::slack::{SlackMessage, message};
use crate::secret::{Secret, SecretKeys};

/// Posts to a Slack channel. Set either `token` and `channel`, or `webhook_url`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlackConfig {
    /// A bot token (`xoxb-`) with the scope `chat:write`.
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
}

#[derive(Debug)]
pub(super) struct Slack {
    client: Client,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Webhook(Secret),
    Bot {
        token: Secret,
        channel: String,
        api_url: String,
    },
}

/// What stands in Slack for an incident.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Remote {
    channel: String,
    ts: String,
    /// How many messages of the first report are out, the head included.
    posted: usize,
}

impl Slack {
    pub(super) fn from_config(config: &SlackConfig, timeout: Duration) -> Result<Self, BuildError> {
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
        let mode = match (webhook.resolve_optional()?, token.resolve_optional()?) {
            (Some(url), None) => Mode::Webhook(url),
            (None, Some(token)) => Mode::Bot {
                token,
                channel: config.channel.clone().ok_or_else(|| {
                    BuildError::Setting("slack: set `channel` beside the token".to_owned())
                })?,
                api_url: config
                    .api_url
                    .clone()
                    .unwrap_or_else(|| "https://slack.com/api".to_owned()),
            },
            _ => {
                let wrong = "slack: set either `token` and `channel`, or `webhook_url`";
                return Err(BuildError::Setting(wrong.to_owned()));
            }
        };
        Ok(Self {
            client: client::client(timeout)?,
            mode,
        })
    }
}

/// The body of one post. Never link names, never unfurl: that would fetch addresses of an attacker.
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
    let incident = &notice.incident;
    let text = format!(
        "{} events so far, the latest {} UTC; {}",
        incident.count,
        incident.last_received.strftime("%Y-%m-%d %H:%M:%S"),
        incident.state.name()
    );
    let element = json!({ "type": "text", "text": text });
    let section = json!({ "type": "rich_text_section", "elements": [element] });
    SlackMessage {
        text,
        blocks: vec![json!({ "type": "rich_text", "elements": [section] })],
    }
}

impl Slack {
    /// Posts the messages of the first report that are not out yet.
    async fn open(&self, notice: &Notice, mut remote: Remote) -> Result<Remote, SendError> {
        let thread = message(&notice.report);
        let messages: Vec<_> = std::iter::once(&thread.head)
            .chain(&thread.details)
            .collect();
        for message in messages.into_iter().skip(remote.posted) {
            let mut body = request(message);
            if !remote.ts.is_empty() {
                body["thread_ts"] = json!(remote.ts);
            }
            body["metadata"] = json!({
                "event_type": "falco_herald_incident",
                "event_payload": { "uid": notice.incident.uid },
            });
            match self.call("chat.postMessage", body).await {
                Ok(answer) => {
                    if remote.posted == 0 {
                        remote.channel = text_of(&answer, "channel");
                        remote.ts = text_of(&answer, "ts");
                    }
                    remote.posted += 1;
                }
                // A retry goes on behind what is out.
                Err(error) if remote.posted > 0 => return Err(error.with_remote(stored(&remote))),
                Err(error) => return Err(error),
            }
        }
        Ok(remote)
    }

    async fn update(&self, notice: &Notice, remote: &Remote) -> Result<(), SendError> {
        let mut edit = request(&message(&notice.report).head);
        edit["channel"] = json!(remote.channel);
        edit["ts"] = json!(remote.ts);
        self.call("chat.update", edit).await?;
        let mut reply = request(&news(notice));
        reply["channel"] = json!(remote.channel);
        reply["thread_ts"] = json!(remote.ts);
        self.call("chat.postMessage", reply).await.map(drop)
    }

    async fn bot(&self, notice: &Notice) -> Result<Receipt, SendError> {
        let known: Remote = notice
            .remote
            .as_deref()
            .and_then(|remote| serde_json::from_str(remote).ok())
            .unwrap_or_default();
        let remote = if notice.kind == NoticeKind::Open || known.ts.is_empty() {
            self.open(notice, known).await?
        } else {
            match self.update(notice, &known).await {
                Ok(()) => known,
                Err(error) if is_gone(&error.reason) => {
                    self.open(notice, Remote::default()).await?
                }
                Err(error) => return Err(error),
            }
        };
        Ok(Receipt {
            detail: format!("posted to {}", remote.channel),
            remote: Some(stored(&remote)),
        })
    }

    /// Calls a method; once more with text alone when Slack refuses the blocks.
    async fn call(&self, method: &str, mut body: Value) -> Result<Value, SendError> {
        let Mode::Bot { channel, .. } = &self.mode else {
            return Err(SendError::fail("not a bot"));
        };
        if body.get("channel").is_none() {
            body["channel"] = json!(channel);
        }
        match self.call_once(method, &body).await {
            Err(error) if is_of_blocks(&error.reason) => {
                if let Some(body) = body.as_object_mut() {
                    body.remove("blocks");
                }
                self.call_once(method, &body).await
            }
            result => result,
        }
    }

    async fn call_once(&self, method: &str, body: &Value) -> Result<Value, SendError> {
        let Mode::Bot { token, api_url, .. } = &self.mode else {
            return Err(SendError::fail("not a bot"));
        };
        let url = format!("{}/{method}", api_url.trim_end_matches('/'));
        let request = self.client.post(url).bearer_auth(token.expose()).json(body);
        judge(&client::send(request).await?)
    }

    async fn webhook(&self, url: &Secret, notice: &Notice) -> Result<Receipt, SendError> {
        let thread = message(&notice.report);
        let known: Remote = notice
            .remote
            .as_deref()
            .and_then(|remote| serde_json::from_str(remote).ok())
            .unwrap_or_default();
        let mut messages = vec![&thread.head];
        let mut posted = 0;
        if notice.kind == NoticeKind::Open {
            messages.extend(thread.details.first());
            posted = known.posted;
        }
        for message in messages.into_iter().skip(posted) {
            if let Err(error) = self.post(url, request(message)).await {
                let remote = Remote {
                    posted,
                    ..Remote::default()
                };
                return Err(error.with_remote(stored(&remote)));
            }
            posted += 1;
        }
        Ok(Receipt {
            remote: None,
            detail: "posted".to_owned(),
        })
    }

    async fn post(&self, url: &Secret, mut body: Value) -> Result<(), SendError> {
        let send = |body: &Value| client::send(self.client.post(url.expose()).json(body));
        match judge_webhook(&send(&body).await?) {
            Err(error) if is_of_blocks(&error.reason) => {
                if let Some(body) = body.as_object_mut() {
                    body.remove("blocks");
                }
                judge_webhook(&send(&body).await?)
            }
            result => result,
        }
    }
}

/// Slack answers 200 with `ok: false`.
fn judge(answer: &Answer) -> Result<Value, SendError> {
    if !answer.status.is_success() {
        return Err(client::judge(
            answer.status,
            &answer.headers,
            Timestamp::UNIX_EPOCH,
        ));
    }
    let body: Value = serde_json::from_slice(&answer.body)
        .map_err(|_| SendError::retry("slack answered something else than JSON", None))?;
    if body["ok"] == json!(true) {
        return Ok(body);
    }
    let error = identifier(body["error"].as_str().unwrap_or_default());
    let after = client::retry_after(&answer.headers, Timestamp::UNIX_EPOCH);
    Err(SendError {
        verdict: if TRANSIENT.contains(&error.as_str()) {
            Verdict::Retry { after }
        } else {
            Verdict::Fail
        },
        reason: format!("slack answered {error}"),
        remote: None,
    })
}

/// A webhook answers with a word and a status.
fn judge_webhook(answer: &Answer) -> Result<(), SendError> {
    if answer.status.is_success() {
        return Ok(());
    }
    let mut error = client::judge(answer.status, &answer.headers, Timestamp::UNIX_EPOCH);
    let word = identifier(&String::from_utf8_lossy(&answer.body));
    error.reason = format!("slack answered {} {word}", answer.status.as_u16());
    Err(error)
}

const TRANSIENT: [&str; 8] = [
    "ratelimited",
    "rate_limited",
    "message_limit_exceeded",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
];

/// Only Slack's own identifiers are shown: an answer may come from anything between.
fn identifier(text: &str) -> String {
    let word = text.trim();
    let shown = !word.is_empty()
        && word.len() <= 64
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if shown {
        word.to_owned()
    } else {
        "an unknown error".to_owned()
    }
}

fn is_of_blocks(reason: &str) -> bool {
    [
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "invalid_payload",
    ]
    .iter()
    .any(|word| reason.ends_with(word))
}

fn is_gone(reason: &str) -> bool {
    [
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "cannot_reply_to_message",
    ]
    .iter()
    .any(|word| reason.ends_with(word))
}

fn text_of(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_default().to_owned()
}

fn stored(remote: &Remote) -> String {
    serde_json::to_string(remote).expect("text and numbers are always JSON")
}

impl Destination for Slack {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            match &self.mode {
                Mode::Webhook(url) => self.webhook(url, notice).await,
                Mode::Bot { .. } => self.bot(notice).await,
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
}
