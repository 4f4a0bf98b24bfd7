//! Matrix: one message an incident, edited in place, with its details and a line for each change in
//! a thread. Rooms without encryption: Herald holds no keys.
//!
//! Facts: spec.matrix.org (client-server API), Synapse. A message that is sent again under the same
//! transaction id is taken once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::StatusCode;
use reqwest::{Client, Method, Url};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::client::Answer;
use super::kinds::{BuildError, Kind};
use super::thread::{self, Chat, Posted, Refusal, Remote};
use super::{Destination, Notice, Pace, Receipt, SendError, client};
use crate::clock::Clock;
use crate::markup::matrix;
use crate::secret::{Secret, SecretKeys};

/// Posts to a Matrix room.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MatrixConfig {
    /// The address of the homeserver's client API, such as `https://matrix.example.com`.
    pub homeserver: String,
    /// The access token of the user that posts.
    pub token: Option<Secret>,
    /// The environment variable that holds the access token.
    pub token_env: Option<String>,
    /// The file that holds the access token.
    pub token_file: Option<PathBuf>,
    /// The room's id, such as `!abc:example.com`; the user must have joined it.
    pub room: String,
}

#[derive(Debug)]
pub(super) struct Matrix {
    client: Client,
    clock: Clock,
    /// No secret, but no text of ours shows an address.
    homeserver: Secret,
    token: Secret,
    room: String,
}

impl Kind for MatrixConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        Ok(Arc::new(Matrix::from_config(self, timeout, clock.clone())?))
    }
}

impl Matrix {
    pub(super) fn from_config(
        config: &MatrixConfig,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, BuildError> {
        let token = SecretKeys {
            key: "token",
            value: config.token.as_ref(),
            env: config.token_env.as_deref(),
            file: config.token_file.as_deref(),
        };
        client::check_url(&config.homeserver, "matrix: `homeserver`")?;
        if !config.room.starts_with('!') {
            let wrong = "matrix: `room` is the room's id, which begins with `!`";
            return Err(BuildError::Setting(wrong.to_owned()));
        }
        Ok(Self {
            client: client::client(timeout)?,
            clock,
            homeserver: Secret::new(config.homeserver.clone()),
            token: token.resolve()?,
            room: config.room.clone(),
        })
    }
}

/// An address below the room.
fn address(homeserver: &str, room: &str, rest: &[&str]) -> Option<Url> {
    let mut url = Url::parse(homeserver).ok()?;
    url.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend(["_matrix", "client", "v3", "rooms", room])
        .extend(rest);
    Some(url)
}

/// The content as a reply in the thread below the head.
fn in_thread(content: &Value, head: &str) -> Value {
    let mut content = content.clone();
    content["m.relates_to"] = json!({
        "rel_type": "m.thread",
        "event_id": head,
        "is_falling_back": true,
        "m.in_reply_to": { "event_id": head },
    });
    content
}

/// The content as the new one of the head. Clients that know no edits show the outer text.
fn replacing(content: &Value, head: &str) -> Value {
    let mut edit = matrix::shortened(content);
    edit["m.new_content"] = content.clone();
    edit["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": head });
    edit
}

/// An edit that says something else is another transaction: the same one would be passed over.
fn edit_key(key: &str, content: &Value) -> String {
    let digest = Sha256::digest(content.to_string());
    let hex = |byte: &u8| format!("{byte:02x}");
    format!(
        "{key}-{}",
        digest.iter().take(8).map(hex).collect::<String>()
    )
}

impl Matrix {
    async fn call(&self, method: Method, rest: &[&str], body: Option<&Value>) -> Called {
        let url = address(self.homeserver.expose(), &self.room, rest);
        let url = url.ok_or_else(|| SendError::pause("the homeserver's address is not valid"))?;
        let mut request = self.client.request(method, url);
        request = request.bearer_auth(self.token.expose());
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = client::send(request).await?;
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok((answer, body))
    }

    /// Sends a message; once more, shortened, when it is too large for the server.
    async fn put(
        &self,
        content: &Value,
        key: &str,
        wrap: impl Fn(&Value) -> Value + Send,
    ) -> Result<Posted, Refusal> {
        let event = |key: String, body: Value| async move {
            let rest = ["send", "m.room.message", &key];
            self.call(Method::PUT, &rest, Some(&body)).await
        };
        let (mut answer, mut body) = event(key.to_owned(), wrap(content)).await?;
        if answer.status == StatusCode::PAYLOAD_TOO_LARGE {
            let short = wrap(&matrix::shortened(content));
            (answer, body) = event(format!("{key}-short"), short).await?;
        }
        if !answer.status.is_success() {
            return Err(self.judge(&answer, &body).into());
        }
        let id = body["event_id"].as_str().map(str::to_owned);
        let id = id.ok_or_else(|| {
            SendError::retry("matrix answered without an event; check `homeserver`", None)
        })?;
        Ok(Posted { place: None, id })
    }

    /// Servers take an edit of what is not there, so it is looked for first.
    async fn find(&self, event: &str) -> Result<(), Refusal> {
        let (answer, body) = self.call(Method::GET, &["event", event], None).await?;
        let redacted = body["unsigned"].get("redacted_because").is_some();
        if answer.status == StatusCode::NOT_FOUND && body["errcode"] == "M_NOT_FOUND" || redacted {
            return Err(Refusal::Gone);
        }
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.judge(&answer, &body).into())
    }

    fn judge(&self, answer: &Answer, body: &Value) -> SendError {
        let mut error = client::judge(answer.status, &answer.headers, self.clock.now());
        let millis = body["retry_after_ms"].as_f64();
        error = error.wait_for(millis.map(|millis| millis / 1_000.0));
        let word = body["errcode"].as_str().unwrap_or_default();
        let letters = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        if (1..=64).contains(&word.len()) && word.bytes().all(letters) {
            error.reason = format!("matrix answered {} {word}", answer.status.as_u16());
        }
        error
    }
}

type Called = Result<(Answer, Value), SendError>;

impl Chat for Matrix {
    type Message = Value;

    fn report(&self, notice: &Notice) -> Vec<Value> {
        matrix::matrix(&notice.report)
    }

    fn news(&self, notice: &Notice) -> Value {
        matrix::line(&notice.news())
    }

    async fn post(
        &self,
        content: &Value,
        head: Option<&Remote>,
        key: &str,
    ) -> Result<Posted, Refusal> {
        let wrap = |content: &Value| match head {
            Some(head) => in_thread(content, &head.head),
            None => content.clone(),
        };
        self.put(content, key, wrap).await
    }

    async fn edit(&self, head: &Remote, content: &Value, key: &str) -> Result<(), Refusal> {
        self.find(&head.head).await?;
        let wrap = |content: &Value| replacing(content, &head.head);
        let key = edit_key(key, content);
        self.put(content, &key, wrap).await.map(drop)
    }
}

impl Destination for Matrix {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(thread::send(self, notice))
    }

    fn probe(&self) -> Option<BoxFuture<'_, Result<String, SendError>>> {
        Some(Box::pin(async move {
            let (answer, body) = self.call(Method::GET, &["joined_members"], None).await?;
            if answer.status.is_success() {
                return Ok("the user is in the room".to_owned());
            }
            let mut error = self.judge(&answer, &body);
            let hint = match body["errcode"].as_str() {
                Some("M_FORBIDDEN") => ": invite the user to the room and let it join",
                Some("M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN") => ": check the token",
                _ => "",
            };
            error.reason.push_str(hint);
            Err(error)
        }))
    }

    /// Synapse lets a user send about one message in five seconds for long, and ten at once.
    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests;
