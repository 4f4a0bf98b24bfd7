//! ServiceNow, by its Table API: one incident a kind of trouble, found again by `correlation_id`.
//!
//! It ignores a condition that it does not understand and then lists everything, so what a search
//! returns is looked at once more. What stands between `[code]` marks in a journal is HTML.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Method;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::kinds::{BuildError, Kind};
use super::ticket::api::{Api, Login, with_fields};
use super::ticket::room::fitted;
use super::ticket::{Draft, Status, Ticket, TicketConfig, Tickets, Tracker};
use super::{Destination, SendError};
use crate::clock::Clock;
use crate::event::Priority;
use crate::markup::document::Document;
use crate::markup::inert;
use crate::markup::text::plain_text;
use crate::secret::{Secret, secret_keys};

/// Keeps one ServiceNow incident for each kind of trouble.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServicenowConfig {
    /// Where the instance is: `https://acme.service-now.com`.
    pub url: Option<Secret>,
    /// The table: `incident`, or one that extends it.
    pub table: String,
    /// The user, for HTTP Basic. Without one the token is an OAuth access token.
    pub user: Option<String>,
    /// The user's password, or an OAuth access token.
    pub token: Option<Secret>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// Further fields of a new incident, as the API names them: `assignment_group`, `caller_id`.
    pub fields: BTreeMap<String, Value>,
    /// The resolution code of incidents that are resolved; instances differ in what they offer.
    pub close_code: String,
    /// Resolution codes that mean that nothing is to be done. A cancelled incident means it too.
    pub wont_fix: Vec<String>,
    /// How tickets follow their incidents.
    pub tickets: TicketConfig,
}

impl Default for ServicenowConfig {
    fn default() -> Self {
        Self {
            url: None,
            table: "incident".to_owned(),
            user: None,
            token: None,
            token_env: None,
            token_file: None,
            fields: BTreeMap::new(),
            close_code: "Solution provided".to_owned(),
            wont_fix: vec!["Duplicate".to_owned(), "No resolution provided".to_owned()],
            tickets: TicketConfig::default(),
        }
    }
}

/// Characters of `short_description` and of `description`; what is longer is cut without a word.
const SHORT: usize = 160;
const DESCRIPTION: usize = 4_000;

/// The states of incidents that are not open, and that of one that is worked on.
const IN_PROGRESS: &str = "2";
const RESOLVED: &str = "6";
const CLOSED: &str = "7";
const CANCELLED: &str = "8";

const FIELDS: &str = "sys_id,number,state,close_code,resolved_at,correlation_id";

#[derive(Debug)]
struct Servicenow {
    api: Api,
    config: ServicenowConfig,
}

impl Kind for ServicenowConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        let token = secret_keys!(self, token, token_env, token_file).resolve()?;
        let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.table.is_empty() || !self.table.chars().all(known) {
            let wrong = "servicenow: `table` must be a table's name";
            return Err(BuildError::Setting(wrong.to_owned()));
        }
        let login = match &self.user {
            Some(user) => Login::Basic(user.clone(), token),
            None => Login::scheme("Bearer", &token),
        };
        let below = format!("/api/now/table/{}", self.table);
        let url = self.url.as_ref();
        let servicenow = Servicenow {
            api: Api::new("ServiceNow", (url, &below), login, timeout, clock)?,
            config: self.clone(),
        };
        Ok(Arc::new(Tickets::new(
            servicenow,
            &self.tickets,
            clock.clone(),
        )))
    }
}

impl Servicenow {
    fn incident(&self, draft: Draft<'_>) -> Value {
        let urgency = urgency(draft.report.severity);
        let fits = |text: &String| text.chars().count() <= DESCRIPTION;
        let incident = json!({
            "short_description": inert::title(&draft.report.title, SHORT),
            "description": fitted(draft.report, text, fits),
            "correlation_id": draft.marker,
            "correlation_display": "falco-herald",
        });
        let incident = with_fields(incident, &self.config.fields);
        let usual = ["urgency", "impact"].map(|name| (name.to_owned(), json!(urgency)));
        with_fields(incident, &usual.into())
    }

