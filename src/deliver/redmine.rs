//! Redmine: one issue a kind of trouble, found again by a custom field or by its description.
//!
//! Facts: measured with Redmine 5.0.4. It ignores a filter that it does not know and then lists
//! everything, so what a search returns is looked at once more; and it answers a change of status
//! that the workflow forbids with 204 like any other, so the status is read again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::kinds::{BuildError, Kind};
use super::ticket::api::{Api, Login, with_fields};
use super::ticket::room::fitted;
use super::ticket::{Draft, Status, Ticket, TicketConfig, Tickets, Tracker};
use super::{Destination, SendError};
use crate::clock::Clock;
use crate::markup::document::Document;
use crate::markup::inert;
use crate::markup::textile::textile;
use crate::secret::{Secret, secret_keys};

/// Keeps one Redmine issue for each kind of trouble. Redmine's text formatting must be Textile, and
/// its REST API enabled.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RedmineConfig {
    /// Where Redmine is.
    pub url: Option<Secret>,
    /// The API key of a user that may add and edit issues.
    pub api_key: Option<Secret>,
    /// The environment variable that holds the API key.
    pub api_key_env: Option<String>,
    /// The file that holds the API key.
    pub api_key_file: Option<PathBuf>,
    /// The project's identifier.
    pub project: String,
    /// The number of the tracker of new issues. Default: the project's first.
    pub tracker_id: Option<u32>,
    /// The number of a custom field of issues, of format text, used as a filter, and enabled for
    /// project and tracker: the surest way to find issues again. Without it their description is
    /// searched, which people may edit.
    pub marker_field: Option<u32>,
    /// Further fields of a new issue, as the REST API names them: `priority_id`, `category_id`,
    /// `custom_fields`.
    pub fields: BTreeMap<String, Value>,
    /// Whether comments are seen only by those who may see private notes.
    pub private_notes: bool,
    /// The status of issues that are closed. Default: the first closed one that is not in `wont_fix`.
    pub closed_status: Option<String>,
    /// The status of issues that are opened again. Default: the first open one.
    pub reopened_status: Option<String>,
    /// Closed statuses that mean that nothing is to be done.
    pub wont_fix: Vec<String>,
    /// How issues follow their incidents.
    pub tickets: TicketConfig,
}

impl Default for RedmineConfig {
    fn default() -> Self {
        Self {
            url: None,
            api_key: None,
            api_key_env: None,
            api_key_file: None,
            project: String::new(),
            tracker_id: None,
            marker_field: None,
            fields: BTreeMap::new(),
            private_notes: false,
            closed_status: None,
            reopened_status: None,
            wont_fix: vec!["Rejected".to_owned()],
            tickets: TicketConfig::default(),
        }
    }
}

/// Characters of a subject, and bytes of a description in the smallest of Redmine's databases.
const SUBJECT: usize = 255;
const DESCRIPTION: usize = 65_535;

#[derive(Debug)]
struct Redmine {
    api: Api,
    config: RedmineConfig,
}

impl Kind for RedmineConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        let key = secret_keys!(self, api_key, api_key_env, api_key_file).resolve()?;
        let known = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if self.project.is_empty() || !self.project.chars().all(known) {
            let wrong = "redmine: `project` must be a project's identifier";
            return Err(BuildError::Setting(wrong.to_owned()));
        }
        let login = Login::Header("x-redmine-api-key", key);
        let redmine = Redmine {
            api: Api::new("Redmine", (self.url.as_ref(), ""), login, timeout, clock)?,
            config: self.clone(),
        };
        Ok(Arc::new(Tickets::new(
            redmine,
            &self.tickets,
            clock.clone(),
        )))
    }
}

impl Redmine {
    fn issue(&self, draft: Draft<'_>) -> Value {
        let config = &self.config;
        let described = |document: &Document| format!("{}\n{}\n", textile(document), draft.marker);
        let mut issue = json!({
            "project_id": config.project,
            "subject": inert::title(&draft.report.title, SUBJECT),
            "description": fitted(draft.report, described, |text| text.len() <= DESCRIPTION),
        });
        if let Some(tracker) = config.tracker_id {
            issue["tracker_id"] = json!(tracker);
        }
        if let Some(field) = config.marker_field {
            let own = config.fields.get("custom_fields");
            let own = own.and_then(Value::as_array).cloned();
            let mut custom = own.unwrap_or_default();
            custom.push(json!({ "id": field, "value": draft.marker }));
            issue["custom_fields"] = custom.into();
        }
        let issue = with_fields(issue, &config.fields);
        json!({ "issue": issue })
    }

