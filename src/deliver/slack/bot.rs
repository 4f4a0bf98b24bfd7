//! By bot token: a head that is edited as the incident changes, and a thread below it.

use serde_json::{Value, json};

use super::super::client;
use super::super::{Notice, NoticeKind, Receipt, SendError};
use super::answer::{self, Class, Refusal};
use super::evidence;
use super::{Remote, Slack, message, news, request, without_blocks};
use crate::secret::Secret;

pub(super) struct Bot<'a> {
    pub(super) slack: &'a Slack,
    pub(super) token: &'a Secret,
    pub(super) channel: &'a str,
    pub(super) api_url: &'a Secret,
}

impl Bot<'_> {
    pub(super) async fn send(&self, notice: &Notice) -> Result<Receipt, SendError> {
        let known = Remote::of(notice);
        let mut remote = if known.ts.is_empty() {
            self.open(notice, known).await?
        } else {
            let resumed = known.partial;
            let remote = if resumed {
                self.open(notice, known).await?
            } else {
                known
            };
            // The same notice, tried again, has its head out as it should read.
            if resumed && notice.kind == NoticeKind::Open {
                remote
            } else {
                self.update(notice, remote).await?
            }
        };
        let mut detail = format!("posted to {}", remote.channel);
        if evidence::is_due(notice, &remote) {
            match evidence::attach(self, notice, &remote).await {
                Ok(()) => remote.attached = true,
                Err(error) => detail = format!("{detail}; the event is not attached: {error}"),
            }
        }
        Ok(Receipt {
            detail,
            remote: Some(remote.stored()),
        })
    }

    /// Posts the messages of the first report that are not out yet.
    async fn open(&self, notice: &Notice, mut remote: Remote) -> Result<Remote, SendError> {
        let thread = message(&notice.report);
        let messages: Vec<_> = std::iter::once(&thread.head)
            .chain(&thread.details)
            .collect();
        for message in messages.into_iter().skip(remote.posted) {
            let mut body = self.slack.post(message);
            body["metadata"] = json!({
                "event_type": "falco_herald_incident",
                "event_payload": { "uid": notice.incident.uid },
            });
            let answer = if remote.posted == 0 {
                self.post(body).await.map_err(SendError::from)
            } else {
                self.reply(&mut remote, body).await
            };
            match answer {
                Ok(answer) => {
                    if remote.posted == 0 {
                        remote.channel = text_of(&answer, "channel");
                        remote.ts = text_of(&answer, "ts");
                    }
                    remote.posted += 1;
                }
                // A retry goes on behind what is out.
                Err(error) if remote.posted > 0 => {
                    remote.partial = true;
                    return Err(error.with_remote(remote.stored()));
                }
                Err(error) => return Err(error),
            }
        }
        remote.partial = false;
        Ok(remote)
    }

    /// Edits the head and says in the thread what is new.
    async fn update(&self, notice: &Notice, mut remote: Remote) -> Result<Remote, SendError> {
        let mut edit = request(&message(&notice.report).head);
        edit["channel"] = json!(remote.channel);
        edit["ts"] = json!(remote.ts);
        match self.call("chat.update", edit).await {
            Err(refusal) if refusal.class == Class::Gone => {
                return self.open(notice, Remote::default()).await;
            }
            result => result?,
        };
        let body = self.slack.post(&news(notice));
        self.reply(&mut remote, body).await?;
        Ok(remote)
    }

    /// Posts below the head; at the top level where Slack allows no thread.
    async fn reply(&self, remote: &mut Remote, mut body: Value) -> Result<Value, SendError> {
        body["channel"] = json!(remote.channel);
        if !remote.flat {
            body["thread_ts"] = json!(remote.ts);
            match self.post(body.clone()).await {
                Err(refusal) if refusal.class == Class::Thread => remote.flat = true,
                result => return Ok(result?),
            }
            if let Some(body) = body.as_object_mut() {
                body.remove("thread_ts");
            }
        }
        Ok(self.post(body).await?)
    }

    /// Whether the token is known and has the scope to post. Whether the bot is in the channel can
    /// only be asked with more scopes than it needs.
    pub(super) async fn probe(&self) -> Result<String, SendError> {
        let answer = self.ask("auth.test", &json!({})).await?;
        let scopes = answer.headers.get("x-oauth-scopes").cloned();
        answer::judge(&answer, self.slack.clock.now())?;
        let scopes = scopes.as_ref().and_then(|scopes| scopes.to_str().ok());
        let mut known = scopes.unwrap_or("chat:write").split(',');
        if !known.any(|scope| scope.trim() == "chat:write") {
            let why = "the token lacks the scope chat:write; add it and install the app anew";
            return Err(SendError::fail(why));
        }
        Ok("slack knows the token; send-test shows whether the bot is in the channel".to_owned())
    }

    async fn post(&self, mut body: Value) -> Result<Value, Refusal> {
        if body.get("channel").is_none() {
            body["channel"] = json!(self.channel);
        }
        self.call("chat.postMessage", body).await
    }

    /// Calls a method; once more with text alone when Slack refuses the blocks.
    async fn call(&self, method: &str, mut body: Value) -> Result<Value, Refusal> {
        match self.call_once(method, &body).await {
            Err(refusal) if refusal.class == Class::Blocks => {
                without_blocks(&mut body);
                self.call_once(method, &body).await
            }
            result => result,
        }
    }

    pub(super) async fn call_once(&self, method: &str, body: &Value) -> Result<Value, Refusal> {
        answer::judge(&self.ask(method, body).await?, self.slack.clock.now())
    }

    async fn ask(&self, method: &str, body: &Value) -> Result<client::Answer, SendError> {
        let url = format!("{}/{method}", self.api_url.expose());
        let request = self.slack.client.post(url);
        client::send(request.bearer_auth(self.token.expose()).json(body)).await
    }
}

fn text_of(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_default().to_owned()
}
