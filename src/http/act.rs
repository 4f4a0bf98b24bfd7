//! The page of an incident, behind a signed link: acknowledge, silence or close it from a phone.
//!
//! Looking changes nothing, because mail and chat fetch links on their own; acting is a POST of the
//! page's form.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Form, Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use jiff::Timestamp;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Deserialize;
use uuid::Uuid;

use super::admin::{Admin, NAME_CAP};
use super::silences::{COMMENT_CAP, silence};
use crate::incident::{self, Incident};
use crate::markup::visible::{one_line, visible};
use crate::pipeline::{Preview, preview};
use crate::route::condition::Condition;
use crate::store::StoreError;

/// The largest form.
const FORM: usize = 16 * 1024;

/// For how long one may silence from here.
const HOURS: [u32; 5] = [1, 4, 8, 24, 72];

/// The routes of the page.
pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/incidents/{uid}/{token}", get(look).post(act))
        .layer(DefaultBodyLimit::max(FORM))
        .layer(middleware::map_response(harmless))
}

/// The page runs no script, is shown in no frame, and tells nobody its address.
async fn harmless(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
        frame-ancestors 'none'; base-uri 'none'";
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(REFERRER_POLICY, "no-referrer");
    set(CACHE_CONTROL, "no-store");
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(HeaderName::from_static("x-robots-tag"), "noindex");
    response
}

/// What the form holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    act: String,
    by: String,
    comment: String,
    hours: u32,
    confirmed: bool,
}

/// What the page shows besides the incident.
#[derive(Default)]
struct Shown {
    said: Option<String>,
    form: Asked,
    preview: Option<(Condition, Preview)>,
}

async fn look(State(admin): State<Admin>, Path((uid, token)): Path<(Uuid, String)>) -> Response {
    answer(&admin, uid, &token, None).await
}

async fn act(
    State(admin): State<Admin>,
    Path((uid, token)): Path<(Uuid, String)>,
    Form(form): Form<Asked>,
) -> Response {
    answer(&admin, uid, &token, Some(form)).await
}

async fn answer(admin: &Admin, uid: Uuid, token: &str, form: Option<Asked>) -> Response {
    let setup = Arc::clone(&admin.setup.borrow());
    if !setup.links.holds(uid, token, admin.clock.now()) {
        let why = "This link is not valid, or older than seven days. A newer message about the \
                   incident has a newer link; the command line works always.";
        return page(StatusCode::FORBIDDEN, &refusal(why));
    }
    match answer_valid(admin, uid, form).await {
        Ok(Some(context)) => page(StatusCode::OK, &context),
        Ok(None) => page(
            StatusCode::NOT_FOUND,
            &refusal("There is no such incident."),
        ),
        Err(error) => {
            tracing::error!(%error, "cannot show an incident");
            let why = "The store cannot be read now. Try again.";
            page(StatusCode::SERVICE_UNAVAILABLE, &refusal(why))
        }
    }
}

async fn answer_valid(
    admin: &Admin,
    uid: Uuid,
    form: Option<Asked>,
) -> Result<Option<Value>, StoreError> {
    let Some(incident) = admin.store.incident(uid).await? else {
        return Ok(None);
    };
    let shown = match form {
        Some(form) => acted(admin, &incident, form).await?,
        None => Shown::default(),
    };
    // As it is after what was done.
    let incident = admin.store.incident(uid).await?.unwrap_or(incident);
    let event = admin.store.ways(incident.last_event).await?.event;
    Ok(Some(context(
        admin,
        incident,
        &shown,
        event.as_ref().map(|event| event.body.as_slice()),
    )))
}

/// Does what the form asks for.
async fn acted(admin: &Admin, incident: &Incident, form: Asked) -> Result<Shown, StoreError> {
    let capped = |text: &str, cap| text.trim().chars().take(cap).collect::<String>();
    let form = Asked {
        by: capped(&form.by, NAME_CAP),
        comment: capped(&form.comment, COMMENT_CAP),
        ..form
    };
    let mut shown = Shown::default();
    if form.by.is_empty() {
        shown.said = Some("Give your name: it stands in the message.".to_owned());
        shown.form = form;
        return Ok(shown);
    }
    let state = match form.act.as_str() {
        "acknowledge" => incident::State::Acknowledged,
        "close" => incident::State::Closed,
        "silence" => return silenced(admin, incident, form).await,
        _ => return Ok(shown),
    };
    let now = admin.clock.now();
    let by = form.by.clone();
    let done = admin.store.handle(incident.uid, state, by, now).await?;
    shown.said = Some(if done {
        format!(
            "{} in the name of {}.",
            capitalised(state.name()),
            one_line(&form.by)
        )
    } else {
        "Somebody was faster: nothing was changed.".to_owned()
    });
    shown.form.by = form.by;
    Ok(shown)
}

