//! Microsoft Teams: Adaptive Cards to a Workflows webhook. It returns no handle, so nothing can be
//! edited or put into a thread: each notice is a new message.
//!
//! Facts: learn.microsoft.com (Workflows webhooks, Adaptive Cards 1.5 in Teams). 202 means that the
//! flow took the card; what becomes of it after that cannot be seen from here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::StatusCode;
use reqwest::Client;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::client::Answer;
use super::kinds::{BuildError, Kind};
use super::{Destination, Notice, NoticeKind, Pace, Receipt, SendError, client};
use crate::clock::Clock;
use crate::markup::document::Document;
use crate::markup::pages;
use crate::markup::teams::{MAX_CARD, teams_within};
use crate::secret::{Secret, SecretKeys};

/// Posts cards to a channel or chat of Microsoft Teams.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TeamsConfig {
    /// The address of the workflow "Post to a channel when a webhook request is received".
    pub url: Option<Secret>,
    /// The environment variable that holds the address.
    pub url_env: Option<String>,
    /// The file that holds the address.
    pub url_file: Option<PathBuf>,
}

#[derive(Debug)]
pub(super) struct Teams {
    client: Client,
    clock: Clock,
    url: Secret,
}

impl Kind for TeamsConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        Ok(Arc::new(Teams::from_config(self, timeout, clock.clone())?))
    }
}

impl Teams {
    pub(super) fn from_config(
        config: &TeamsConfig,
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
        client::check_url(url.expose(), "teams: `url`")?;
        Ok(Self {
            client: client::client(timeout)?,
            clock,
            url,
        })
    }
}

/// The card, and what is tried when it is refused for its size: the limit of Teams is not exact.
/// Details are said only once, because there is no thread to put them in.
fn requests(notice: &Notice) -> Vec<Value> {
    let first = notice.kind == NoticeKind::Open;
    let news = (!first).then(|| notice.news());
    let document = |with_details| Document {
        blocks: pages::blocks(&notice.report, news.as_deref(), with_details),
    };
    let (whole, head) = (document(first), document(false));
    let mut cards = vec![
        teams_within(&whole, MAX_CARD),
        teams_within(&whole, MAX_CARD / 2),
        teams_within(&head, MAX_CARD / 4),
    ];
    cards.dedup();
    cards
}

impl Teams {
    async fn post(&self, card: &Value) -> Result<Answer, SendError> {
        client::send(self.client.post(self.url.expose()).json(card)).await
    }

    fn judge(&self, answer: &Answer) -> Result<Receipt, SendError> {
        if answer.status.is_success() {
            return Ok(Receipt {
                remote: None,
                detail: format!("the flow answered {}", answer.status.as_u16()),
            });
        }
        Err(client::judge(
            answer.status,
            &answer.headers,
            self.clock.now(),
        ))
    }
}

impl Destination for Teams {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            let mut refused = SendError::unacceptable("the card is too large");
            for card in requests(notice) {
                let answer = self.post(&card).await?;
                if answer.status != StatusCode::PAYLOAD_TOO_LARGE {
                    return self.judge(&answer);
                }
                refused = client::judge(answer.status, &answer.headers, self.clock.now());
            }
            Err(refused)
        })
    }

    /// Webhooks of Teams took four requests a second; a flow takes fewer.
    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests;
