//! Telegram, by bot token: one message an incident, edited in place, with its details and a line for
//! each change as answers to it.
//!
//! Facts: core.telegram.org/bots/api. The token is part of the address.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::{Client, Url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::Answer;
use super::kinds::{BuildError, Kind};
use super::thread::{self, Chat, Posted, Refusal, Remote};
use super::{Destination, Notice, Pace, Receipt, SendError, client};
use crate::clock::Clock;
use crate::markup::telegram;
use crate::secret::{Secret, SecretKeys};

/// Posts to a Telegram chat.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelegramConfig {
    /// The bot's token.
    pub token: Option<Secret>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// The chat's number, or the name of a public channel with `@`.
    pub chat_id: Option<ChatId>,
    /// The topic of a group that has topics.
    pub message_thread_id: Option<i64>,
    /// Where the Bot API is, for gateways and tests.
    pub api_url: Option<String>,
}

/// A chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ChatId {
    /// Its number; those of groups and channels are negative.
    Number(i64),
    /// The name of a public channel or group, with `@`.
    Name(String),
}

#[derive(Debug)]
pub(super) struct Telegram {
    client: Client,
    clock: Clock,
    token: Secret,
    chat_id: ChatId,
    message_thread_id: Option<i64>,
    /// No secret, but no text of ours shows an address.
    api_url: Secret,
}

impl Kind for TelegramConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        Ok(Arc::new(Telegram::from_config(
            self,
            timeout,
            clock.clone(),
        )?))
    }
}

impl Telegram {
    pub(super) fn from_config(
        config: &TelegramConfig,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, BuildError> {
        let token = SecretKeys {
            key: "token",
            value: config.token.as_ref(),
            env: config.token_env.as_deref(),
            file: config.token_file.as_deref(),
        };
        let api_url = config.api_url.as_deref();
        let api_url = api_url.unwrap_or("https://api.telegram.org");
        client::check_url(api_url, "telegram: `api_url`")?;
        let chat_id = match &config.chat_id {
            Some(ChatId::Name(name)) if !name.starts_with('@') => None,
            chat_id => chat_id.clone(),
        };
        let missing = "telegram: set `chat_id`, a number or a name with `@`";
        Ok(Self {
            client: client::client(timeout)?,
            clock,
            token: token.resolve()?,
            chat_id: chat_id.ok_or_else(|| BuildError::Setting(missing.to_owned()))?,
            message_thread_id: config.message_thread_id,
            api_url: Secret::new(api_url),
        })
    }
}

fn address(api_url: &str, token: &str, method: &str) -> Option<Url> {
    let mut url = Url::parse(api_url).ok()?;
    let mut path = url.path_segments_mut().ok()?;
    path.pop_if_empty()
        .push(&format!("bot{token}"))
        .push(method);
    drop(path);
    Some(url)
}

/// What Telegram says about a request that it does not take.
#[derive(Debug)]
enum Answered {
    Refused(Refusal),
    /// The group became a supergroup, with another number.
    Moved(i64),
    /// The message reads so already.
    Same,
}

impl From<SendError> for Answered {
    fn from(error: SendError) -> Self {
        Self::Refused(error.into())
    }
}

impl Telegram {
    async fn call(&self, method: &str, body: &Value) -> Result<Value, Answered> {
        let url = address(self.api_url.expose(), self.token.expose(), method);
        let url = url.ok_or_else(|| SendError::pause("the address of the Bot API is not valid"))?;
        let answer = client::send(self.client.post(url).json(body)).await?;
        self.judge(&answer)
    }

    fn judge(&self, answer: &Answer) -> Result<Value, Answered> {
        let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status.is_success() {
            if body["ok"] == json!(true) {
                return Ok(body["result"].take());
            }
            let wrong = "telegram answered something else than its result; check `api_url`";
            return Err(SendError::retry(wrong, None).into());
        }
        let parameters = &body["parameters"];
        if let Some(chat) = parameters["migrate_to_chat_id"].as_i64() {
            return Err(Answered::Moved(chat));
        }
        let said = body["description"]
            .as_str()
            .unwrap_or_default()
            .to_lowercase();
        let says = |phrase: &str| said.contains(phrase);
        if says("message is not modified") {
            return Err(Answered::Same);
        }
        if GONE.into_iter().any(says) {
            return Err(Answered::Refused(Refusal::Gone));
        }
        let mut error = client::judge(answer.status, &answer.headers, self.clock.now());
        error = error.wait_for(parameters["retry_after"].as_f64());
        error.reason = format!("telegram answered {}", answer.status.as_u16());
        if let Some(phrase) = SETTINGS.into_iter().find(|phrase| says(phrase)) {
            error = SendError::pause(format!("{}: {phrase}", error.reason));
        }
        Err(error.into())
    }

