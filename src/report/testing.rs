//! Alerts and incidents for the tests of this module, built without the classifier.

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::classify::{Alert, Catalogue, Category, Entry, Nature};
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
            let official = Catalogue::builtin().get(alert.event.rule.raw());
            let own = || {
                row["maturity"]
                    .as_str()
                    .map(|maturity| entry(&alert, maturity))
            };
            alert.entry = official.or_else(own);
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
        hooks: Vec::new(),
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
        let mut alert = alert(&event, category.unwrap_or(fallback));
        alert.entry = Catalogue::builtin().get(alert.event.rule.raw());
        alert
    };
    Some(events.lines().map(classified).collect())
}

/// An event of an official rule with the fields that its output names.
pub(crate) fn synthetic(entry: &'static Entry) -> Alert {
    let mut fields = serde_json::Map::new();
    let usual = [
        "container.id",
        "container.name",
        "container.image.repository",
        "container.image.tag",
        "k8s.ns.name",
        "k8s.pod.name",
    ];
    let suggested = usual.iter().filter(|_| entry.source == "syscall").copied();
    for name in entry
        .output_fields
        .iter()
        .map(String::as_str)
        .chain(suggested)
    {
        fields.insert(name.to_owned(), plausible(name));
    }
    let event = json!({
        "rule": entry.rule, "priority": entry.priority.name(), "source": entry.source,
        "time": "2026-03-01T10:15:00.25Z", "hostname": "node-7", "tags": entry.tags,
        "output": format!("10:15:00.250000000: {} Something happened", entry.priority.name()),
        "output_fields": fields,
    });
    let mut alert = alert(&event, entry.category);
    alert.tactics.clone_from(&entry.tactics);
    alert.techniques.clone_from(&entry.techniques);
    alert.entry = Some(entry);
    alert
}

/// A value as the field holds it in recorded events.
fn plausible(field: &str) -> Json {
    let base = field.split('[').next().unwrap_or(field);
    match base {
        "evt.type" => "openat".into(),
        "evt.arg.flags" => "EXE_WRITABLE|EXE_LOWER_LAYER".into(),
        "evt.arg.mode" => "S_IXUSR|S_IRUSR".into(),
        "evt.res" => "SUCCESS".into(),
        "evt.args" => "domain=17(AF_PACKET) type=3 proto=768".into(),
        "user.name" | "user.loginname" | "group.name" => "root".into(),
        "user.uid" | "group.gid" => 0.into(),
        "user.loginuid" => (-1).into(),
        "proc.pid" | "thread.tid" => 4_711.into(),
        "proc.tty" => 34_816.into(),
        "proc.name" => "agent".into(),
        "proc.exepath" | "proc.pexepath" | "proc.exe" | "proc.pexe" | "proc.aexepath" => {
            "/usr/local/bin/agent".into()
        }
        "proc.pname" | "proc.aname" | "proc.sname" => "supervisor".into(),
        "proc.cmdline" => "agent --once --config /etc/agent.yaml".into(),
        "proc.pcmdline" => "supervisor -n".into(),
        "proc.cwd" => "/srv/".into(),
        "proc.exe_ino.ctime" | "proc.exe_ino.mtime" | "container.start_ts" | "evt.time" => {
            1_772_360_085_250_000_000_i64.into()
        }
        "proc.exe_ino.ctime_duration_proc_start" => 2_700_000.into(),
        "fd.name" if field == "fd.name" => "/etc/shadow".into(),
        "fd.nameraw" => "../../etc/shadow".into(),
        "fd.sport" | "fd.rport" | "fd.lport" => 443.into(),
        "fd.type" => "ipv4".into(),
        "fd.l4proto" => "tcp".into(),
        "container.id" => "3f1c0a9b7d52".into(),
        "container.image.repository" | "ka.req.pod.containers.image" => {
            "registry.example.com/shop/web".into()
        }
        "container.image.tag" => "2.4.1".into(),
        "k8s.ns.name" | "ka.target.namespace" => "shop".into(),
        "k8s.pod.name" => "web-6c8f9d7b5-x2x7k".into(),
        "ka.user.name" => "system:serviceaccount:ci:deployer".into(),
        "ka.target.resource" => "secrets".into(),
        "ka.target.name" | "ka.resp.name" => "settings".into(),
        "ka.verb" => "create".into(),
        "ka.uri" => "/api/v1/namespaces/shop/secrets".into(),
        "ka.response.code" => "201".into(),
        "ka.auth.decision" => "allow".into(),
        "fd.sip" | "fd.rip" | "fd.cip" | "fd.lip" | "ct.srcip" | "okta.client.ip"
        | "gcp.callerIP" => "203.0.113.7".into(),
        "n_evts" | "n_drops" => "120".into(),
        _ => format!("x-{}", base.rsplit('.').next().unwrap_or(base)).into(),
    }
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
        spread: crate::incident::Spread::default(),
        handled: None,
        opened: alert.received - ago,
        hushed: false,
        escalated: 0,
    }
}

/// Nothing else is known.
static NOTHING: crate::report::Nearby = crate::report::Nearby {
    lost: None,
    before: Vec::new(),
    history: None,
    hidden: Vec::new(),
    despite: Vec::new(),
};

/// A subject of one alert.
pub(crate) fn subject<'a>(incident: &'a Incident, alert: &'a Alert) -> Subject<'a> {
    Subject {
        incident,
        latest: alert,
        first: alert,
        incident_url: Some("https://herald.example.com/incidents/7/1.x"),
        nearby: &NOTHING,
        now: alert.received,
    }
}
