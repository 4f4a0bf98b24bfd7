//! Jira, Cloud (API 3) and Data Center (API 2): one issue a kind of trouble, found again by a label.
//!
//! A search in Jira Cloud lags. It could be told to take fresh issues into account
//! (`reconcileIssues`), and is not: that it shows our own issue is how we know that it would show
//! another process's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::kinds::{BuildError, Kind};
use super::ticket::api::{Api, Login, with_fields};
use super::ticket::room::fitted;
use super::ticket::{Draft, Status, Ticket, TicketConfig, Tickets, Tracker};
use super::{Destination, SendError};
use crate::clock::Clock;
use crate::markup::adf::adf;
use crate::markup::document::Document;
use crate::markup::inert;
use crate::markup::jira::jira;
use crate::secret::{Secret, secret_keys};

mod transition;

/// Keeps one Jira issue for each kind of trouble.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JiraConfig {
    /// Where Jira is: `https://acme.atlassian.net`.
    pub url: Option<Secret>,
    /// Which Jira it is. Default: `cloud` with a `user`, `data-center` without.
    pub api: Option<JiraApi>,
    /// The account's mail address, or in Data Center its name, for HTTP Basic. Without one the token
    /// is a personal access token.
    pub user: Option<String>,
    /// The API token, the personal access token, or the password.
    pub token: Option<Secret>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// The project's key.
    pub project: String,
    /// The type of new issues.
    pub issue_type: String,
    /// Labels of every issue, besides the one by which it is found again.
    pub labels: Vec<String>,
    /// Further fields of a new issue, as the API names them: `priority: { name: High }`.
    pub fields: BTreeMap<String, Value>,
    /// The resolution of issues that are closed, where the workflow asks for one. Default: the first
    /// that it offers and that is not in `wont_fix`.
    pub resolution: Option<String>,
    /// Resolutions, and statuses of category done, that mean that nothing is to be done.
    pub wont_fix: Vec<String>,
    /// How issues follow their incidents.
    pub tickets: TicketConfig,
}

impl Default for JiraConfig {
    fn default() -> Self {
        let wont_fix = ["Won't Fix", "Won't Do", "Declined", "Duplicate"];
        Self {
            url: None,
            api: None,
            user: None,
            token: None,
            token_env: None,
            token_file: None,
            project: String::new(),
            issue_type: "Task".to_owned(),
            labels: Vec::new(),
            fields: BTreeMap::new(),
            resolution: None,
            wont_fix: wont_fix.map(str::to_owned).into(),
            tickets: TicketConfig::default(),
        }
    }
}

/// The two that are called Jira.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JiraApi {
    /// At Atlassian: API 3, texts as Atlassian documents.
    Cloud,
    /// On a site's own servers: API 2, texts in wiki markup.
    DataCenter,
}

/// Characters of a summary, and of a text as it is sent.
const SUMMARY: usize = 255;
const TEXT: usize = 32_767;

const FIELDS: [&str; 5] = [
    "status",
    "resolution",
    "resolutiondate",
    "statuscategorychangedate",
    "labels",
];

#[derive(Debug)]
struct Jira {
    api: Api,
    dialect: JiraApi,
    config: JiraConfig,
}

impl Kind for JiraConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        let token = secret_keys!(self, token, token_env, token_file).resolve()?;
        let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.project.is_empty() || !self.project.chars().all(known) {
            let wrong = "jira: `project` must be a project's key";
            return Err(BuildError::Setting(wrong.to_owned()));
        }
        let spaced = |label: &String| label.is_empty() || label.contains(char::is_whitespace);
        if self.labels.iter().any(spaced) {
            let wrong = "jira: `labels` cannot be empty or hold blanks";
            return Err(BuildError::Setting(wrong.to_owned()));
        }
        let by_user = match self.user {
            Some(_) => JiraApi::Cloud,
            None => JiraApi::DataCenter,
        };
        let dialect = self.api.unwrap_or(by_user);
        let login = match &self.user {
            Some(user) => Login::Basic(user.clone(), token),
            None => Login::scheme("Bearer", &token),
        };
        let below = match dialect {
            JiraApi::Cloud => "/rest/api/3",
            JiraApi::DataCenter => "/rest/api/2",
        };
        let jira = Jira {
            api: Api::new("Jira", (self.url.as_ref(), below), login, timeout, clock)?,
            dialect,
            config: self.clone(),
        };
        Ok(Arc::new(Tickets::new(jira, &self.tickets, clock.clone())))
    }
}

impl Jira {
    fn issue(&self, draft: Draft<'_>) -> Value {
        let config = &self.config;
        let mut labels = vec![draft.marker];
        labels.extend(config.labels.iter().map(String::as_str));
        let described = |document: &Document| self.text(document);
        let fields = json!({
            "project": { "key": config.project },
            "issuetype": { "name": config.issue_type },
            "summary": inert::title(&draft.report.title, SUMMARY),
            "description": fitted(draft.report, described, |text| length(text) <= TEXT),
            "labels": labels,
        });
        json!({ "fields": with_fields(fields, &config.fields) })
    }

    fn text(&self, document: &Document) -> Value {
        match self.dialect {
            JiraApi::Cloud => adf(document),
            JiraApi::DataCenter => jira(document).into(),
        }
    }

    async fn search(&self, jql: &str) -> Result<Value, SendError> {
        match self.dialect {
            JiraApi::Cloud => {
                let asked = json!({ "jql": jql, "maxResults": 100, "fields": FIELDS });
                self.api.send(Method::POST, "/search/jql", &asked).await
            }
            JiraApi::DataCenter => {
                let fields = FIELDS.join(",");
                let asked = [("jql", jql), ("maxResults", "100"), ("fields", &fields)];
                self.api.get("/search", &asked).await
            }
        }
    }

