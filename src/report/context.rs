//! What a template can say about an incident: facts in words, and only those that are there.
//!
//! Nothing here is Markdown. Facts are [`Phrase`]s, which the engine encodes for their position.

mod action;
mod api;
mod health;
mod judgement;
mod labels;
mod place;
mod rows;

use minijinja::Value;
use minijinja::value::Object;
use std::sync::Arc;

use super::humanize::times;
use super::phrase::{Phrase, list};
use super::{Subject, evidence, tuning};
use crate::classify::{Alert, Category, Nature};
use crate::event::{Event, Fields};
use crate::incident::{Incident, State};
pub(super) use place::is_label;

/// The alert that a report describes, with the questions that many facts ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) alert: &'a Alert,
    pub(super) event: &'a Event,
    pub(super) fields: &'a Fields,
}

/// Where an event comes from, which decides what its fields mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The kernel of a host.
    Syscall,
    /// The audit log of a Kubernetes API server.
    Kubernetes,
    /// The audit log of a cloud or a service.
    Cloud,
    /// Falco itself.
    Internal,
}

impl<'a> View<'a> {
    pub(super) fn new(subject: &'a Subject<'a>) -> Self {
        let alert = subject.latest;
        Self {
            subject,
            alert,
            event: &alert.event,
            fields: &alert.event.output_fields,
        }
    }

    /// A field as text, unless it is missing.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.fields.text(name).map(std::borrow::Cow::into_owned)
    }

    /// A field as a phrase; empty when it is missing.
    pub(super) fn value(&self, name: &str) -> Phrase {
        self.text(name).map(Phrase::of_value).unwrap_or_default()
    }

    pub(super) fn origin(&self) -> Origin {
        let has = |prefixes: &[&str]| {
            let starts = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
            self.fields.iter().any(|(name, _)| starts(name.raw()))
        };
        match self.alert.category {
            Category::FalcoHealth => Origin::Internal,
            Category::K8sControlPlane => Origin::Kubernetes,
            Category::CloudSaasControlPlane => Origin::Cloud,
            _ if has(&["ka."]) => Origin::Kubernetes,
            _ if has(&["ct.", "okta.", "github.", "gcp."]) => Origin::Cloud,
            _ => Origin::Syscall,
        }
    }

    /// Falco's message without the time and priority that Falco puts before it, and without the
    /// words that stand for missing fields: `name=<NA>`.
    pub(super) fn message(&self) -> Option<String> {
        let mut text = self.event.output.raw().trim();
        if text.is_empty() || text == "<NA>" {
            return None;
        }
        if let Some((time, rest)) = text.split_once(": ") {
            // `12:43:02.928967267: ` or `2026-04-05T12:43:02.928967267+0000: `.
            if time.len() >= 8
                && time
                    .chars()
                    .all(|c| c.is_ascii_digit() || ":.-+TZ".contains(c))
            {
                text = rest;
            }
        }
        let priority = self.event.priority.name();
        let text = text
            .strip_prefix(priority)
            .and_then(|rest| rest.strip_prefix(' '))
            .unwrap_or(text);
        let words = text.split(' ').filter(|word| {
            let word = word.trim_matches([',', '(', ')', ';']);
            !(word == "<NA>" || word.ends_with("=<NA>"))
        });
        Some(words.collect::<Vec<_>>().join(" "))
    }
}

