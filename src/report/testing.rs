//! Alerts and incidents for the tests of this module, built without the classifier.

use jiff::Timestamp;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::classify::{Alert, Category, Entry, Nature};
use crate::event::{Event, EventId, Fields, Priority, TEST_RULE, Untrusted, Value};
use crate::incident::{GroupKey, Incident, IncidentId, State};
use crate::report::Subject;
use crate::route::RouteId;

/// One row of `tests/data/report-events.ndjson`.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) alert: Alert,
}

/// Our own events, one a category and more.
pub(crate) fn samples() -> Vec<Sample> {
    let rows = include_str!("../../tests/data/report-events.ndjson");
    rows.lines()
        .map(|line| {
            let row: Json = serde_json::from_str(line).unwrap();
            let category = Category::from_id(row["category"].as_str().unwrap()).unwrap();
            let list = |key: &str| {
                row[key]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|item| item.as_str().unwrap().to_owned())
                    .collect()
            };
            let mut alert = alert(&row["event"], category);
            alert.tactics = list("tactics");
            alert.techniques = list("techniques");
            alert.entry = row["maturity"]
                .as_str()
                .map(|maturity| entry(&alert, maturity));
            Sample {
                name: row["name"].as_str().unwrap().to_owned(),
                alert,
            }
        })
        .collect()
}

/// The sample with this name.
pub(crate) fn sample(name: &str) -> Alert {
    samples()
        .into_iter()
        .find(|sample| sample.name == name)
        .unwrap()
        .alert
}

fn entry(alert: &Alert, maturity: &str) -> &'static Entry {
    Box::leak(Box::new(Entry {
        rule: alert.event.rule.raw().to_owned(),
        maturity: Some(maturity.to_owned()),
        source: "syscall".to_owned(),
        priority: alert.event.priority,
        tags: Vec::new(),
        output_fields: Vec::new(),
        category: alert.category,
        category_secondary: None,
        tactics: Vec::new(),
        techniques: Vec::new(),
        enabled_by_default: true,
    }))
}

/// The recorded events of the corpus, when it is there.
pub(crate) fn real_events() -> Option<Vec<Alert>> {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let (Ok(events), Ok(rules)) = (
        std::fs::read_to_string(format!("{shared}/corpus/real-events.ndjson")),
        std::fs::read_to_string(format!("{shared}/falco/rules.json")),
    ) else {
        println!("skipped: the corpus of recorded events is not here");
        return None;
    };
    let rules: Vec<Json> = serde_json::from_str(&rules).unwrap();
    let classified = |line: &str| {
        let event: Json = serde_json::from_str(line).unwrap();
        let rule = rules.iter().find(|rule| rule["rule"] == event["rule"]);
        let category = rule.and_then(|rule| Category::from_id(rule["category"].as_str()?));
        let fallback = match event["source"].as_str() {
            Some("internal") => Category::FalcoHealth,
            Some("k8s_audit") => Category::K8sControlPlane,
            Some("aws_cloudtrail" | "gcp_auditlog") => Category::CloudSaasControlPlane,
            _ => Category::Other,
        };
        alert(&event, category.unwrap_or(fallback))
    };
    Some(events.lines().map(classified).collect())
}

/// An alert of this category, received one second after its event.
pub(crate) fn alert(json: &Json, category: Category) -> Alert {
    let event = event(json);
    let nature = match category {
        _ if event.rule.raw() == TEST_RULE => Nature::Test,
        Category::FalcoHealth => Nature::SensorHealth,
        _ => Nature::Security,
    };
    Alert {
        id: EventId(7),
        received: event.time + jiff::SignedDuration::from_secs(1),
        category,
        severity: event.priority,
        tactics: Vec::new(),
        techniques: Vec::new(),
        nature,
        entry: None,
        runbook: None,
        event,
    }
}

fn event(json: &Json) -> Event {
    let text = |key: &str| Untrusted::new(json[key].as_str().unwrap_or_default());
    let fields = json["output_fields"].as_object().into_iter().flatten();
    Event {
        rule: text("rule"),
        priority: json["priority"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap_or(Priority::Notice),
        time: json["time"]
            .as_str()
            .and_then(|time| time.parse().ok())
            .unwrap_or(Timestamp::UNIX_EPOCH),
        output: text("output"),
        output_fields: fields
            .map(|(name, value)| (name.as_str(), value_of(value)))
            .collect::<Fields>(),
        source: text("source"),
        tags: json["tags"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tag| tag.as_str().map(Untrusted::from))
            .collect(),
        hostname: text("hostname"),
    }
}

fn value_of(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Number(number.to_string().into()),
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::List(items.iter().map(value_of).collect()),
        Json::Object(_) => Value::Json(json.to_string().into()),
    }
}

/// An incident of `count` alerts that ends with this one, 40 seconds apart.
pub(crate) fn incident(alert: &Alert, count: u32) -> Incident {
    let ago = jiff::SignedDuration::from_secs(40 * i64::from(count.saturating_sub(1)));
    let route = RouteId("0".to_owned());
    Incident {
        id: Some(IncidentId(1)),
        uid: Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001),
        key: GroupKey::new(&route, []),
        route,
        state: State::Open,
        rule: alert.event.rule.clone(),
        category: alert.category,
        nature: alert.nature,
        severity: alert.severity,
        labels: Vec::new(),
        count: u64::from(count),
        first_received: alert.received - ago,
        last_received: alert.received,
        first_time: alert.event.time - ago,
        last_time: alert.event.time,
        first_event: EventId(1),
        last_event: alert.id,
    }
}

/// A subject of one alert.
pub(crate) fn subject<'a>(incident: &'a Incident, alert: &'a Alert) -> Subject<'a> {
    Subject {
        incident,
        latest: alert,
        first: alert,
        public_url: Some("https://herald.example.com"),
        now: alert.received,
    }
}