    /// The marker is a label, and labels that are not on the screen for new issues are refused.
    async fn labels_are_on_the_screen(&self) -> Result<(), SendError> {
        let config = &self.config;
        let types = format!("/issue/createmeta/{}/issuetypes", config.project);
        let most = [("maxResults", "200")];
        let answer = self.api.get(&types, &most).await?;
        let known = listed(&answer, "issueTypes").ok_or_else(|| self.api.unreadable())?;
        let id = known
            .iter()
            .find(|known| known["name"] == config.issue_type.as_str())
            .and_then(|known| known["id"].as_str()?.parse::<u64>().ok());
        let Some(id) = id else {
            let why = "the project has no such `issue_type` that this user may create";
            return Err(SendError::fail(why));
        };
        let answer = self.api.get(&format!("{types}/{id}"), &most).await?;
        let fields = listed(&answer, "fields").ok_or_else(|| self.api.unreadable())?;
        if fields.iter().any(|field| field["fieldId"] == "labels") {
            return Ok(());
        }
        let why = "labels are not on the screen for new issues of this type; put them there";
        Err(SendError::fail(why))
    }

    fn ticket(&self, issue: &Value) -> Result<Ticket, SendError> {
        let id = issue["id"].as_str().and_then(|id| id.parse().ok());
        let (Some(id), Some(key)) = (id, issue["key"].as_str()) else {
            return Err(self.api.unreadable());
        };
        let id: i64 = id;
        let fields = &issue["fields"];
        Ok(Ticket {
            id: id.to_string(),
            name: key.to_owned(),
            order: id,
            status: if fields["status"]["statusCategory"]["key"] == "done" {
                let at = [
                    &fields["resolutiondate"],
                    &fields["statuscategorychangedate"],
                ];
                Status::Closed {
                    at: at.into_iter().find_map(moment),
                    wont_fix: self.is_wont_fix(&fields["resolution"])
                        || self.is_wont_fix(&fields["status"]),
                }
            } else {
                Status::Open
            },
        })
    }

    fn is_wont_fix(&self, named: &Value) -> bool {
        let mut names = self.config.wont_fix.iter();
        names.any(|name| named["name"] == *name)
    }
}

/// Jira writes `2026-03-01T10:00:00.000+0000`.
fn moment(at: &Value) -> Option<Timestamp> {
    Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", at.as_str()?).ok()
}

/// Of a document, the characters of its JSON count: no documented rule allows more.
fn length(text: &Value) -> usize {
    match text {
        Value::String(text) => text.chars().count(),
        document => document.to_string().chars().count(),
    }
}

/// The names of the fields that Jira refuses; what it says about them may hold event text.
fn refused(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let plain = |name: &&String| {
        let known = |c: char| c.is_ascii_alphanumeric() || "_- ".contains(c);
        name.len() <= 40 && name.chars().all(known)
    };
    let names = answer["errors"].as_object()?.keys().filter(plain).take(10);
    let names: Vec<_> = names.map(String::as_str).collect();
    (!names.is_empty()).then(|| format!("Jira refuses these fields: {}", names.join(", ")))
}

/// Cloud names its lists, Data Center calls every one `values`.
fn listed<'a>(answer: &'a Value, name: &str) -> Option<&'a Vec<Value>> {
    answer[name]
        .as_array()
        .or_else(|| answer["values"].as_array())
}

impl Tracker for Jira {
    fn create<'a>(&'a self, draft: Draft<'a>) -> BoxFuture<'a, Result<Ticket, SendError>> {
        Box::pin(async move {
            let issue = self.issue(draft);
            let call = self.api.call(Method::POST, "/issue", &[], Some(&issue));
            let answer = call.await?;
            if answer.status == StatusCode::BAD_REQUEST
                && let Some(reason) = refused(&answer.body)
            {
                return Err(SendError::unacceptable(reason));
            }
            self.ticket(&self.api.judge(&answer)?)
        })
    }

    fn takes_marker(&self) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(self.labels_are_on_the_screen())
    }

    fn find<'a>(&'a self, marker: &'a str) -> BoxFuture<'a, Result<Vec<Ticket>, SendError>> {
        Box::pin(async move {
            let project = &self.config.project;
            let jql =
                format!("project = \"{project}\" AND labels = \"{marker}\" ORDER BY created DESC");
            let answer = self.search(&jql).await?;
            let issues = answer["issues"].as_array();
            let issues = issues.ok_or_else(|| self.api.unreadable())?;
            let is_ours = |issue: &Value| {
                let labels = issue["fields"]["labels"].as_array();
                labels.is_some_and(|labels| labels.iter().any(|label| label == marker))
            };
            if !issues.iter().all(is_ours) {
                return Err(self.api.ignored("label"));
            }
            issues.iter().map(|issue| self.ticket(issue)).collect()
        })
    }

    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Ticket>, SendError>> {
        Box::pin(async move {
            let fields = FIELDS.join(",");
            let path = format!("/issue/{id}");
            let issue = self.api.look(&path, &[("fields", &fields)]).await?;
            issue.map(|issue| self.ticket(&issue)).transpose()
        })
    }

    fn comment<'a>(&'a self, id: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        let comment = json!({ "body": self.text(&Document::parse(text)) });
        self.api
            .tell(Method::POST, format!("/issue/{id}/comment"), comment)
    }

    fn reopen<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.go(id, true))
    }

    fn close<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.go(id, false))
    }
}

#[cfg(test)]
mod tests;
