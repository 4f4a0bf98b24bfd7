//! Where events come in: stored first, acknowledged then.
//!
//! The answers are what Falco and Falcosidekick can live with: 200 with an empty body, since a Go
//! client opens a new connection after a body that it does not read; never a redirect, since
//! Falcosidekick would follow it with an empty GET and count that as delivered.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};

use super::auth::Credentials;
use super::body::{self, BodyError, BodyLimits};
use super::health::{self, Readiness};
use super::{AuthError, IngestConfig};
use crate::clock::Clock;
use crate::event::{self, Sender, TEST_RULE};
use crate::metrics::{Metrics, RequestOutcome};
use crate::store::{QUARANTINE_BODY_CAP, Refused, Store};

/// What the event listener works with.
#[derive(Clone, Debug)]
pub struct Ingest {
    store: Store,
    clock: Clock,
    metrics: Metrics,
    readiness: Readiness,
    credentials: Arc<Credentials>,
    limits: BodyLimits,
}

impl Ingest {
    /// Reads the credentials of the section.
    pub fn from_config(
        config: &IngestConfig,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        readiness: Readiness,
    ) -> Result<Self, AuthError> {
        let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        Ok(Self {
            store,
            clock,
            metrics,
            readiness,
            credentials: Arc::new(Credentials::from_config(&config.auth)?),
            limits: BodyLimits {
                max_body: bytes(config.max_body.0),
                max_decoded: bytes(config.max_decoded.0),
                timeout: config.body_timeout.0,
            },
        })
    }
}

/// The routes of the event listener. Any path takes events, as in Falcosidekick.
pub fn router(ingest: Ingest) -> Router {
    let readyz = |State(ingest): State<Ingest>| async move { health::readyz(&ingest.readiness) };
    Router::new()
        .route("/ping", get(health::ping).post(health::ping))
        .route("/healthz", get(health::healthz).post(health::healthz))
        .route("/readyz", get(readyz))
        .route("/test", post(test).fallback(take))
        .fallback(any(take))
        .with_state(ingest)
}

async fn take(State(ingest): State<Ingest>, request: Request) -> Response {
    if !matches!(*request.method(), Method::POST | Method::PUT) {
        return text(
            StatusCode::BAD_REQUEST,
            "please send events with POST or PUT",
        );
    }
    if !ingest.credentials.admit(request.headers()) {
        return ingest.unauthorized();
    }
    let (head, body) = request.into_parts();
    let body = match body::read(&head.headers, body, ingest.limits).await {
        Ok(body) => body,
        Err(error) => return ingest.refuse_body(error).await,
    };
    ingest.metrics.request_bytes.inc_by(body.len() as u64);
    let sender = sender(&head.headers);
    let events = match event::split(&body, sender) {
        Ok(events) => events.into_iter().map(<[u8]>::to_vec).collect(),
        Err(error) => return ingest.refuse_invalid(body, error.to_string()).await,
    };
    ingest.store(events).await
}

/// Falcosidekick's self-test: an event that goes to test routes only.
async fn test(State(ingest): State<Ingest>, headers: HeaderMap) -> Response {
    if !ingest.credentials.admit(&headers) {
        return ingest.unauthorized();
    }
    let event = serde_json::json!({
        "output": "This is a test from falco-herald",
        "priority": "Debug",
        "rule": TEST_RULE,
        "time": ingest.clock.now().to_string(),
        "output_fields": { "proc.name": "falco-herald", "user.name": "falco-herald" },
        "source": "internal",
        "tags": ["test"],
    });
    ingest.store(vec![event.to_string().into_bytes()]).await
}

fn sender(headers: &HeaderMap) -> Sender {
    let agent = headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    Sender::from_user_agent(agent)
}

impl Ingest {
    async fn store(&self, events: Vec<Vec<u8>>) -> Response {
        let count = events.len() as u64;
        let began = Instant::now();
        match self.store.append(self.clock.now(), events).await {
            Ok(()) => {
                self.metrics.received.inc_by(count);
                self.metrics
                    .ack_seconds
                    .observe(began.elapsed().as_secs_f64());
                self.metrics.request(RequestOutcome::accepted);
                StatusCode::OK.into_response()
            }
            Err(error) => self.unavailable(&error.to_string()),
        }
    }

    fn unavailable(&self, reason: &str) -> Response {
        self.metrics.request(RequestOutcome::unavailable);
        let mut answer = closing(StatusCode::SERVICE_UNAVAILABLE, reason);
        answer
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        answer
    }

    fn unauthorized(&self) -> Response {
        self.metrics.request(RequestOutcome::unauthorized);
        let mut answer = closing(StatusCode::UNAUTHORIZED, "wrong or missing credentials");
        answer.headers_mut().insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Basic realm=\"falco-herald\", Bearer"),
        );
        answer
    }

    async fn refuse_invalid(&self, body: Vec<u8>, reason: String) -> Response {
        let size = body.len() as u64;
        let outcome = RequestOutcome::invalid;
        match self.quarantine(outcome, reason.clone(), body, size).await {
            Ok(()) => text(StatusCode::BAD_REQUEST, &reason),
            Err(answer) => answer,
        }
    }

    async fn refuse_body(&self, error: BodyError) -> Response {
        match error {
            BodyError::TooLarge { read, size } => {
                let limits = (self.limits.max_body, self.limits.max_decoded);
                let reason = format!(
                    "the body is too large; at most {} bytes, {} after decompression",
                    limits.0, limits.1
                );
                let outcome = RequestOutcome::too_large;
                match self.quarantine(outcome, reason.clone(), read, size).await {
                    Ok(()) => closing(StatusCode::PAYLOAD_TOO_LARGE, &reason),
                    Err(answer) => answer,
                }
            }
            BodyError::NotGzip { read } => {
                self.refuse_invalid(read, "the body is not gzip".to_owned())
                    .await
            }
            BodyError::Encoding => {
                self.metrics.request(RequestOutcome::invalid);
                closing(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "send plain or gzip bodies",
                )
            }
            BodyError::TimedOut => {
                self.metrics.request(RequestOutcome::incomplete);
                closing(
                    StatusCode::REQUEST_TIMEOUT,
                    "the body did not arrive in time",
                )
            }
            BodyError::Broken => {
                self.metrics.request(RequestOutcome::incomplete);
                closing(StatusCode::BAD_REQUEST, "the body did not arrive whole")
            }
        }
    }

    async fn quarantine(
        &self,
        outcome: RequestOutcome,
        reason: String,
        mut body: Vec<u8>,
        size: u64,
    ) -> Result<(), Response> {
        tracing::warn!(
            reason,
            size_bytes = size,
            "refused a body; it is in quarantine"
        );
        self.metrics.request(outcome);
        body.truncate(QUARANTINE_BODY_CAP);
        let refused = Refused {
            received: self.clock.now(),
            reason,
            body,
            size,
        };
        let kept = self.store.quarantine(refused).await;
        kept.map_err(|error| self.unavailable(&error.to_string()))
    }
}

/// A short answer in text, like those of Go's `http.Error`.
fn text(status: StatusCode, reason: &str) -> Response {
    const NOSNIFF: (HeaderName, &str) =
        (HeaderName::from_static("x-content-type-options"), "nosniff");
    (status, [NOSNIFF], format!("{reason}\n")).into_response()
}

/// The same for a request whose connection cannot be used again.
fn closing(status: StatusCode, reason: &str) -> Response {
    let mut answer = text(status, reason);
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
