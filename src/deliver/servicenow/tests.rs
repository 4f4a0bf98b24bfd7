use http::Method;

use super::*;
use crate::deliver::NoticeKind;
use crate::deliver::testing::http::Taken;
use crate::deliver::testing::tracker::{Bench, Shelf, below, one, parameter, stranger};
use crate::deliver::testing::{CANARY, TIMEOUT, notice, now};
use crate::incident::State;

/// As much of the Table API as we use. Numbers are texts, and a condition on an unknown field is
/// ignored.
fn fake(taken: &Taken, incidents: &mut Shelf) -> (u16, Value) {
    // herald:canary-5f2c9e
    if let Some(stranger) = stranger(taken, "authorization", "Basic aGVyYWxkOmNhbmFyeS01ZjJjOWU=") {
        return stranger;
    }
    let Some(parts) = below(taken, "/api/now/table/incident") else {
        return (404, Value::Null);
    };
    match (&taken.parts.method, parts.as_slice()) {
        (&Method::GET, []) => {
            let query = parameter(taken, "sysparm_query").unwrap();
            let (condition, order) = query.split_once('^').unwrap();
            assert_eq!(order, "ORDERBYDESCsys_created_on");
            let marker = condition.strip_prefix("correlation_id=").unwrap();
            let shown = |of: &&Value| of["correlation_id"] == marker || !of["stray"].is_null();
            let found: Vec<_> = incidents.iter().filter(shown).cloned().collect();
            (200, json!({ "result": found }))
        }
        (&Method::POST, []) => {
            let mut incident = taken.json();
            for (field, most) in [
                ("short_description", 160),
                ("description", 4_000),
                ("correlation_id", 100),
            ] {
                let length = incident[field].as_str().unwrap().chars().count();
                assert!((1..=most).contains(&length), "{field}");
            }
            incident["sys_id"] = json!(format!("{:032x}", incidents.len() + 1));
            incident["number"] = json!(format!("INC{:07}", incidents.len() + 1));
            incident["state"] = json!("1");
            incident["notes"] = json!([]);
            incidents.push(incident.clone());
            (201, json!({ "result": incident }))
        }
        (method, [id]) => {
            let Some(incident) = one(incidents, "sys_id", id) else {
                return (404, json!({ "error": { "message": "No Record found" } }));
            };
            if method == Method::PATCH {
                let asked = taken.json();
                if incident["state"] == "7" {
                    return (403, json!({ "error": { "message": "Operation Failed" } }));
                }
                if let Some(notes) = asked["work_notes"].as_str() {
                    assert!(!notes.contains("[code]"));
                    incident["notes"].as_array_mut().unwrap().push(json!(notes));
                }
                if let Some(state) = asked["state"].as_str() {
                    assert!(state != "6" || asked["close_code"].is_string());
                    incident["state"] = json!(state);
                    incident["resolved_at"] = json!("2026-03-01 10:00:00");
                }
            }
            (200, json!({ "result": incident }))
        }
        _ => (404, Value::Null),
    }
}

async fn bench() -> Bench {
    let build = |url: &str| {
        let config = ServicenowConfig {
            url: Some(Secret::new(url)),
            user: Some("herald".to_owned()),
            token: Some(Secret::new(CANARY)),
            fields: [("assignment_group", "SOC"), ("impact", "3")]
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .into(),
            ..ServicenowConfig::default()
        };
        config.build(TIMEOUT, &Clock::manual(now())).unwrap()
    };
    Bench::start("INC0000001", fake, build).await
}

#[tokio::test]
async fn an_incident_lives_as_ours_does() {
    let mut bench = bench().await;
    bench.lives().await;
    let incident = bench.change(|incidents| incidents[0].clone());
    assert_eq!(incident["notes"].as_array().unwrap().len(), 4);
    assert_eq!(incident["assignment_group"], "SOC");
    assert_eq!(
        (&incident["urgency"], &incident["impact"]),
        (&json!("1"), &json!("3"))
    );
    assert!(
        incident["description"]
            .as_str()
            .unwrap()
            .contains("bash -c id")
    );
}

#[tokio::test]
async fn an_incident_is_found_again() {
    bench().await.is_found_again().await;
}

#[tokio::test]
async fn what_is_cancelled_or_has_such_a_code_stays_closed() {
    for (state, code) in [("8", ""), ("6", "Duplicate"), ("7", "Duplicate")] {
        let close = |incident: &mut Value| {
            incident["state"] = json!(state);
            incident["close_code"] = json!(code);
        };
        bench().await.stays_closed(close).await;
    }
}

#[tokio::test]
async fn what_is_closed_for_good_is_followed_by_a_new_one() {
    let mut bench = bench().await;
    bench.send(1, State::Open).await;
    bench.change(|incidents| incidents[0]["state"] = json!("7"));
    assert_eq!(bench.send(2, State::Open).await, "created INC0000002");
}

#[tokio::test]
async fn a_condition_that_is_ignored_creates_nothing() {
    let mut bench = bench().await;
    bench.change(|incidents| incidents.push(json!({ "stray": true })));
    let notice = notice(NoticeKind::Open);
    let error = bench.destination.send(&notice).await.unwrap_err();
    let said = "cannot search: ServiceNow does not search by correlation_id";
    assert_eq!(error.reason, said);
    bench.change(Vec::clear);
    assert_eq!(bench.send(1, State::Open).await, "created T");
}

#[tokio::test]
async fn what_servicenow_refuses_says_why() {
    bench().await.judges().await;
    bench().await.takes_hostile_reports().await;
}

#[test]
fn no_text_begins_html() {
    let document = Document::parse("`[code]<script>[/code]` and \\[code\\]");
    assert_eq!(text(&document), "`［code］‹script›［/code］` and ［code］");
}
