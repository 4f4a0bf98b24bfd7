//! A tracker's JSON API: one address, one login, the same judgement of every answer.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use reqwest::{Client, Url};
use serde_json::Value;

use super::{Status, Tracker};
use crate::clock::Clock;
use crate::deliver::SendError;
use crate::deliver::client::{self, Answer};
use crate::deliver::kinds::BuildError;
use crate::secret::Secret;

/// How much of an answer is read, in bytes: lists of tickets come with their descriptions.
pub(in crate::deliver) const ANSWER: usize = 8 * 1024 * 1024;

/// A tracker's API.
#[derive(Debug)]
pub(in crate::deliver) struct Api {
    product: &'static str,
    client: Client,
    clock: Clock,
    root: Secret,
    login: Login,
}

/// How the API is told who asks.
#[derive(Debug)]
pub(in crate::deliver) enum Login {
    Basic(String, Secret),
    /// A header with its whole value.
    Header(&'static str, Secret),
}

impl Login {
    /// By an `Authorization` header of this scheme.
    pub(in crate::deliver) fn scheme(scheme: &str, token: &Secret) -> Self {
        let value = format!("{scheme} {}", token.expose());
        Self::Header("authorization", Secret::new(value))
    }
}

impl Api {
    /// `url` is the site's, `below` the API's path on it.
    pub(in crate::deliver) fn new(
        product: &'static str,
        (url, below): (Option<&Secret>, &str),
        login: Login,
        timeout: Duration,
        clock: &Clock,
    ) -> Result<Self, BuildError> {
        let url = url.map_or("", Secret::expose).trim_end_matches('/');
        client::check_url(url, &format!("{}: `url`", product.to_lowercase()))?;
        Ok(Self {
            product,
            client: client::client(timeout)?,
            clock: clock.clone(),
            root: Secret::new(format!("{url}{below}")),
            login,
        })
    }

    /// The JSON at a path.
    pub(in crate::deliver) async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, SendError> {
        let answer = self.call(Method::GET, path, query, None).await?;
        self.judge(&answer)
    }

    /// The JSON at a path, unless nothing is there.
    pub(in crate::deliver) async fn look(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<Value>, SendError> {
        let answer = self.call(Method::GET, path, query, None).await?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(None);
        }
        self.judge(&answer).map(Some)
    }

    /// Sends a body; the answer's JSON, which is null where the answer is empty.
    pub(in crate::deliver) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Value, SendError> {
        let answer = self.call(method, path, &[], Some(body)).await?;
        self.judge(&answer)
    }

    /// The same, where the answer says nothing of use.
    pub(in crate::deliver) fn tell(
        &self,
        method: Method,
        path: String,
        body: Value,
    ) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(async move { self.send(method, &path, &body).await.map(drop) })
    }

    pub(in crate::deliver) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, SendError> {
        let url = format!("{}{path}", self.root.expose());
        let mut url = Url::parse(&url)
            .map_err(|_| SendError::pause("the destination's address is not valid"))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.client.request(method, url);
        let request = request.header(http::header::ACCEPT, "application/json");
        let request = match &self.login {
            Login::Basic(user, password) => request.basic_auth(user, Some(password.expose())),
            Login::Header(name, value) => request.header(*name, value.expose()),
        };
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        client::send_up_to(request, ANSWER).await
    }

    /// The answer's JSON, or what follows from its status.
    pub(in crate::deliver) fn judge(&self, answer: &Answer) -> Result<Value, SendError> {
        if answer.status.is_success() {
            if answer.body.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&answer.body).map_err(|_| self.unreadable());
        }
        let product = self.product;
        let error = client::judge(answer.status, &answer.headers, self.clock.now());
        let why = match answer.status {
            StatusCode::UNAUTHORIZED => format!("{product} does not know the credentials"),
            StatusCode::FORBIDDEN => format!("{product} does not let this user do this"),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                format!("{product} shows this user no such project or ticket")
            }
            // Somebody else changes the ticket at this moment.
            StatusCode::CONFLICT => {
                return Err(SendError::retry(error.reason, None));
            }
            status if status.is_redirection() => {
                format!("{product} is elsewhere: it answered with a redirect")
            }
            _ => return Err(error),
        };
        Err(SendError {
            reason: why,
            ..error
        })
    }

    /// An answer of which no sense can be made.
    pub(in crate::deliver) fn unreadable(&self) -> SendError {
        SendError::retry(format!("{}'s answer cannot be read", self.product), None)
    }

    /// A search that was answered with tickets that were not asked for: what it does not show may
    /// be there all the same.
    pub(in crate::deliver) fn ignored(&self, what: &str) -> SendError {
        SendError::retry(format!("{} does not search by {what}", self.product), None)
    }

    /// An error unless the ticket stands as it was told to: some products answer that all is well
    /// when they have changed nothing.
    pub(in crate::deliver) async fn ensure(
        &self,
        tracker: &impl Tracker,
        id: &str,
        open: bool,
    ) -> Result<(), SendError> {
        match tracker.read(id).await? {
            Some(ticket) if (ticket.status == Status::Open) != open => Err(SendError::fail(
                format!("{} does not let this user change the status", self.product),
            )),
            _ => Ok(()),
        }
    }
}

/// A new ticket with the site's own fields; those that we set stay as they are.
pub(in crate::deliver) fn with_fields(mut ticket: Value, own: &BTreeMap<String, Value>) -> Value {
    for (name, value) in own {
        if ticket.get(name).is_none() {
            ticket[name] = value.clone();
        }
    }
    ticket
}
