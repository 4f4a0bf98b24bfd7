//! Silences in the API.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::admin::{Admin, NAME_CAP, Unavailable, changed};
use crate::clock::later;
use crate::route::condition::Condition;
use crate::route::{Known, Silence, SilenceId};
use crate::units::Span;

/// Characters of a comment that are kept.
const COMMENT_CAP: usize = 1_000;

/// The routes under `/api/v1/silences`.
pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/api/v1/silences", get(list).post(add))
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
    let refuse = |why: String| {
        let answer = Json(json!({ "error": why }));
        Ok((StatusCode::BAD_REQUEST, answer).into_response())
    };
    let when = match Condition::parse(&new.when) {
        Ok(when) => when,
        Err(error) => return refuse(format!("when: {error}")),
    };
    let (by, comment) = (new.by.trim(), new.comment.trim());
    if by.is_empty() || comment.is_empty() {
        return refuse("a silence needs `by` and `comment`: who hides this, and why".to_owned());
    }
    if new.r#for.0.is_zero() {
        return refuse("for: must be more than 0s".to_owned());
    }
    let starts = admin.clock.now();
    let id = admin
        .store
        .add_silence(Silence {
            id: SilenceId(0),
            when,
            by: by.chars().take(NAME_CAP).collect(),
            comment: comment.chars().take(COMMENT_CAP).collect(),
            starts,
            ends: later(starts, new.r#for.0),
            above_ceiling: new.above_ceiling,
            hidden: 0,
            ended: false,
            known: Known::default(),
        })
        .await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))).into_response())
}

async fn expire(State(admin): State<Admin>, Path(id): Path<i64>) -> Result<Response, Unavailable> {
    let now = admin.clock.now();
    let done = admin.store.expire_silence(SilenceId(id), now).await?;
    Ok(changed(
        done,
        "there is no silence with this id that is not over",
    ))
}
