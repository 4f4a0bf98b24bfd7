//! The events listener: what a POST means and what it is answered.
//!
//! Falcosidekick never retries and Falco does not even look at the status, so whatever is refused
//! is kept in quarantine with the reason.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;

use super::auth::Auth;
use super::body::{self, Cut, Encoding, InflateError, Why};
use super::throttle::Throttle;
use super::{Inbox, Readiness, health};
use crate::clock::Clock;
use crate::event::{self, Priority, Sender, TEST_RULE};
use crate::metrics::{Metrics, RequestOutcome};
use crate::store::{QUARANTINE_BODY_CAP, Refused, Store};

static REFUSALS: Throttle = Throttle::new(Duration::from_secs(10));

/// What one request may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body, in bytes as sent.
    pub max_body: usize,
    /// The largest body, in bytes after decompression.
    pub max_decoded: usize,
    /// How long a body may take from its head to its last byte.
    pub body_timeout: Duration,
}

/// What the events listener works with.
#[derive(Clone, Debug)]
pub struct Ingest<I = Store> {
    /// Where events go.
    pub inbox: I,
    /// The time of receipt.
    pub clock: Clock,
    /// Who may send.
    pub auth: Auth,
    /// How much they may send.
    pub limits: Limits,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether the service is about to stop.
    pub readiness: Readiness,
}

/// The routes of the events listener. Every path takes events, because users put any path into
/// their sender's URL.
pub fn router<I: Inbox>(ingest: Ingest<I>) -> Router {
    Router::new()
        .route(
            "/ping",
            get(health::ping).post(health::ping).fallback(intake::<I>),
        )
        .route(
            "/healthz",
            get(health::healthz)
                .post(health::healthz)
                .fallback(intake::<I>),
        )
        .route(
            "/readyz",
            get(readyz::<I>).post(readyz::<I>).fallback(intake::<I>),
        )
        .route("/test", post(test::<I>).fallback(intake::<I>))
        .fallback(intake::<I>)
        .with_state(Arc::new(ingest))
        .layer(CatchPanicLayer::custom(|_| {
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONNECTION, "close")]).into_response()
        }))
}

async fn readyz<I: Inbox>(State(ingest): State<Arc<Ingest<I>>>) -> Response {
    health::readyz(&ingest.readiness, &ingest.inbox)
}

async fn intake<I: Inbox>(State(ingest): State<Arc<Ingest<I>>>, request: Request) -> Response {
    let start = Instant::now();
    let answer = ingest.receive(request).await;
    ingest.conclude(start, answer)
}

/// Stores the event that Falcosidekick's `POST /test` makes, so that a setup can be tried out.
async fn test<I: Inbox>(State(ingest): State<Arc<Ingest<I>>>, headers: HeaderMap) -> Response {
    let start = Instant::now();
    let answer = if ingest.auth.allows(&headers) {
        let event = json!({
            "output": "This is a test from falco-herald",
            "priority": Priority::Debug.name(),
            "rule": TEST_RULE,
            "time": ingest.clock.now().to_string(),
            "output_fields": { "proc.name": "falco-herald" },
            "source": "internal",
            "hostname": "falco-herald",
        });
        ingest.store(vec![event.to_string().into_bytes()]).await
    } else {
        Answer::Unauthorized
    };
    ingest.conclude(start, answer)
}

/// What a request for intake is answered.
#[derive(Debug)]
enum Answer {
    Accepted,
    /// 400 or 415, with the reason.
    Invalid(StatusCode, String),
    TooLarge(&'static str),
    TooSlow,
    Unauthorized,
    Unavailable,
}

impl<I: Inbox> Ingest<I> {
    async fn receive(&self, request: Request) -> Answer {
        let (head, body) = request.into_parts();
        if !self.auth.allows(&head.headers) {
            return Answer::Unauthorized;
        }
        if head.method != Method::POST && head.method != Method::PUT {
            let reason = "send events with POST or PUT".to_owned();
            return Answer::Invalid(StatusCode::BAD_REQUEST, reason);
        }
        let body = match self.read(&head.headers, body).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let agent = head.headers.get(USER_AGENT);
        let sender = Sender::from_user_agent(agent.and_then(|agent| agent.to_str().ok()));
        let events = match event::split(&body, sender) {
            // Nearly every body is one event, which needs no copy then.
            Ok(events)
                if events.len() == 1 && events.first().map(|e| e.len()) == Some(body.len()) =>
            {
                vec![body]
            }
            Ok(events) => events.into_iter().map(<[u8]>::to_vec).collect(),
            Err(error) => return self.invalid(error.to_string(), body).await,
        };
        self.store(events).await
    }

