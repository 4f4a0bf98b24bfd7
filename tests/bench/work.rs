//! The steps of the pure core over fixed events, to be timed and counted.

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;

use falco_herald::classify::Alert;
use falco_herald::clock::Clock;
use falco_herald::config::{Loaded, Resolved, resolve};
use falco_herald::event::{self, EventId, Sender};
use falco_herald::incident::{Incident, Saying, fold, group};
use falco_herald::markup::document::Document;
use falco_herald::markup::{html, slack};
use falco_herald::report::{Nearby, Subject};
use falco_herald::route::Lane;
use jiff::Timestamp;
use uuid::Uuid;

/// Routes that alerts are held against.
const ROUTES: usize = 100;

/// One of the steps, over all events.
pub(crate) type Step = fn(&Work);

/// What the steps need.
pub(crate) struct Work {
    resolved: Resolved,
    bodies: Vec<Vec<u8>>,
    alerts: Vec<Alert>,
    incident: Incident,
    now: Timestamp,
}

impl Work {
    /// Over these events, all of which each step takes.
    pub(crate) fn over(bodies: Vec<Vec<u8>>) -> Self {
        let mut text = "destinations: { sink: { webhook: { url: 'http://127.0.0.1:9/' } } }\n\
             route:\n  to: [sink]\n  routes:\n"
            .to_owned();
        for number in 1..ROUTES {
            let when =
                format!("k8s.ns.name = team-{number} and priority >= error or rule = r{number}");
            writeln!(text, "    - {{ to: [sink], when: {when} }}").unwrap();
        }
        let loaded = Loaded::from_text(Path::new("bench.yaml"), text).unwrap();
        let resolved = resolve(&loaded, &Clock::system()).unwrap();
        let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        let alerts: Vec<_> = bodies
            .iter()
            .map(|body| classified(&resolved, body, now))
            .collect();
        let folded = folded(&resolved, &alerts);
        let incident = folded.into_iter().next().unwrap();
        Self {
            resolved,
            bodies,
            alerts,
            incident,
            now,
        }
    }

    /// As before the answer: cut, parsed, checked.
    pub(crate) fn split(&self) {
        for body in &self.bodies {
            black_box(event::split(body, Sender::Other).unwrap());
        }
    }

    /// As in the second step.
    pub(crate) fn decode(&self) {
        for body in &self.bodies {
            black_box(event::decode(body).unwrap());
        }
    }

    /// Category, severity and the routes of events that are decoded.
    pub(crate) fn route(&self) {
        for alert in &self.alerts {
            black_box(self.resolved.rules.tree.matches(alert, Lane::Alerts));
        }
    }

    /// Group keys, and incidents that are new.
    pub(crate) fn fold(&self) {
        black_box(folded(&self.resolved, &self.alerts));
    }

    /// Everything that the second step does with events, but for the store.
    pub(crate) fn core(&self) {
        let classify = |body: &Vec<u8>| classified(&self.resolved, body, self.now);
        let alerts: Vec<_> = self.bodies.iter().map(classify).collect();
        black_box(folded(&self.resolved, &alerts));
    }

    /// One report, as Slack and mail get it.
    pub(crate) fn report(&self) {
        let alert = &self.alerts[0];
        let subject = Subject {
            incident: &self.incident,
            latest: alert,
            first: alert,
            incident_url: None,
            nearby: &Nearby::default(),
            now: self.now,
        };
        let report = self.resolved.setup.engine.render(&subject).unwrap();
        black_box(slack::message(&report));
        black_box(html::html_page(
            &report.title,
            &Document::parse(&report.markdown),
        ));
    }

    /// Every step by its name.
    pub(crate) fn steps() -> [(&'static str, Step); 6] {
        [
            ("split", Self::split),
            ("decode", Self::decode),
            ("route", Self::route),
            ("fold", Self::fold),
            ("core", Self::core),
            ("report", Self::report),
        ]
    }
}

fn classified(resolved: &Resolved, body: &[u8], now: Timestamp) -> Alert {
    let event = event::decode(body).unwrap();
    resolved.rules.classifier.classify(EventId(1), now, event)
}

fn folded(resolved: &Resolved, alerts: &[Alert]) -> Vec<Incident> {
    let tree = &resolved.rules.tree;
    let reached = alerts.iter().flat_map(|alert| {
        let routes = tree.matches(alert, Lane::Alerts);
        routes.into_iter().map(move |route| (alert, route))
    });
    let groups = group(reached, |_, _| Saying::Plain);
    let folded = groups.iter().map(|group| fold(None, group, Uuid::nil()));
    folded.map(|folded| folded.unwrap().incident).collect()
}
