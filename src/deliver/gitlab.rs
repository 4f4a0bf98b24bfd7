//! GitLab: one issue a kind of trouble, found again by a label or by its description.
//!
//! GitLab carries out lines such as `/close` in descriptions and comments, and makes mentions and
//! references of what looks like one in titles too. The dialect puts such words in code spans; a
//! title has none, so there they are look-alikes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::kinds::{BuildError, Kind};
use super::ticket::api::{Api, Login};
use super::ticket::room::fitted;
use super::ticket::{Draft, Status, Ticket, TicketConfig, Tickets, Tracker};
use super::{Destination, SendError};
use crate::clock::Clock;
use crate::markup::dialect::{Dialect, markdown};
use crate::markup::document::Document;
use crate::markup::inert;
use crate::secret::{Secret, secret_keys};

/// Keeps one GitLab issue for each kind of trouble.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GitlabConfig {
    /// Where GitLab is.
    pub url: Secret,
    /// A token with the scope `api` and at least the role Reporter: others may set no labels.
    pub token: Option<Secret>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// The project's number or its path, `group/project`.
    pub project: String,
    /// Labels of every issue, besides the one by which it is found again.
    pub labels: Vec<String>,
    /// Whether new issues are confidential.
    pub confidential: bool,
    /// The label of closed issues for which nothing is to be done.
    pub wont_fix_label: String,
    /// How issues follow their incidents.
    pub tickets: TicketConfig,
}

impl Default for GitlabConfig {
    fn default() -> Self {
        Self {
            url: Secret::new("https://gitlab.com"),
            token: None,
            token_env: None,
            token_file: None,
            project: String::new(),
            labels: Vec::new(),
            confidential: true,
            wont_fix_label: "wontfix".to_owned(),
            tickets: TicketConfig::default(),
        }
    }
}

/// Characters of a title and of a description.
const TITLE: usize = 255;
const DESCRIPTION: usize = 1_048_576;

#[derive(Debug)]
struct Gitlab {
    api: Api,
    /// Of the project's issues.
    path: String,
    config: GitlabConfig,
}

impl Kind for GitlabConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        let token = secret_keys!(self, token, token_env, token_file).resolve()?;
        let known = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let empty = |part: &str| matches!(part, "" | "." | "..");
        if !self.project.chars().all(known) || self.project.split('/').any(empty) {
            let wrong = "gitlab: `project` must be a number or GROUP/PROJECT";
            return Err(BuildError::Setting(wrong.to_owned()));
        }
        // They are sent as one text.
        if self.labels.iter().any(|label| label.contains(',')) {
            let wrong = "gitlab: `labels` cannot hold commas";
            return Err(BuildError::Setting(wrong.to_owned()));
        }
        let login = Login::Header("private-token", token);
        let gitlab = Gitlab {
            api: Api::new(
                "GitLab",
                (Some(&self.url), "/api/v4"),
                login,
                timeout,
                clock,
            )?,
            path: format!("/projects/{}/issues", self.project.replace('/', "%2F")),
            config: self.clone(),
        };
        Ok(Arc::new(Tickets::new(gitlab, &self.tickets, clock.clone())))
    }
}

impl Gitlab {
    fn issue(&self, draft: Draft<'_>) -> Value {
        let config = &self.config;
        let mut labels = vec![draft.marker];
        labels.extend(config.labels.iter().map(String::as_str));
        // Labels are dropped without a word where the token may not set them: the text has the mark too.
        let described =
            |document: &Document| format!("{}{}", mark(draft.marker), in_dialect(document));
        json!({
            "title": without_references(&inert::title(&draft.report.title, TITLE)),
            "description": fitted(draft.report, described, |text| text.chars().count() <= DESCRIPTION),
            "labels": labels.join(","),
            "confidential": config.confidential,
        })
    }

    async fn search(&self, filter: &[(&str, &str)]) -> Result<Vec<Value>, SendError> {
        let mut query = vec![("scope", "all"), ("state", "all"), ("per_page", "100")];
        query.extend(filter);
        match self.api.get(&self.path, &query).await? {
            Value::Array(issues) => Ok(issues),
            _ => Err(self.api.unreadable()),
        }
    }

    fn ticket(&self, issue: &Value) -> Result<Ticket, SendError> {
        let number = issue["iid"].as_i64().ok_or_else(|| self.api.unreadable())?;
        let closed = || Status::Closed {
            at: issue["closed_at"].as_str().and_then(|at| at.parse().ok()),
            wont_fix: has_label(issue, &self.config.wont_fix_label),
        };
        let is_closed = issue["state"] == "closed";
        let status = if is_closed { closed() } else { Status::Open };
        Ok(Ticket::numbered(number, status))
    }

    fn set<'a>(&'a self, id: &str, event: &str) -> BoxFuture<'a, Result<(), SendError>> {
        let path = format!("{}/{id}", self.path);
        self.api
            .tell(Method::PUT, path, json!({ "state_event": event }))
    }
}

fn mark(marker: &str) -> String {
    format!("<!-- {marker} -->\n\n")
}

fn in_dialect(document: &Document) -> String {
    markdown(document, Dialect::GitLab)
}

fn has_label(issue: &Value, label: &str) -> bool {
    let labels = issue["labels"].as_array();
    labels.is_some_and(|labels| labels.iter().any(|has| has == label))
}

/// What begins a mention or a reference, in its full width: `@all`, `#1`, `!1`, `~bug`, `%1`, `$1`,
/// `&1`, `[vulnerability:1]`.
fn without_references(title: &str) -> String {
    let wide = |c: char| match c {
        '@' => '＠',
        '#' => '＃',
        '!' => '！',
        '~' => '～',
        '%' => '％',
        '$' => '＄',
        '&' => '＆',
        '[' => '［',
        c => c,
    };
    title.chars().map(wide).collect()
}

impl Tracker for Gitlab {
    fn create<'a>(&'a self, draft: Draft<'a>) -> BoxFuture<'a, Result<Ticket, SendError>> {
        Box::pin(async move {
            let issue = self.issue(draft);
            let made = self.api.send(Method::POST, &self.path, &issue).await?;
            self.ticket(&made)
        })
    }

    fn find<'a>(&'a self, marker: &'a str) -> BoxFuture<'a, Result<Vec<Ticket>, SendError>> {
        Box::pin(async move {
            let mut found = self.search(&[("labels", marker)]).await?;
            if !found.iter().all(|issue| has_label(issue, marker)) {
                return Err(self.api.ignored("label"));
            }
            if found.is_empty() {
                let in_text = [("search", marker), ("in", "description")];
                found = self.search(&in_text).await?;
                // An event that quotes the marker makes no issue ours: it is our first line.
                let mark = mark(marker);
                found.retain(|issue| {
                    let text = issue["description"].as_str();
                    text.is_some_and(|text| text.starts_with(mark.trim_end()))
                });
            }
            found.iter().map(|issue| self.ticket(issue)).collect()
        })
    }

    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Ticket>, SendError>> {
        Box::pin(async move {
            let path = format!("{}/{id}", self.path);
            let issue = self.api.look(&path, &[]).await?;
            issue.map(|issue| self.ticket(&issue)).transpose()
        })
    }

    fn comment<'a>(&'a self, id: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        let note = json!({ "body": in_dialect(&Document::parse(text)) });
        self.api
            .tell(Method::POST, format!("{}/{id}/notes", self.path), note)
    }

    fn reopen<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        self.set(id, "reopen")
    }

    fn close<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        self.set(id, "close")
    }
}

#[cfg(test)]
mod tests;
