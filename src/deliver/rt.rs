//! Request Tracker 5, by its REST API 2: one ticket a kind of trouble, found again by a custom field.
//!
//! Facts: measured with RT 5.0.3. Which statuses are open is known to the queue's lifecycle alone, so
//! each search is made twice, for active tickets and for inactive ones. A change of status that is
//! refused is answered with 200 and a text, so the status is read again. RT makes a link of every
//! address in a text, in code too, so those of events are written as analysts do.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Method;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::kinds::{BuildError, Kind};
use super::ticket::api::{Api, Login};
use super::ticket::room::fitted;
use super::ticket::{Draft, Status, Ticket, TicketConfig, Tickets, Tracker};
use super::{Destination, SendError};
use crate::clock::Clock;
use crate::markup::document::Document;
use crate::markup::html::html_for_rt;
use crate::markup::inert;
use crate::secret::{Secret, secret_keys};

/// Keeps one ticket in Request Tracker for each kind of trouble.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RtConfig {
    /// Where RT is; its API is at `/REST/2.0` below.
    pub url: Option<Secret>,
    /// The user, for HTTP Basic. Without one the token is sent as such.
    pub user: Option<String>,
    /// An authentication token, or the user's password.
    pub token: Option<Secret>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// The queue.
    pub queue: String,
    /// The name of a custom field of tickets that takes one value of text, applied to the queue: by it
    /// tickets are found again.
    pub marker_field: String,
    /// The status of tickets that are closed.
    pub closed_status: String,
    /// The status of tickets that are opened again.
    pub reopened_status: String,
    /// Inactive statuses that mean that nothing is to be done.
    pub wont_fix: Vec<String>,
    /// How tickets follow their incidents.
    pub tickets: TicketConfig,
}

impl Default for RtConfig {
    fn default() -> Self {
        Self {
            url: None,
            user: None,
            token: None,
            token_env: None,
            token_file: None,
            queue: String::new(),
            marker_field: "Falco Herald".to_owned(),
            closed_status: "resolved".to_owned(),
            reopened_status: "open".to_owned(),
            wont_fix: vec!["rejected".to_owned()],
            tickets: TicketConfig::default(),
        }
    }
}

/// Characters of a subject; RT cuts what is longer.
const SUBJECT: usize = 200;
/// Bytes of a description: less than any `MaxAttachmentSize` in use.
const CONTENT: usize = 500_000;

#[derive(Debug)]
struct Rt {
    api: Api,
    config: RtConfig,
}

impl Kind for RtConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        let token = secret_keys!(self, token, token_env, token_file).resolve()?;
        for (key, name) in [("queue", &self.queue), ("marker_field", &self.marker_field)] {
            // They stand in paths and queries.
            if name.is_empty()
                || name.contains(|c: char| c.is_control() || "'\"{}\\/?#%".contains(c))
            {
                let wrong =
                    format!("rt: `{key}` must be a name, without quotes, braces or slashes");
                return Err(BuildError::Setting(wrong));
            }
        }
        let login = match &self.user {
            Some(user) => Login::Basic(user.clone(), token),
            None => Login::scheme("token", &token),
        };
        let rt = Rt {
            api: Api::new(
                "RT",
                (self.url.as_ref(), "/REST/2.0"),
                login,
                timeout,
                clock,
            )?,
            config: self.clone(),
        };
        Ok(Arc::new(Tickets::new(rt, &self.tickets, clock.clone())))
    }
}

impl Rt {
    fn ticket(&self, draft: Draft<'_>) -> Value {
        json!({
            "Queue": self.config.queue,
            "Subject": inert::title(&draft.report.title, SUBJECT),
            "Content": fitted(draft.report, html_for_rt, |html| html.len() <= CONTENT),
            "ContentType": "text/html",
            "CustomFields": { self.config.marker_field.as_str(): draft.marker },
        })
    }

