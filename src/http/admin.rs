//! The other listener: metrics, health and the JSON API.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

use super::Guard;
use super::act;
use super::guard;
use super::health::{self, Readiness};
use super::silences;
use crate::clock::Clock;
use crate::deliver::Setup;
use crate::event::EventId;
use crate::incident;
use crate::metrics::Metrics;
use crate::pipeline::Rules;
use crate::store::{DeliveryId, DeliveryState, Period, Store, StoreError};

/// Rows listed when the request does not say how many.
const DEFAULT_LIMIT: u32 = 100;

/// Rows listed at most.
const MAX_LIMIT: u32 = 1_000;

/// Characters of a refused body that are listed.
const BODY_SHOWN: usize = 4_096;

/// Characters of a person's name that are kept.
pub(super) const NAME_CAP: usize = 100;

/// What the admin listener works with.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The store.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// What `/readyz` says.
    pub readiness: Readiness,
    /// Who may use the API.
    pub guard: Guard,
    /// What hides secrets in what is shown, and checks links.
    pub setup: watch::Receiver<Arc<Setup>>,
    /// What silences are held against.
    pub rules: watch::Receiver<Arc<Rules>>,
}

/// The routes of the admin listener.
pub fn router(admin: Admin) -> Router {
    let readyz =
        |State(admin): State<Admin>| async move { health::readyz(&admin.readiness, &admin.store) };
    let api = Router::new()
        .route("/api/v1/quarantine", get(quarantine))
        .route("/api/v1/incidents", get(incidents))
        .route("/api/v1/incidents/{uid}/acknowledge", post(acknowledge))
        .route("/api/v1/incidents/{uid}/close", post(close))
        .route("/api/v1/fates", get(fates))
        .route("/api/v1/audit", get(audit))
        .route("/api/v1/sensors", get(sensors))
        .route("/api/v1/events/{id}", get(event))
        .route("/api/v1/deliveries", get(deliveries))
        .route("/api/v1/deliveries/{id}/retry", post(retry))
        .route("/api/v1/deliveries/{id}/discard", post(discard))
        .merge(silences::routes())
        .route_layer(middleware::from_fn_with_state(
            admin.guard.clone(),
            guard::check,
        ));
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .merge(act::routes())
        .merge(api)
        .with_state(admin)
}

async fn index() -> &'static str {
    "falco-herald\n\n/metrics\n/healthz\n/readyz\n/api/v1/incidents\n/api/v1/deliveries\n\
     /api/v1/fates\n/api/v1/audit\n/api/v1/silences\n/api/v1/sensors\n/api/v1/quarantine\n"
}

async fn metrics(State(admin): State<Admin>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    admin
        .metrics
        .writable
        .set(u64::from(admin.store.is_writable()));
    admin.metrics.room.set(admin.store.room().borrow().level());
    if let Ok(cursor) = admin.store.cursor().await {
        let latest = *admin.store.latest().borrow();
        admin.metrics.backlog.set(latest.0.saturating_sub(cursor.0));
    }
    match admin.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// How much to list.
#[derive(Debug, Deserialize)]
struct Listing {
    limit: Option<u32>,
    state: Option<String>,
}

impl Listing {
    fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT)
    }
}

/// An error of the store as an answer.
pub(super) struct Unavailable(StoreError);

impl From<StoreError> for Unavailable {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Unavailable {
    fn into_response(self) -> Response {
        let answer = Json(json!({ "error": self.0.to_string() }));
        (StatusCode::SERVICE_UNAVAILABLE, answer).into_response()
    }
}

async fn quarantine(
    State(admin): State<Admin>,
    Query(listing): Query<Listing>,
) -> Result<Response, Unavailable> {
    let rows = admin.store.quarantined(listing.limit()).await?;
    let setup = Arc::clone(&admin.setup.borrow());
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let body = setup.masker.body(&row.refused.body);
            json!({
                "id": row.id,
                "received": row.refused.received.to_string(),
                "reason": row.refused.reason,
                "size": row.refused.size,
                "body": body.chars().take(BODY_SHOWN).collect::<String>(),
            })
        })
        .collect();
    Ok(Json(rows).into_response())
}

async fn incidents(
    State(admin): State<Admin>,
    Query(listing): Query<Listing>,
) -> Result<Response, Unavailable> {
    let incidents = admin.store.incidents(listing.limit()).await?;
    let setup = Arc::clone(&admin.setup.borrow());
    let incidents: Vec<_> = incidents
        .into_iter()
        .map(|incident| {
            let incident = setup.masker.incident(incident);
            let labels: serde_json::Map<_, _> = incident
                .labels
                .iter()
                .map(|(name, value)| (name.clone(), value.raw().into()))
                .collect();
            json!({
                "uid": incident.uid,
                "route": incident.route,
                "state": incident.state,
                "handled_by": incident.handled.as_ref().map(|handled| handled.by.raw()),
                "rule": incident.rule.raw(),
                "category": incident.category,
                "severity": incident.severity,
                "labels": labels,
                "count": incident.count,
                "first_received": incident.first_received.to_string(),
                "last_received": incident.last_received.to_string(),
            })
        })
        .collect();
    Ok(Json(incidents).into_response())
}