    /// The body as the sender meant it.
    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Answer> {
        let Limits {
            max_body,
            max_decoded,
            body_timeout,
        } = self.limits;
        let body = match body::read(headers, body, max_body, body_timeout).await {
            Ok(body) => body,
            Err(cut) => return Err(self.cut(cut).await),
        };
        self.metrics
            .request_bytes
            .inc_by(u64::try_from(body.len()).unwrap_or(u64::MAX));
        match body::encoding(headers) {
            Encoding::Identity => Ok(body),
            Encoding::Unknown => {
                let reason =
                    "unknown content encoding; send the body plain or with gzip".to_owned();
                self.quarantine(&reason, body).await;
                Err(Answer::Invalid(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason))
            }
            Encoding::Gzip => {
                let inflated = tokio::task::spawn_blocking(move || {
                    let inflated = body::inflate(&body, max_decoded);
                    inflated.map_err(|error| (error, body))
                });
                match inflated.await {
                    Ok(Ok(body)) => Ok(body),
                    Ok(Err((InflateError::TooLarge, body))) => {
                        let reason = "the decompressed body is too large; send smaller batches";
                        self.quarantine(reason, body).await;
                        Err(Answer::TooLarge(reason))
                    }
                    Ok(Err((InflateError::Corrupt, body))) => Err(self
                        .invalid("the body is not valid gzip".to_owned(), body)
                        .await),
                    // The runtime is going down.
                    Err(_) => Err(Answer::Unavailable),
                }
            }
        }
    }

    /// The answer to a body that did not come in whole.
    async fn cut(&self, Cut { why, prefix }: Cut) -> Answer {
        self.metrics
            .request_bytes
            .inc_by(u64::try_from(prefix.len()).unwrap_or(u64::MAX));
        match why {
            Why::TooLarge => {
                let reason =
                    "the body is too large; raise `ingest.max_body` or send smaller batches";
                self.quarantine(reason, prefix).await;
                Answer::TooLarge(reason)
            }
            Why::TooSlow => {
                self.quarantine("the body took too long", prefix).await;
                Answer::TooSlow
            }
            Why::Broken => {
                self.invalid("the body ended early".to_owned(), prefix)
                    .await
            }
        }
    }

    async fn store(&self, events: Vec<Vec<u8>>) -> Answer {
        let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
        match self.inbox.append(self.clock.now(), events).await {
            Ok(()) => {
                self.metrics.received.inc_by(count);
                Answer::Accepted
            }
            Err(error) => {
                self.metrics.lost(error.reason().name(), count);
                Answer::Unavailable
            }
        }
    }

    async fn invalid(&self, reason: String, body: Vec<u8>) -> Answer {
        self.quarantine(&reason, body).await;
        Answer::Invalid(StatusCode::BAD_REQUEST, reason)
    }

    async fn quarantine(&self, reason: &str, mut body: Vec<u8>) {
        if REFUSALS.allows() {
            tracing::warn!(reason, "refused a request; see the quarantine");
        }
        let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
        body.truncate(QUARANTINE_BODY_CAP);
        body.shrink_to_fit();
        let received = self.clock.now();
        let refused = Refused {
            received,
            reason: reason.to_owned(),
            body,
            size,
        };
        // The sender gets the same answer either way: it is refused.
        if let Err(error) = self.inbox.quarantine(refused).await
            && REFUSALS.allows()
        {
            tracing::warn!(%error, "cannot keep a refused body");
        }
    }

    fn conclude(&self, start: Instant, answer: Answer) -> Response {
        let (outcome, response) = match answer {
            Answer::Accepted => {
                self.metrics
                    .ack_seconds
                    .observe(start.elapsed().as_secs_f64());
                // With a body, Go clients would open a connection per event.
                (RequestOutcome::Accepted, StatusCode::OK.into_response())
            }
            Answer::Invalid(status, reason) => {
                let mut response = text(status, &reason);
                if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
                    let gzip = HeaderValue::from_static("gzip");
                    response.headers_mut().insert(ACCEPT_ENCODING, gzip);
                }
                (RequestOutcome::Invalid, response)
            }
            Answer::TooLarge(reason) => {
                let response = closing(text(StatusCode::PAYLOAD_TOO_LARGE, reason));
                (RequestOutcome::TooLarge, response)
            }
            Answer::TooSlow => {
                let response = text(StatusCode::REQUEST_TIMEOUT, "the body took too long");
                (RequestOutcome::TooSlow, closing(response))
            }
            Answer::Unauthorized => {
                let mut response = text(StatusCode::UNAUTHORIZED, "wrong or missing credentials");
                for challenge in self.auth.challenges() {
                    response.headers_mut().append(WWW_AUTHENTICATE, challenge);
                }
                (RequestOutcome::Unauthorized, response)
            }
            Answer::Unavailable => {
                let mut response =
                    text(StatusCode::SERVICE_UNAVAILABLE, "the event was not stored");
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from_static("1"));
                (RequestOutcome::Unavailable, closing(response))
            }
        };
        self.metrics.request(outcome);
        response
    }
}

/// A one-line text answer, as Go's `http.Error` writes it.
fn text(status: StatusCode, line: &str) -> Response {
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, format!("{line}\n")).into_response()
}

fn closing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