    async fn send_to(&self, chat: &Value, message: &Value, reply_to: Option<&Value>) -> Sent {
        let mut body = message.clone();
        body["chat_id"] = chat.clone();
        if let Some(topic) = self.message_thread_id {
            body["message_thread_id"] = topic.into();
        }
        if let Some(id) = reply_to {
            // What it answers may have been deleted; the news count all the same.
            body["reply_parameters"] =
                json!({ "message_id": id, "allow_sending_without_reply": true });
        }
        self.call("sendMessage", &body).await
    }
}

type Sent = Result<Value, Answered>;

/// What is said of a message that cannot be edited any more.
const GONE: [&str; 3] = [
    "message to edit not found",
    "message can't be edited",
    "message_id_invalid",
];

/// What only a change of the settings mends, though some of it comes with status 400.
const SETTINGS: [&str; 6] = [
    "chat not found",
    "group chat was deactivated",
    "message thread not found",
    "topic_closed",
    "not enough rights",
    "have no rights",
];

/// The chat that the head went to: a group may have moved since it was configured.
fn place(remote: &Remote) -> Option<Value> {
    let place = remote.place.as_deref()?;
    Some(place.parse::<i64>().ok()?.into())
}

fn message_id(remote: &Remote) -> Value {
    remote.head.parse::<i64>().unwrap_or_default().into()
}

impl Chat for Telegram {
    type Message = Value;

    fn report(&self, notice: &Notice) -> Vec<Value> {
        telegram::telegram(&notice.report)
    }

    fn news(&self, notice: &Notice) -> Value {
        telegram::line(&notice.news())
    }

    async fn post(
        &self,
        message: &Value,
        head: Option<&Remote>,
        _: &str,
    ) -> Result<Posted, Refusal> {
        let chat = head.and_then(place).unwrap_or_else(|| json!(self.chat_id));
        let reply_to = head.map(message_id);
        let mut sent = self.send_to(&chat, message, reply_to.as_ref()).await;
        if let Err(Answered::Moved(chat)) = sent {
            sent = self.send_to(&json!(chat), message, reply_to.as_ref()).await;
        }
        let result = match sent {
            Ok(result) => result,
            Err(Answered::Refused(refusal)) => return Err(refusal),
            Err(Answered::Moved(_) | Answered::Same) => Value::Null,
        };
        let number = |value: &Value| value.as_i64().map(|number| number.to_string());
        Ok(Posted {
            place: number(&result["chat"]["id"]),
            id: number(&result["message_id"])
                .ok_or_else(|| SendError::retry("telegram answered without a message", None))?,
        })
    }

    async fn edit(&self, head: &Remote, message: &Value, _: &str) -> Result<(), Refusal> {
        let mut body = message.clone();
        body["chat_id"] = place(head).unwrap_or_else(|| json!(self.chat_id));
        body["message_id"] = message_id(head);
        match self.call("editMessageText", &body).await {
            Ok(_) | Err(Answered::Same) => Ok(()),
            // Messages stayed behind in the old group.
            Err(Answered::Moved(_)) => Err(Refusal::Gone),
            Err(Answered::Refused(refusal)) => Err(refusal),
        }
    }
}

impl Destination for Telegram {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(thread::send(self, notice))
    }

    fn probe(&self) -> Option<BoxFuture<'_, Result<String, SendError>>> {
        Some(Box::pin(async move {
            match self
                .call("getChat", &json!({ "chat_id": self.chat_id }))
                .await
            {
                Ok(_) => Ok("the bot knows the chat".to_owned()),
                Err(Answered::Refused(refusal)) => Err(refusal.into()),
                Err(Answered::Moved(_)) => Ok("the chat has moved, and is found".to_owned()),
                Err(Answered::Same) => Ok("the bot is known".to_owned()),
            }
        }))
    }

    /// A bot may send 20 messages a minute to a group.
    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::from_secs(3),
        }
    }
}

#[cfg(test)]
mod tests;
