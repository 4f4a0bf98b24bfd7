//! What audit logs say: the Kubernetes API, clouds and services.

use super::View;
use crate::report::phrase::{Phrase, list};

/// The service that wrote the log.
pub(super) fn service(view: &View<'_>) -> &'static str {
    let has = |prefix: &str| {
        view.fields
            .iter()
            .any(|(name, _)| name.raw().starts_with(prefix))
    };
    match view.event.source.raw() {
        "aws_cloudtrail" => "AWS",
        "okta" => "Okta",
        "github" => "GitHub",
        "gcp_auditlog" | "auditlogs" => "Google Cloud",
        _ if has("ct.") => "AWS",
        _ if has("okta.") => "Okta",
        _ if has("github.") => "GitHub",
        _ if has("gcp.") => "Google Cloud",
        _ => "a cloud or service log",
    }
}

/// The first of the fields that is there.
fn first(view: &View<'_>, fields: &[&str]) -> Phrase {
    fields
        .iter()
        .map(|field| view.value(field))
        .find(|value| !value.is_empty())
        .unwrap_or_default()
}

fn actor(view: &View<'_>) -> Phrase {
    first(
        view,
        &[
            "ka.user.name",
            "ct.user.arn",
            "ct.user",
            "ct.user.principalid",
            "okta.actor.name",
            "github.user",
            "gcp.user",
        ],
    )
}

fn address(view: &View<'_>) -> Phrase {
    first(
        view,
        &["ka.sourceips", "ct.srcip", "okta.client.ip", "gcp.callerIP"],
    )
}

/// Who asked the API server for what, and what it answered.
pub(super) fn kubernetes_sentence(view: &View<'_>) -> Phrase {
    let actor = actor(view);
    if actor.is_empty() {
        return Phrase::new();
    }
    let verb = view.value("ka.verb");
    let verb = if verb.is_empty() {
        Phrase::of(" made a request")
    } else {
        Phrase::of(" asked to ").then(verb)
    };
    let target = target(view);
    let target = if target.is_empty() {
        view.value("ka.uri")
    } else {
        target
    };
    actor
        .then(verb)
        .join(
            if view.fields.get("ka.verb").is_some() {
                " "
            } else {
                " for "
            },
            target,
        )
        .join("; ", answer(view))
}

/// Resource, subresource, namespace and name of the object.
fn target(view: &View<'_>) -> Phrase {
    let Some(resource) = view.text("ka.target.resource") else {
        return view.value("ka.target.name");
    };
    let resource = match view.text("ka.target.subresource") {
        Some(sub) => format!("{resource}/{sub}"),
        None => resource,
    };
    let name = view.value("ka.target.name");
    let namespace = labelled("in namespace ", view.value("ka.target.namespace"));
    Phrase::of_value(resource)
        .join(" ", name)
        .join(" ", namespace)
}

fn labelled(label: &'static str, value: Phrase) -> Phrase {
    if value.is_empty() {
        value
    } else {
        Phrase::of(label).then(value)
    }
}

/// Whether it was allowed, and the HTTP status in words.
fn answer(view: &View<'_>) -> Phrase {
    let code = view.text("ka.response.code");
    let meaning = match code.as_deref() {
        Some("200" | "204") => "it succeeded",
        Some("201") => "it was created",
        Some("101") => "the session was opened",
        Some("401") => "refused: not authenticated",
        Some("403") => "refused: not authorised",
        Some("404") => "no such object",
        Some("409") => "refused: conflict",
        _ => "",
    };
    let code = match (code, meaning) {
        (Some(code), "") => Phrase::of("answer ").value(code),
        (Some(code), meaning) => Phrase::of(meaning).words(" (HTTP ").value(code).words(")"),
        (None, _) => Phrase::new(),
    };
    match (code.is_empty(), view.text("ka.auth.decision").as_deref()) {
        (true, Some("allow")) => Phrase::of("it was allowed"),
        (true, Some("forbid")) => Phrase::of("it was forbidden"),
        _ => code,
    }
}

/// Who did what where, as the provider logged it.
pub(super) fn cloud_sentence(view: &View<'_>) -> Phrase {
    let actor = actor(view);
    if actor.is_empty() {
        return Phrase::new();
    }
    let call = first(
        view,
        &["ct.name", "gcp.methodName", "github.type", "okta.evt.type"],
    );
    let from = labelled(" from ", address(view));
    if call.is_empty() {
        // Many cloud rules leave the call out: the message says it.
        let message = view.value_of_message();
        return actor.then(from).words(": ").then(message);
    }
    actor.words(" called ").then(call).then(from)
}

impl View<'_> {
    fn value_of_message(&self) -> Phrase {
        self.message().map_or_else(
            || Phrase::new().name(self.event.rule.raw()),
            Phrase::of_value,
        )
    }
}

/// The rows of the table of facts, in the order of the questions: who, from where, what, with what.
pub(super) fn rows(view: &View<'_>) -> Vec<(&'static str, Phrase)> {
    let with = |fields: &[(&'static str, &str)]| {
        list(
            fields
                .iter()
                .map(|(label, field)| labelled(label, view.value(field))),
            ", ",
        )
    };
    vec![
        (
            "Actor",
            actor(view).join(
                ", ",
                with(&[
                    ("type ", "ct.user.identitytype"),
                    ("account ", "ct.user.accountid"),
                    ("groups ", "ka.user.groups"),
                    ("acting as ", "ka.impuser.name"),
                    ("owner ", "github.owner"),
                ]),
            ),
        ),
        (
            "From",
            address(view).join(
                ", ",
                with(&[
                    ("client ", "ka.useragent"),
                    ("client ", "ct.useragent"),
                    ("client ", "gcp.userAgent"),
                    ("country ", "okta.client.geo.country"),
                ]),
            ),
        ),
        (
            "Request",
            with(&[
                ("verb ", "ka.verb"),
                ("URI ", "ka.uri"),
                ("command ", "ka.uri.param[command]"),
                ("call ", "ct.name"),
                ("service ", "gcp.serviceName"),
                ("method ", "gcp.methodName"),
            ]),
        ),
        (
            "Object",
            target(view).join(
                ", ",
                with(&[
                    ("bucket ", "s3.bucket"),
                    ("bucket ", "gcp.storage.bucket"),
                    ("user ", "ct.request.username"),
                    ("group ", "ct.request.groupname"),
                    ("function ", "ct.request.functionname"),
                    ("trail ", "ct.request.name"),
                    ("user ", "okta.target.user.name"),
                    ("group ", "okta.target.group.name"),
                    ("application ", "okta.target.app.alternateid"),
                    ("repository ", "github.repo.name"),
                    ("collaborator ", "github.collaborator.name"),
                    ("role ", "github.collaborator.role"),
                    ("files ", "github.diff.committed_secrets.files"),
                    ("database ", "gcp.cloudsql.databaseId"),
                    ("policy change ", "gcp.policyDelta"),
                ]),
            ),
        ),
        (
            "Answer",
            list(
                [
                    answer(view),
                    labelled("reason ", view.value("ka.auth.reason")),
                    labelled("error ", view.value("ct.error")),
                    labelled("reason ", view.value("okta.reason")),
                ],
                ", ",
            ),
        ),
    ]
}