    /// RT drops a custom field that the queue does not have, and then never finds the ticket again.
    async fn check_field(&self) -> Result<(), SendError> {
        let path = format!("/queue/{}", self.config.queue);
        let queue = self.api.get(&path, &[]).await?;
        let fields = queue["TicketCustomFields"].as_array();
        let is_ours = |field: &Value| field["name"] == self.config.marker_field;
        if fields.is_some_and(|fields| fields.iter().any(is_ours)) {
            return Ok(());
        }
        let name = &self.config.marker_field;
        Err(SendError::pause(format!(
            "the queue has no custom field `{name}` that this user sees"
        )))
    }

    /// The tickets that a condition of `TicketSQL` holds for, none of them twice.
    async fn search(&self, condition: &str) -> Result<Vec<Ticket>, SendError> {
        let mut tickets: Vec<Ticket> = Vec::new();
        // In this order, one that is closed in between is found twice rather than never.
        for kind in ["__Active__", "__Inactive__"] {
            let query = format!("{condition} AND Status = '{kind}'");
            let asked = [
                ("query", query.as_str()),
                ("fields", "Status,Resolved"),
                ("orderby", "id"),
                ("order", "DESC"),
                ("per_page", "100"),
            ];
            let answer = self.api.get("/tickets", &asked).await?;
            let items = answer["items"].as_array();
            for item in items.ok_or_else(|| self.api.unreadable())? {
                let ticket = self.read_item(item, kind == "__Active__")?;
                if !tickets.iter().any(|known| known.id == ticket.id) {
                    tickets.push(ticket);
                }
            }
        }
        Ok(tickets)
    }

    fn read_item(&self, item: &Value, active: bool) -> Result<Ticket, SendError> {
        let id = number(&item["id"]).ok_or_else(|| self.api.unreadable())?;
        let status = item["Status"].as_str().unwrap_or_default();
        let resolved = item["Resolved"].as_str();
        let resolved = resolved.and_then(|at| at.parse::<Timestamp>().ok());
        let closed = || Status::Closed {
            // What was never resolved was so in 1970.
            at: resolved.filter(|at| *at > Timestamp::UNIX_EPOCH),
            wont_fix: self.config.wont_fix.iter().any(|name| name == status),
        };
        let status = if active { Status::Open } else { closed() };
        Ok(Ticket::numbered(id, status))
    }

    async fn set(&self, id: &str, open: bool) -> Result<(), SendError> {
        let config = &self.config;
        let status = if open {
            &config.reopened_status
        } else {
            &config.closed_status
        };
        let change = json!({ "Status": status });
        self.api
            .send(Method::PUT, &format!("/ticket/{id}"), &change)
            .await?;
        self.api.ensure(self, id, open).await
    }
}

/// RT writes numbers now as such and now as texts.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

impl Tracker for Rt {
    fn create<'a>(&'a self, draft: Draft<'a>) -> BoxFuture<'a, Result<Ticket, SendError>> {
        Box::pin(async move {
            self.check_field().await?;
            let made = self
                .api
                .send(Method::POST, "/ticket", &self.ticket(draft))
                .await?;
            self.read_item(&made, true)
        })
    }

    fn find<'a>(&'a self, marker: &'a str) -> BoxFuture<'a, Result<Vec<Ticket>, SendError>> {
        Box::pin(async move {
            let RtConfig {
                queue,
                marker_field,
                ..
            } = &self.config;
            let condition = format!("Queue = '{queue}' AND CF.{{{marker_field}}} = '{marker}'");
            self.search(&condition).await
        })
    }

    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Ticket>, SendError>> {
        Box::pin(async move {
            let found = self.search(&format!("id = {id}")).await?;
            Ok(found.into_iter().next())
        })
    }

    fn comment<'a>(&'a self, id: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        let content = html_for_rt(&Document::parse(text));
        let comment = json!({ "Content": content, "ContentType": "text/html" });
        self.api
            .tell(Method::POST, format!("/ticket/{id}/comment"), comment)
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
