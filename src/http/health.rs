//! Health and readiness. Health never depends on the store or on destinations: a restart would not
//! mend them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// Whether new events can be taken.
#[derive(Clone, Debug)]
pub struct Readiness {
    store: Store,
    stopping: CancellationToken,
}

impl Readiness {
    /// Ready while the store can write and `stopping` is not cancelled.
    pub fn new(store: Store, stopping: CancellationToken) -> Self {
        Self { store, stopping }
    }

    /// Why new events cannot be taken, if so.
    pub fn unready(&self) -> Option<&'static str> {
        if self.stopping.is_cancelled() {
            Some("stopping")
        } else if self.store.is_writable() {
            None
        } else {
            Some("the store cannot write")
        }
    }
}

pub(super) async fn ping() -> &'static str {
    "pong\n"
}

pub(super) async fn healthz() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

pub(super) fn readyz(readiness: &Readiness) -> Response {
    match readiness.unready() {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(reason) => {
            let answer = Json(json!({ "status": "unready", "reason": reason }));
            (StatusCode::SERVICE_UNAVAILABLE, answer).into_response()
        }
    }
}