/// The context of the templates.
pub(super) fn build(view: &View<'_>) -> Value {
    let alert = view.alert;
    let place = place::Place::of(view);
    let action = action::sentence(view, &place);
    let judgement = judgement::Judgement::of(view, &place);
    let tuning = tuning::propose(view);
    let window = |minutes: i64| {
        let time = view
            .event
            .time
            .checked_add(jiff::SignedDuration::from_mins(minutes))
            .unwrap_or(view.event.time);
        ours(time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
    };
    minijinja::context! {
        title => phrase(heading(view)),
        rule => phrase(Phrase::new().name(view.event.rule.raw())),
        severity => ours(view.subject.incident.severity.name()),
        priority => ours(view.event.priority.name()),
        category => ours(alert.category.title()),
        nature => ours(match alert.nature {
            Nature::Security => "security",
            Nature::SensorHealth => "health",
            Nature::Test => "test",
        }),
        origin => ours(match view.origin() {
            Origin::Syscall => "syscall",
            Origin::Kubernetes => "kubernetes",
            Origin::Cloud => "cloud",
            Origin::Internal => "internal",
        }),
        mitre => phrase(labels::mitre(alert)),
        compliance => phrase(labels::compliance(view.event)),
        place => phrase(place.phrase.clone()),
        when => phrase(when(view)),
        count => view.subject.incident.count,
        state => ours(view.subject.incident.state.name()),
        handled => phrase(handled(view)),
        escalated => view.subject.incident.escalated > 0,
        opened => ours(times::moment(view.subject.incident.opened)),
        act_url => web_link(act_url(view)),
        summary => phrase(action),
        rows => rows::rows(view, &place).into_iter().map(|(label, text)| minijinja::context! {
            label => ours(label),
            text => phrase(text),
        }).collect::<Vec<_>>(),
        inferred => phrases(judgement.inferred),
        unknown => phrases(judgement.unknown),
        notes => phrases(judgement.notes),
        test_tool => judgement.test_tool,
        loss => health::is_loss(view),
        file => phrase(action::file(view).map(Phrase::of_value).unwrap_or_default()),
        program => phrase(place::program(view).map(Phrase::of_value).unwrap_or_default()),
        has_process => action::has_process(view),
        cmd => place.commands(view),
        since => window(-5),
        until => window(5),
        day => ours(view.event.time.strftime("%Y-%m-%d").to_string()),
        time => ours(times::moment(view.event.time)),
        tuning => tuning.to_value(),
        rules_file => ours(tuning::rules_file(alert)),
        evidence => evidence::build(view),
        message => phrase(view.message().map(Phrase::of_value).unwrap_or_default()),
        runbook => web_link(alert.runbook.as_deref()),
        incident_url => web_link(view.subject.incident_url),
        fields => Value::from_object(FieldValues(view.fields.clone())),
        br => Value::from_safe_string("  ".to_owned()),
    }
}

/// The first sentence of the summary as plain text, with how often.
pub(super) fn lead(view: &View<'_>) -> String {
    let place = place::Place::of(view);
    let action = action::sentence(view, &place).plain();
    format!("{action} {}.", capitalised(&when(view).plain()))
}

/// The heading of a report: the same for the whole life of the incident.
fn heading(view: &View<'_>) -> Phrase {
    Phrase::of("Falco Alert Analysis Report: ").name(view.subject.incident.rule.raw())
}

/// The title for subjects and headers: the rule, and what tells this incident from others of the
/// same rule. Made of what all its alerts share, so it never changes.
pub(super) fn name_of(incident: &Incident) -> Phrase {
    let label = |name: &&str| incident.labels.iter().find(|(label, _)| label == name);
    let shared = ["k8s.ns.name", "container.image.repository", "hostname"]
        .iter()
        .filter_map(label);
    let shared = shared
        .take(2)
        .map(|(_, value)| Phrase::new().name(value.raw()));
    Phrase::new()
        .name(incident.rule.raw())
        .join(" · ", list(shared, ", "))
}

/// Words of ours: printed as they are.
pub(super) fn ours(words: impl Into<String>) -> Value {
    Value::from_safe_string(words.into())
}

/// A phrase for the template; none when it is empty.
pub(super) fn phrase(phrase: Phrase) -> Value {
    if phrase.is_empty() {
        Value::from(())
    } else {
        Value::from_object(phrase)
    }
}

fn phrases(phrases: Vec<Phrase>) -> Vec<Value> {
    phrases.into_iter().map(phrase).collect()
}

/// The first letter in upper case.
pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// A Markdown link target from the site's configuration; none when it is not a web address.
pub(super) fn web_link(url: Option<&str>) -> Value {
    let safe = |url: &&str| {
        let web = url.starts_with("https://") || url.starts_with("http://");
        web && url
            .chars()
            .all(|c| c.is_ascii_graphic() && !"<>\"'`\\|()[]".contains(c))
    };
    url.filter(safe)
        .map_or(Value::from(()), |url| ours(format!("<{url}>")))
}

/// Where somebody may acknowledge, silence or close it, while there is something to do.
fn act_url<'a>(view: &View<'a>) -> Option<&'a str> {
    let incident = view.subject.incident;
    let open = matches!(incident.state, State::Open | State::Acknowledged);
    let real = incident.nature != Nature::Test;
    view.subject.incident_url.filter(|_| open && real)
}

/// Who acknowledged or closed it, and when.
fn handled(view: &View<'_>) -> Phrase {
    let handled = view.subject.incident.handled.as_ref();
    handled.map_or_else(Phrase::new, |handled| {
        Phrase::of("by ")
            .name(handled.by.raw())
            .words(format!(", {}", times::moment(handled.at)))
    })
}

/// When and how often: `2026-04-05 12:43:02 UTC, once`.
fn when(view: &View<'_>) -> Phrase {
    let incident = view.subject.incident;
    if incident.count <= 1 {
        return Phrase::of(format!("{}, once", times::moment(view.event.time)));
    }
    let (first, last) = (incident.first_time, incident.last_time);
    let times = format!("{} times", incident.count);
    let span = times::between(first, last);
    if span <= 0 {
        return Phrase::of(format!("{times}, all at {}", times::moment(last)));
    }
    let day = |time: jiff::Timestamp| time.strftime("%F").to_string();
    let last_text = if day(first) == day(last) {
        times::clock(last)
    } else {
        times::moment(last)
    };
    let per_minute = i128::from(incident.count) * 60_000_000_000 / span;
    let rate = if per_minute >= 2 && span >= 60_000_000_000 {
        format!(", about {per_minute} a minute")
    } else {
        String::new()
    };
    Phrase::of(format!(
        "{times}, first {}, last {last_text} ({} later{rate})",
        times::moment(first),
        times::duration(span)
    ))
}

/// The fields of the event by name, for templates of the site: `fields["proc.name"]`. A missing
/// field is none.
#[derive(Debug)]
struct FieldValues(Fields);

impl Object for FieldValues {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let text = key.as_str().and_then(|name| self.0.text(name));
        Some(text.map_or(Value::from(()), |text| phrase(Phrase::of_value(text))))
    }
}