    fn ticket(&self, incident: &Value) -> Result<Ticket, SendError> {
        let id = incident["sys_id"].as_str();
        let id = id.filter(|id| id.chars().all(|c| c.is_ascii_alphanumeric()));
        let number = incident["number"].as_str();
        let (Some(id), Some(number)) = (id, number) else {
            return Err(self.api.unreadable());
        };
        let digits = number.trim_start_matches(|c: char| !c.is_ascii_digit());
        let cancelled = incident["state"] == CANCELLED;
        let mut codes = self.config.wont_fix.iter();
        Ok(Ticket {
            id: id.to_owned(),
            name: number.to_owned(),
            order: digits.parse().unwrap_or(i64::MAX),
            status: match incident["state"].as_str() {
                Some(state @ (RESOLVED | CLOSED | CANCELLED)) => Status::Closed {
                    // What is closed cannot be opened again: it is as if it were closed long ago.
                    at: if state == RESOLVED {
                        moment(&incident["resolved_at"])
                    } else {
                        Some(Timestamp::UNIX_EPOCH)
                    },
                    wont_fix: cancelled || codes.any(|code| incident["close_code"] == *code),
                },
                _ => Status::Open,
            },
        })
    }

    fn change<'a>(&'a self, id: &str, change: Value) -> BoxFuture<'a, Result<(), SendError>> {
        self.api
            .tell(Method::PATCH, format!("/{id}{ASKED}"), change)
    }
}

/// A whole incident is long, and of no use.
const ASKED: &str = "?sysparm_fields=sys_id,number,state,close_code,resolved_at";

/// 1 is high, 3 is low.
fn urgency(severity: Priority) -> &'static str {
    match severity {
        Priority::Emergency | Priority::Alert | Priority::Critical => "1",
        Priority::Error | Priority::Warning => "2",
        Priority::Notice | Priority::Informational | Priority::Debug => "3",
    }
}

/// ServiceNow writes `2026-03-01 10:00:00`, in UTC.
fn moment(at: &Value) -> Option<Timestamp> {
    let at = DateTime::strptime("%Y-%m-%d %H:%M:%S", at.as_str()?).ok()?;
    Offset::UTC.to_timestamp(at).ok()
}

/// Plain text, in which `[code]` begins nothing.
fn text(document: &Document) -> String {
    let text = inert::block(plain_text(document).trim_end(), usize::MAX);
    text.replace('[', "［").replace(']', "］")
}

impl Tracker for Servicenow {
    fn create<'a>(&'a self, draft: Draft<'a>) -> BoxFuture<'a, Result<Ticket, SendError>> {
        Box::pin(async move {
            let incident = self.incident(draft);
            let made = self.api.send(Method::POST, ASKED, &incident).await?;
            self.ticket(&made["result"])
        })
    }

    fn find<'a>(&'a self, marker: &'a str) -> BoxFuture<'a, Result<Vec<Ticket>, SendError>> {
        Box::pin(async move {
            let condition = format!("correlation_id={marker}^ORDERBYDESCsys_created_on");
            let query = [
                ("sysparm_query", condition.as_str()),
                ("sysparm_fields", FIELDS),
                ("sysparm_limit", "100"),
            ];
            let answer = self.api.get("", &query).await?;
            let found = answer["result"].as_array();
            let found = found.ok_or_else(|| self.api.unreadable())?;
            if !found.iter().all(|of| of["correlation_id"] == marker) {
                return Err(self.api.ignored("correlation_id"));
            }
            found.iter().map(|incident| self.ticket(incident)).collect()
        })
    }

    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Ticket>, SendError>> {
        Box::pin(async move {
            let fields = [("sysparm_fields", FIELDS)];
            let incident = self.api.look(&format!("/{id}"), &fields).await?;
            incident
                .map(|incident| self.ticket(&incident["result"]))
                .transpose()
        })
    }

    fn comment<'a>(&'a self, id: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        let notes = self::text(&Document::parse(text));
        self.change(id, json!({ "work_notes": notes }))
    }

    fn reopen<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        self.change(id, json!({ "state": IN_PROGRESS }))
    }

    fn close<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        let close_code = &self.config.close_code;
        let close_notes = "Closed by falco-herald; see the work notes.";
        self.change(
            id,
            json!({ "state": RESOLVED, "close_code": close_code, "close_notes": close_notes }),
        )
    }
}

#[cfg(test)]
mod tests;
