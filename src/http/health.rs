//! Whether the service lives and whether it can take events. No credentials: probes have none.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use super::Inbox;

/// Whether the service still wants requests. From the begin of the stop on `/readyz` answers 503, so
/// that load balancers turn away before the listeners close.
#[derive(Clone, Debug, Default)]
pub struct Readiness(CancellationToken);

impl Readiness {
    /// Ready until `stopping` is cancelled.
    pub fn new(stopping: CancellationToken) -> Self {
        Self(stopping)
    }
}

/// Falcosidekick's oldest probe.
pub(super) async fn ping() -> &'static str {
    "pong\n"
}

/// Says that the process answers, and nothing about the store: restarting does not mend a disk.
pub(super) async fn healthz() -> Response {
    json(StatusCode::OK, r#"{"status":"ok"}"#)
}

/// Whether events would be stored right now.
pub(super) fn readyz(readiness: &Readiness, inbox: &impl Inbox) -> Response {
    if readiness.0.is_cancelled() {
        return json(
            StatusCode::SERVICE_UNAVAILABLE,
            r#"{"status":"unready","reason":"shutting down"}"#,
        );
    }
    if !inbox.is_writable() {
        return json(
            StatusCode::SERVICE_UNAVAILABLE,
            r#"{"status":"unready","reason":"the store cannot write"}"#,
        );
    }
    match inbox.doubt() {
        // Still ready: taken out of service, it could not take the gravest alerts either.
        Some(doubt) => {
            let status = serde_json::json!({ "status": "ready", "reason": doubt });
            json(StatusCode::OK, status.to_string())
        }
        None => json(StatusCode::OK, r#"{"status":"ready"}"#),
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, text: impl Into<axum::body::Body>) -> Response {
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (status, content_type, text.into()).into_response()
}