    /// The issues with the marker among those that a filter shows. `has` says nothing of an issue
    /// that the filter should not have shown.
    async fn search(
        &self,
        what: &str,
        filter: &[(&str, &str)],
        has: impl Fn(&Value) -> Option<bool>,
    ) -> Result<Vec<Ticket>, SendError> {
        let mut query = vec![
            ("project_id", self.config.project.as_str()),
            ("sort", "id:desc"),
            ("limit", "100"),
        ];
        query.extend(filter);
        let answer = self.api.get("/issues.json", &query).await?;
        let issues = answer["issues"].as_array();
        let issues = issues.ok_or_else(|| self.api.unreadable())?;
        let has: Option<Vec<bool>> = issues.iter().map(has).collect();
        let has = has.ok_or_else(|| self.api.ignored(what))?;
        if !has.contains(&true) {
            return Ok(Vec::new());
        }
        let statuses = self.statuses().await?;
        let marked = issues.iter().zip(has).filter(|(_, has)| *has);
        marked
            .map(|(issue, _)| self.ticket(issue, &statuses))
            .collect()
    }

    async fn statuses(&self) -> Result<Vec<IssueStatus>, SendError> {
        let mut answer = self.api.get("/issue_statuses.json", &[]).await?;
        let statuses = answer["issue_statuses"].take();
        serde_json::from_value(statuses).map_err(|_| self.api.unreadable())
    }

    fn ticket(&self, issue: &Value, statuses: &[IssueStatus]) -> Result<Ticket, SendError> {
        let id = issue["id"].as_i64().ok_or_else(|| self.api.unreadable())?;
        let status = &issue["status"];
        let known = statuses.iter().find(|known| status["id"] == known.id);
        let closed = known.filter(|known| known.is_closed);
        let status = closed.map_or(Status::Open, |closed| Status::Closed {
            at: issue["closed_on"].as_str().and_then(|at| at.parse().ok()),
            wont_fix: self.config.wont_fix.contains(&closed.name),
        });
        Ok(Ticket::numbered(id, status))
    }

    async fn set(&self, id: &str, open: bool) -> Result<(), SendError> {
        let config = &self.config;
        let named = if open {
            &config.reopened_status
        } else {
            &config.closed_status
        };
        let statuses = self.statuses().await?;
        let fits = |status: &&IssueStatus| {
            status.is_closed != open
                && match named {
                    Some(name) => status.name == *name,
                    None => open || !config.wont_fix.contains(&status.name),
                }
        };
        let Some(status) = statuses.iter().find(fits) else {
            return Err(SendError::fail("Redmine has no status as configured"));
        };
        let change = json!({ "issue": { "status_id": status.id } });
        self.api.send(Method::PUT, &path(id), &change).await?;
        self.api.ensure(self, id, open).await
    }
}

/// One of the site's statuses.
#[derive(Debug, Deserialize)]
struct IssueStatus {
    id: u32,
    name: String,
    #[serde(default)]
    is_closed: bool,
}

fn path(id: &str) -> String {
    format!("/issues/{id}.json")
}

impl Tracker for Redmine {
    fn create<'a>(&'a self, draft: Draft<'a>) -> BoxFuture<'a, Result<Ticket, SendError>> {
        Box::pin(async move {
            let issue = self.issue(draft);
            let made = self.api.send(Method::POST, "/issues.json", &issue).await?;
            // A new issue is open.
            self.ticket(&made["issue"], &[])
        })
    }

    fn find<'a>(&'a self, marker: &'a str) -> BoxFuture<'a, Result<Vec<Ticket>, SendError>> {
        Box::pin(async move {
            if let Some(field) = self.config.marker_field {
                let name = format!("cf_{field}");
                let filter = [("status_id", "*"), (&name, marker)];
                let is_ours = |of: &Value| of["id"] == field && of["value"] == marker;
                let has = |issue: &Value| {
                    let fields = issue["custom_fields"].as_array();
                    fields?.iter().any(is_ours).then_some(true)
                };
                let what = "`marker_field`: make it a filter";
                let found = self.search(what, &filter, has).await?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
            // A custom field that the project or the tracker does not have is dropped without a word.
            let filter = [
                ("f[]", "status_id"),
                ("op[status_id]", "*"),
                ("f[]", "description"),
                ("op[description]", "~"),
                ("v[description][]", marker),
            ];
            // An event that quotes the marker makes no ticket ours: it is our last line.
            let has = |issue: &Value| {
                let text = issue["description"].as_str()?;
                let shown = text.contains(marker);
                shown.then(|| text.trim_end().ends_with(marker))
            };
            self.search("description", &filter, has).await
        })
    }

    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Ticket>, SendError>> {
        Box::pin(async move {
            let Some(issue) = self.api.look(&path(id), &[]).await? else {
                return Ok(None);
            };
            let statuses = self.statuses().await?;
            self.ticket(&issue["issue"], &statuses).map(Some)
        })
    }

    fn comment<'a>(&'a self, id: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        let notes = textile(&Document::parse(text));
        let issue = json!({ "notes": notes, "private_notes": self.config.private_notes });
        self.api
            .tell(Method::PUT, path(id), json!({ "issue": issue }))
    }

    fn reopen<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.set(id, true))
    }

    fn close<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.set(id, false))
    }
}

#[cfg(test)]
mod tests;