/// In whose name an incident is acknowledged or closed.
#[derive(Debug, Deserialize)]
struct Person {
    by: String,
}

async fn acknowledge(
    State(admin): State<Admin>,
    Path(uid): Path<Uuid>,
    Json(person): Json<Person>,
) -> Result<Response, Unavailable> {
    handle(&admin, uid, incident::State::Acknowledged, person).await
}

async fn close(
    State(admin): State<Admin>,
    Path(uid): Path<Uuid>,
    Json(person): Json<Person>,
) -> Result<Response, Unavailable> {
    handle(&admin, uid, incident::State::Closed, person).await
}

async fn handle(
    admin: &Admin,
    uid: Uuid,
    state: incident::State,
    person: Person,
) -> Result<Response, Unavailable> {
    let by: String = person.by.chars().take(NAME_CAP).collect();
    let now = admin.clock.now();
    let done = admin.store.handle(uid, state, by, now).await?;
    Ok(changed(
        done,
        "there is no such incident, or it is not open",
    ))
}

async fn fates(State(admin): State<Admin>) -> Result<Response, Unavailable> {
    let fates = admin.store.fates().await?;
    let fates: Vec<_> = fates
        .into_iter()
        .map(|(destination, fate, events)| {
            json!({ "destination": destination, "fate": fate, "events": events })
        })
        .collect();
    Ok(Json(fates).into_response())
}

/// The period of an audit.
#[derive(Debug, Deserialize)]
struct Bounds {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// An event with its secrets masked, and what became of it.
async fn event(State(admin): State<Admin>, Path(id): Path<i64>) -> Result<Response, Unavailable> {
    let found = admin.store.ways(EventId(id)).await?;
    let setup = Arc::clone(&admin.setup.borrow());
    let event = found.event.map(|event| {
        json!({
            "received": event.received.to_string(),
            "body": String::from_utf8_lossy(&setup.masker.json(&event.body)),
        })
    });
    if event.is_none() && found.ways.is_empty() {
        return Ok(changed(false, "no event with this id was taken over"));
    }
    Ok(Json(json!({ "event": event, "ways": found.ways })).into_response())
}

async fn audit(
    State(admin): State<Admin>,
    Query(bounds): Query<Bounds>,
) -> Result<Response, Unavailable> {
    let period = Period {
        from: bounds.from,
        to: bounds.to,
        ..Period::default()
    };
    Ok(Json(admin.store.audit(period).await?).into_response())
}

async fn sensors(State(admin): State<Admin>) -> Result<Response, Unavailable> {
    let sensors = admin.store.sensors().await?;
    let sensors: Vec<_> = sensors
        .into_iter()
        .map(|sensor| {
            json!({
                "hostname": sensor.hostname,
                "last": sensor.last.to_string(),
                "every_seconds": sensor.every.map(|every| every.as_secs()),
                "silent": sensor.silent,
            })
        })
        .collect();
    Ok(Json(sensors).into_response())
}

async fn deliveries(
    State(admin): State<Admin>,
    Query(listing): Query<Listing>,
) -> Result<Response, Unavailable> {
    let state = match listing.state.as_deref().map(str::parse::<DeliveryState>) {
        None => None,
        Some(Ok(state)) => Some(state),
        Some(Err(error)) => {
            let answer = Json(json!({ "error": error.to_string() }));
            return Ok((StatusCode::BAD_REQUEST, answer).into_response());
        }
    };
    let deliveries = admin.store.deliveries(state, listing.limit()).await?;
    Ok(Json(deliveries).into_response())
}

async fn retry(State(admin): State<Admin>, Path(id): Path<i64>) -> Result<Response, Unavailable> {
    let done = admin.store.retry(DeliveryId(id), admin.clock.now()).await?;
    Ok(changed(done, "there is no dead delivery with this id"))
}

async fn discard(State(admin): State<Admin>, Path(id): Path<i64>) -> Result<Response, Unavailable> {
    let done = admin
        .store
        .discard(DeliveryId(id), admin.clock.now())
        .await?;
    Ok(changed(
        done,
        "there is no pending or dead delivery with this id",
    ))
}

pub(super) fn changed(done: bool, otherwise: &str) -> Response {
    if done {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let answer = Json(json!({ "error": otherwise }));
        (StatusCode::NOT_FOUND, answer).into_response()
    }
}
