use http::Method;

use super::*;
use crate::deliver::testing::http::Taken;
use crate::deliver::testing::tracker::{Bench, Shelf, below, one, parameter, stranger};
use crate::deliver::testing::{CANARY, TIMEOUT, now};
use crate::incident::State;

/// As much of RT 5.0.3 as we use: what it drops, cuts and refuses in its own way.
fn fake(taken: &Taken, tickets: &mut Shelf) -> (u16, Value) {
    if let Some(stranger) = stranger(taken, "authorization", &format!("token {CANARY}")) {
        return stranger;
    }
    let Some(parts) = below(taken, "/REST/2.0/") else {
        return (404, Value::Null);
    };
    match (&taken.parts.method, parts.as_slice()) {
        (&Method::GET, ["queue", "Sec%20Ops"]) => {
            let field = json!({ "type": "customfield", "name": "Falco Herald", "id": "2" });
            (
                200,
                json!({ "Name": "Sec Ops", "TicketCustomFields": [field] }),
            )
        }
        (&Method::GET, ["tickets"]) => {
            let found = found(&parameter(taken, "query").unwrap(), tickets);
            (200, json!({ "items": found, "total": 1 }))
        }
        (&Method::POST, ["ticket"]) => {
            let asked = taken.json();
            if asked["Queue"] != "Sec Ops" {
                return (403, json!({ "message": "No permission" }));
            }
            assert!((1..=200).contains(&asked["Subject"].as_str().unwrap().chars().count()));
            assert_eq!(asked["ContentType"], "text/html");
            let id = (tickets.len() + 1).to_string();
            tickets.push(json!({
                "id": id, "Status": "new", "Resolved": "1970-01-01T00:00:00Z", "comments": [],
                "marker": asked["CustomFields"]["Falco Herald"], "content": asked["Content"],
            }));
            (201, json!({ "type": "ticket", "id": id }))
        }
        (method, ["ticket", id, rest @ ..]) => {
            let Some(ticket) = one(tickets, "id", id) else {
                return (404, json!({ "message": "Not Found" }));
            };
            let asked = taken.json();
            match (method, rest) {
                (&Method::POST, ["comment"]) => {
                    assert_eq!(asked["ContentType"], "text/html");
                    ticket["comments"]
                        .as_array_mut()
                        .unwrap()
                        .push(asked["Content"].clone());
                    (201, json!(["Comments added"]))
                }
                (&Method::PUT, []) => {
                    let known = ["open", "resolved"]
                        .iter()
                        .any(|name| asked["Status"] == *name);
                    if !known || !ticket["locked"].is_null() {
                        return (200, json!(["Ticket 1: Permission Denied"]));
                    }
                    ticket["Status"] = asked["Status"].clone();
                    ticket["Resolved"] = json!(now().to_string());
                    (200, json!(["Ticket 1: Status changed"]))
                }
                _ => (404, Value::Null),
            }
        }
        _ => (404, Value::Null),
    }
}

/// Two forms of `TicketSQL`, and no other.
fn found(query: &str, tickets: &Shelf) -> Vec<Value> {
    let (condition, status) = query.split_once(" AND Status = ").unwrap();
    let active = match status {
        "'__Active__'" => true,
        "'__Inactive__'" => false,
        _ => unreachable!("{query}"),
    };
    // A field that the queue does not have is one that no ticket has.
    let by_field = condition.replace("CF.{Other}", "CF.{Falco Herald}");
    let by_field = by_field.strip_prefix("Queue = 'Sec Ops' AND CF.{Falco Herald} = '");
    let (key, value) = match by_field {
        Some(marker) => ("marker", marker.trim_end_matches('\'')),
        None => ("id", condition.strip_prefix("id = ").unwrap()),
    };
    let is = |ticket: &&Value| {
        let inactive = ["resolved", "rejected"];
        let is_active = !inactive.iter().any(|name| ticket["Status"] == *name);
        ticket[key] == value && is_active == active
    };
    tickets.iter().filter(is).cloned().collect()
}

fn config(url: &str) -> RtConfig {
    RtConfig {
        url: Some(Secret::new(url)),
        token: Some(Secret::new(CANARY)),
        queue: "Sec Ops".to_owned(),
        ..RtConfig::default()
    }
}

async fn bench(marker_field: &'static str) -> Bench {
    let build = |url: &str| {
        let config = RtConfig {
            marker_field: marker_field.to_owned(),
            ..config(url)
        };
        config.build(TIMEOUT, &Clock::manual(now())).unwrap()
    };
    Bench::start("#1", fake, build).await
}

const FIELD: &str = "Falco Herald";

#[tokio::test]
async fn a_ticket_lives_as_its_incident_does() {
    let mut bench = bench(FIELD).await;
    bench.lives().await;
    let ticket = bench.change(|tickets| tickets[0].clone());
    assert_eq!(ticket["comments"].as_array().unwrap().len(), 4);
    assert!(
        ticket["content"]
            .as_str()
            .unwrap()
            .contains("What happened")
    );
}

#[tokio::test]
async fn a_ticket_is_found_again_and_a_rejected_one_stays_closed() {
    bench(FIELD).await.is_found_again().await;
    let reject = |ticket: &mut Value| ticket["Status"] = json!("rejected");
    bench(FIELD).await.stays_closed(reject).await;
}

#[tokio::test]
async fn what_rt_refuses_says_why() {
    bench(FIELD).await.judges().await;
    bench(FIELD).await.takes_hostile_titles().await;
}

#[tokio::test]
async fn without_the_field_in_the_queue_nothing_is_created() {
    let mut bench = bench("Other").await;
    bench.change(Vec::clear);
    let said = bench.refused(State::Open).await;
    assert_eq!(
        said,
        "the queue has no custom field `Other` that this user sees"
    );
    assert_eq!(bench.change(|tickets| tickets.len()), 0);
}

#[tokio::test]
async fn a_refusal_in_an_answer_of_200_is_seen() {
    let mut bench = bench(FIELD).await;
    bench.send(1, State::Open).await;
    bench.change(|tickets| tickets[0]["locked"] = json!(true));
    let said = bench.refused(State::Closed).await;
    assert_eq!(said, "RT does not let this user change the status");
}

#[test]
fn names_do_not_leave_their_quotes() {
    for queue in ["", "a' OR id > 0", "../x", "a}b"] {
        let config = RtConfig {
            queue: queue.to_owned(),
            ..config("http://rt")
        };
        let built = config.build(TIMEOUT, &Clock::manual(now()));
        assert!(built.is_err(), "{queue}");
    }
}
