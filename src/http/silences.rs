//! Silences in the API.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::admin::{Admin, NAME_CAP, Unavailable, changed};
use crate::clock::later;
use crate::pipeline::{Preview, preview};
use crate::route::condition::Condition;
use crate::route::{Known, Silence, SilenceId};
use crate::store::StoreError;
use crate::units::Span;

/// Characters of a comment that are kept.
pub(super) const COMMENT_CAP: usize = 1_000;

/// The routes under `/api/v1/silences`.
pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/api/v1/silences", get(list).post(add))
        .route("/api/v1/silences/preview", post(would))
        .route("/api/v1/silences/{id}/expire", post(expire))
}

#[derive(Debug, Deserialize)]
struct Which {
    #[serde(default)]
    all: bool,
}

async fn list(
    State(admin): State<Admin>,
    Query(which): Query<Which>,
) -> Result<Response, Unavailable> {
    Ok(Json(admin.store.silences(which.all).await?).into_response())
}

/// A silence as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    when: String,
    by: String,
    comment: String,
    r#for: Span,
    #[serde(default)]
    above_ceiling: bool,
}

async fn add(State(admin): State<Admin>, Json(new): Json<New>) -> Result<Response, Unavailable> {
    let when = match Condition::parse(&new.when) {
        Ok(when) => when,
        Err(error) => return Ok(refuse(&format!("when: {error}"))),
    };
    let (by, comment) = (new.by.trim(), new.comment.trim());
    if by.is_empty() || comment.is_empty() {
        return Ok(refuse(
            "a silence needs `by` and `comment`: who hides this, and why",
        ));
    }
    if new.r#for.0.is_zero() {
        return Ok(refuse("for: must be more than 0s"));
    }
    let now = admin.clock.now();
    let found = look_back(&admin, &when, new.above_ceiling).await?;
    let by = by.chars().take(NAME_CAP).collect();
    let comment = comment.chars().take(COMMENT_CAP).collect();
    let time = (now, new.r#for.0);
    let known = found.known.clone();
    let silence = silence(when, (by, comment), time, new.above_ceiling, known);
    let id = admin.store.add_silence(silence).await?;
    let answer = Json(json!({ "id": id, "preview": found }));
    Ok((StatusCode::CREATED, answer).into_response())
}

/// A new silence `(by, comment)` for a `(start, length)`, under which `known` is no news.
pub(super) fn silence(
    when: Condition,
    (by, comment): (String, String),
    (starts, span): (Timestamp, Duration),
    above_ceiling: bool,
    known: Known,
) -> Silence {
    Silence {
        id: SilenceId(0),
        when,
        by,
        comment,
        starts,
        ends: later(starts, span),
        above_ceiling,
        hidden: 0,
        ended: false,
        known,
    }
}

/// What a silence would hide.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Would {
    when: String,
    #[serde(default)]
    above_ceiling: bool,
}

async fn would(
    State(admin): State<Admin>,
    Json(would): Json<Would>,
) -> Result<Response, Unavailable> {
    match Condition::parse(&would.when) {
        Ok(when) => {
            let found = look_back(&admin, &when, would.above_ceiling).await?;
            Ok(Json(found).into_response())
        }
        Err(error) => Ok(refuse(&format!("when: {error}"))),
    }
}

async fn look_back(
    admin: &Admin,
    when: &Condition,
    above_ceiling: bool,
) -> Result<Preview, StoreError> {
    let rules = Arc::clone(&admin.rules.borrow());
    preview(&admin.store, &rules, when, above_ceiling, admin.clock.now()).await
}

fn refuse(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response()
}

async fn expire(State(admin): State<Admin>, Path(id): Path<i64>) -> Result<Response, Unavailable> {
    let now = admin.clock.now();
    let done = admin.store.expire_silence(SilenceId(id), now).await?;
    Ok(changed(
        done,
        "there is no silence with this id that is not over",
    ))
}