/// Shows what a silence would have hidden; makes it once that is confirmed.
async fn silenced(admin: &Admin, incident: &Incident, form: Asked) -> Result<Shown, StoreError> {
    let mut shown = Shown::default();
    let when = condition(incident);
    let (Some(when), true) = (when, HOURS.contains(&form.hours)) else {
        let why = "Nothing tells the alerts of this incident from others: silence them from the \
                   command line.";
        shown.said = Some(why.to_owned());
        return Ok(shown);
    };
    if form.comment.is_empty() {
        shown.said = Some("Say why: others will want to know.".to_owned());
        shown.form = form;
        return Ok(shown);
    }
    let now = admin.clock.now();
    let rules = Arc::clone(&admin.rules.borrow());
    let found = preview(&admin.store, &rules, &when, false, now).await?;
    if !form.confirmed {
        shown.preview = Some((when, found));
        shown.form = form;
        return Ok(shown);
    }
    let span = std::time::Duration::from_hours(u64::from(form.hours));
    let by = (form.by.clone(), form.comment);
    let id = admin
        .store
        .add_silence(silence(when, by, (now, span), false, found.known))
        .await?;
    shown.said = Some(format!(
        "Silence {} is made, for {} h. What it hides is told when it ends.",
        id.0, form.hours
    ));
    shown.form.by = form.by;
    Ok(shown)
}

/// The alerts of an incident, as a condition: its rule and the values that they share.
fn condition(incident: &Incident) -> Option<Condition> {
    let rule = ("rule", incident.rule.raw());
    let labels = incident.labels.iter();
    let labels = labels.map(|(name, value)| (name.as_str(), value.raw()));
    let others = labels.filter(|(name, _)| *name != "rule");
    Condition::all_equal(std::iter::once(rule).chain(others))
}

fn context(admin: &Admin, incident: Incident, shown: &Shown, event: Option<&[u8]>) -> Value {
    let setup = Arc::clone(&admin.setup.borrow());
    let incident = setup.masker.incident(incident);
    let moment = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let labels: Vec<_> = incident
        .labels
        .iter()
        .filter(|(name, _)| name != "rule")
        .map(|(name, value)| context! { name, value => one_line(value.raw()) })
        .collect();
    let handled = incident.handled.as_ref();
    let handled = handled.map(|handled| {
        let by = one_line(handled.by.raw());
        format!("{by}, {}", moment(handled.at))
    });
    let form = &shown.form;
    context! {
        title => one_line(incident.rule.raw()),
        said => &shown.said,
        hours => HOURS,
        incident => context! {
            state => incident.state.name(),
            is_open => incident.state == incident::State::Open,
            is_closed => incident.state == incident::State::Closed,
            handled,
            severity => incident.severity.name(),
            count => incident.count,
            first => moment(incident.first_received),
            last => moment(incident.last_received),
            labels,
        },
        form => context! {
            by => one_line(&form.by),
            comment => one_line(&form.comment),
            hours => form.hours,
        },
        preview => shown.preview.as_ref().map(|(when, found)| {
            let masked = |text: &str| one_line(&setup.masker.mask(text)).into_owned();
            let rules: Vec<_> = found.rules.iter().take(5)
                .map(|(name, count)| context! { name => masked(name), count })
                .collect();
            context! {
                when => masked(&when.to_string()),
                words => words(found),
                rules,
                ceiling => admin.rules.borrow().silence_ceiling.name(),
            }
        }),
        event => event.map(|event| {
            visible(&String::from_utf8_lossy(&setup.masker.json(event))).into_owned()
        }),
    }
}

/// What a silence would have hidden, in one sentence.
fn words(found: &Preview) -> String {
    let Some(since) = found.since else {
        return "No event is stored, so nothing tells what it will hide.".to_owned();
    };
    let above = match found.above_ceiling {
        0 => String::new(),
        above => format!(" {above} more are too severe for it."),
    };
    format!(
        "Since {} it would have hidden {} of {} alerts.{above}",
        since.strftime("%Y-%m-%d %H:%M UTC"),
        found.hidden,
        found.examined
    )
}

fn refusal(why: &str) -> Value {
    context! { title => "falco-herald", said => why }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn page(status: StatusCode, context: &Value) -> Response {
    const TEMPLATE: &str = include_str!("../../templates/ui/incident.html");
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    match environment.render_str(TEMPLATE, context) {
        Ok(html) => {
            let html = ([(CONTENT_TYPE, "text/html; charset=utf-8")], html);
            (status, html).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the page of an incident failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
