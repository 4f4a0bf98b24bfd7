//! GitHub Issues: one issue a kind of trouble, found again by a label.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::header::ACCEPT;
use http::{Method, StatusCode};
use jiff::Timestamp;
use reqwest::Client;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{self, Answer};
use super::kinds::{BuildError, Kind};
use super::ticket::api::ANSWER;
use super::ticket::{Draft, Status, Ticket, TicketConfig, Tickets, Tracker};
use super::{Destination, SendError};
use crate::clock::Clock;
use crate::markup::dialect::{Dialect, markdown};
use crate::markup::document::Document;
use crate::markup::inert;
use crate::secret::{Secret, secret_keys};

/// Keeps one GitHub issue for each kind of trouble.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GithubConfig {
    /// The repository, `owner/name`.
    pub repository: String,
    /// A token that may write issues; to label them it needs triage or write access.
    pub token: Option<Secret>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// Labels of every issue, besides the one by which it is found again.
    pub labels: Vec<String>,
    /// The API's address. Default `https://api.github.com`; GitHub Enterprise has `https://HOST/api/v3`.
    pub api_url: Option<Secret>,
    /// How issues follow their incidents.
    pub tickets: TicketConfig,
}

const API: &str = "https://api.github.com";

/// Characters of a title and of a body that GitHub takes.
const TITLE: usize = 256;
const BODY: usize = 65_536;

#[derive(Debug)]
struct Github {
    client: Client,
    clock: Clock,
    api_url: Secret,
    token: Secret,
    repository: String,
    labels: Vec<String>,
}

impl Kind for GithubConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        let token = secret_keys!(self, token, token_env, token_file);
        let parts: Vec<_> = self.repository.split('/').collect();
        let name = |part: &&str| {
            let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !part.is_empty() && part.chars().all(known)
        };
        if parts.len() != 2 || !parts.iter().all(name) {
            let wrong = "github: `repository` must be OWNER/NAME";
            return Err(BuildError::Setting(wrong.to_owned()));
        }
        let api_url = self
            .api_url
            .clone()
            .unwrap_or_else(|| Secret::new(API.to_owned()));
        client::check_url(api_url.expose(), "github: `api_url`")?;
        let github = Github {
            client: client::client(timeout)?,
            clock: clock.clone(),
            api_url,
            token: token.resolve()?,
            repository: self.repository.clone(),
            labels: self.labels.clone(),
        };
        Ok(Arc::new(Tickets::new(github, &self.tickets, clock.clone())))
    }
}

impl Github {
    fn issue(&self, draft: Draft<'_>) -> Value {
        let mut labels = vec![draft.marker];
        labels.extend(self.labels.iter().map(String::as_str));
        // Labels are dropped without a word where the token may not set them: the body has the mark too.
        let mark = mark(draft.marker);
        let report = in_dialect(&draft.report.markdown);
        let report = if mark.len() + report.len() <= BODY {
            report
        } else {
            in_dialect(&crate::markup::escape::inline(&draft.report.lead))
        };
        json!({
            "title": inert::title(&draft.report.title, TITLE),
            "body": format!("{mark}{report}"),
            "labels": labels,
        })
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, SendError> {
        let request = self
            .client
            .request(method, format!("{}{path}", self.api_url.expose()))
            .bearer_auth(self.token.expose())
            .header(ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28");
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        client::send_up_to(request, ANSWER).await
    }

    /// Calls below the repository; the answer's JSON.
    async fn issues(
        &self,
        method: Method,
        below: &str,
        body: Option<Value>,
    ) -> Result<Value, SendError> {
        let path = format!("/repos/{}/issues{below}", self.repository);
        let answer = self.call(method, &path, body).await?;
        self.judge(&answer)
    }

    fn judge(&self, answer: &Answer) -> Result<Value, SendError> {
        let now = self.clock.now();
        if answer.status.is_success() {
            let read = serde_json::from_slice(&answer.body);
            return read.map_err(|_| SendError::retry("GitHub's answer cannot be read", None));
        }
        let header = |name| {
            answer
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let limited =
            header("x-ratelimit-remaining") == Some("0") || header("retry-after").is_some();
        if answer.status == StatusCode::FORBIDDEN && limited {
            let reset = header("x-ratelimit-reset").and_then(|at| at.parse().ok());
            let reset = reset.and_then(|at| Timestamp::from_second(at).ok());
            let reset = reset.and_then(|at| Duration::try_from(at.duration_since(now)).ok());
            let after = client::retry_after(&answer.headers, now).or(reset);
            return Err(SendError::retry("GitHub's rate limit is used up", after));
        }
        let error = client::judge(answer.status, &answer.headers, now);
        let why = match answer.status {
            StatusCode::UNAUTHORIZED => "GitHub does not know the token",
            StatusCode::FORBIDDEN => "GitHub does not let the token write issues",
            StatusCode::NOT_FOUND => "GitHub shows the token no such repository or issue",
            StatusCode::GONE => "issues are disabled in the repository, or the issue is deleted",
            _ => return Err(error),
        };
        Err(SendError {
            reason: why.to_owned(),
            ..error
        })
    }
}

fn mark(marker: &str) -> String {
    format!("<!-- {marker} -->\n\n")
}

fn in_dialect(text: &str) -> String {
    markdown(&Document::parse(text), Dialect::GitHub)
}

/// Pull requests are issues to the API, and none of ours.
fn ticket(issue: &Value) -> Option<Ticket> {
    if issue.get("pull_request").is_some() {
        return None;
    }
    let number = issue["number"].as_i64()?;
    let reason = issue["state_reason"].as_str();
    let status = if issue["state"] == "closed" {
        Status::Closed {
            at: issue["closed_at"].as_str().and_then(|at| at.parse().ok()),
            wont_fix: matches!(reason, Some("not_planned" | "duplicate")),
        }
    } else {
        Status::Open
    };
    Some(Ticket::numbered(number, status))
}

fn unreadable() -> SendError {
    SendError::retry("GitHub's answer holds no issue", None)
}

impl Tracker for Github {
    fn create<'a>(&'a self, draft: Draft<'a>) -> BoxFuture<'a, Result<Ticket, SendError>> {
        Box::pin(async move {
            let issue = self.issue(draft);
            let made = self.issues(Method::POST, "", Some(issue)).await?;
            ticket(&made).ok_or_else(unreadable)
        })
    }

    fn find<'a>(&'a self, marker: &'a str) -> BoxFuture<'a, Result<Vec<Ticket>, SendError>> {
        Box::pin(async move {
            let below = format!("?state=all&labels={marker}&per_page=100");
            let labelled = self.issues(Method::GET, &below, None).await?;
            let labelled = labelled.as_array().ok_or_else(unreadable)?;
            if !labelled.is_empty() {
                return Ok(labelled.iter().filter_map(ticket).collect());
            }
            let query = format!(
                "/search/issues?q=repo%3A{}%20is%3Aissue%20in%3Abody%20%22{marker}%22&per_page=100",
                self.repository.replace('/', "%2F")
            );
            let answer = self.call(Method::GET, &query, None).await?;
            let found = self.judge(&answer)?;
            let found = found["items"].as_array().ok_or_else(unreadable)?;
            // An event that quotes the marker makes no issue ours: it is our first line.
            let mark = mark(marker);
            let ours = |issue: &&Value| {
                let body = issue["body"].as_str();
                body.is_some_and(|body| body.starts_with(mark.trim_end()))
            };
            Ok(found.iter().filter(ours).filter_map(ticket).collect())
        })
    }

    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Ticket>, SendError>> {
        Box::pin(async move {
            let path = format!("/repos/{}/issues/{id}", self.repository);
            let answer = self.call(Method::GET, &path, None).await?;
            if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
                return Ok(None);
            }
            ticket(&self.judge(&answer)?)
                .map(Some)
                .ok_or_else(unreadable)
        })
    }

    fn comment<'a>(&'a self, id: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let body = json!({ "body": in_dialect(text) });
            self.issues(Method::POST, &format!("/{id}/comments"), Some(body))
                .await?;
            Ok(())
        })
    }

    fn reopen<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.set(id, json!({ "state": "open", "state_reason": "reopened" })))
    }

    fn close<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.set(
            id,
            json!({ "state": "closed", "state_reason": "completed" }),
        ))
    }
}

impl Github {
    async fn set(&self, id: &str, state: Value) -> Result<(), SendError> {
        self.issues(Method::PATCH, &format!("/{id}"), Some(state))
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
