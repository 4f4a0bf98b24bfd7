use http::Method;

use super::*;
use crate::deliver::testing::http::Taken;
use crate::deliver::testing::tracker::{Bench, Shelf, below, one, parameter, stranger};
use crate::deliver::testing::{CANARY, TIMEOUT, now};
use crate::incident::State;

/// As much of GitLab's issues as we use. A project of its own drops labels, as for a Guest.
fn fake(taken: &Taken, issues: &mut Shelf) -> (u16, Value) {
    if let Some(stranger) = stranger(taken, "private-token", CANARY) {
        return stranger;
    }
    let Some(parts) = below(taken, "/api/v4/projects/") else {
        return (404, Value::Null);
    };
    match (&taken.parts.method, parts.as_slice()) {
        (&Method::GET, [_, "issues"]) => {
            assert_eq!(parameter(taken, "scope").unwrap(), "all");
            assert_eq!(parameter(taken, "state").unwrap(), "all");
            (200, listed(taken, issues).into())
        }
        (&Method::POST, [project @ ("acme%2Fsec" | "7"), "issues"]) => {
            let asked = taken.json();
            let title = asked["title"].as_str().unwrap();
            if !(1..=255).contains(&title.chars().count()) {
                return (400, json!({ "message": { "title": ["is too long"] } }));
            }
            assert!(!title.contains(['@', '#', '!', '~']), "{title}");
            check_text(asked["description"].as_str().unwrap());
            let guest = *project == "7";
            let labels = asked["labels"].as_str().unwrap().split(',');
            let labels: Vec<_> = labels.filter(|_| !guest).collect();
            let issue = json!({
                "id": 900 + issues.len(), "iid": issues.len() + 1, "state": "opened",
                "closed_at": null, "labels": labels, "description": asked["description"],
                "confidential": asked["confidential"], "notes": [],
            });
            issues.push(issue.clone());
            (201, issue)
        }
        (method, [_, "issues", number, rest @ ..]) => {
            let Some(issue) = one(issues, "iid", number) else {
                return (404, json!({ "message": "404 Not found" }));
            };
            match (method, rest) {
                (&Method::GET, []) => (200, issue.clone()),
                (&Method::POST, ["notes"]) => {
                    let note = taken.json()["body"].clone();
                    check_text(note.as_str().unwrap());
                    issue["notes"].as_array_mut().unwrap().push(note);
                    (201, json!({ "id": 1 }))
                }
                (&Method::PUT, []) => {
                    let event = taken.json()["state_event"].clone();
                    issue["state"] = match event.as_str().unwrap() {
                        "close" => json!("closed"),
                        "reopen" => json!("opened"),
                        _ => return (400, json!({ "error": "state_event is invalid" })),
                    };
                    issue["closed_at"] = json!(now().to_string());
                    (200, issue.clone())
                }
                _ => (404, Value::Null),
            }
        }
        _ => (404, json!({ "message": "404 Project Not Found" })),
    }
}

fn listed(taken: &Taken, issues: &Shelf) -> Vec<Value> {
    let label = parameter(taken, "labels");
    let text = parameter(taken, "search");
    let shown = |issue: &&Value| match (&label, &text) {
        (Some(label), None) => has_label(issue, label),
        (None, Some(text)) => issue["description"]
            .as_str()
            .is_some_and(|of| of.contains(text)),
        _ => unreachable!(),
    };
    issues.iter().filter(shown).cloned().collect()
}

/// No line is a quick action.
fn check_text(text: &str) {
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        assert!(fenced || !line.starts_with('/'), "{text}");
    }
    assert!(text.chars().count() <= 1_048_576);
}

async fn bench(project: &'static str) -> Bench {
    let build = |url: &str| {
        let config = GitlabConfig {
            url: Secret::new(url),
            token: Some(Secret::new(CANARY)),
            project: project.to_owned(),
            labels: vec!["falco".to_owned(), "security".to_owned()],
            ..GitlabConfig::default()
        };
        config.build(TIMEOUT, &Clock::manual(now())).unwrap()
    };
    Bench::start("#1", fake, build).await
}

const BOTH: [&str; 2] = ["acme/sec", "7"];

#[tokio::test]
async fn an_issue_lives_as_its_incident_does() {
    for project in BOTH {
        let mut bench = bench(project).await;
        bench.lives().await;
        let issue = bench.change(|issues| issues[0].clone());
        assert_eq!(issue["notes"].as_array().unwrap().len(), 4);
        assert_eq!(issue["confidential"], true);
    }
}

#[tokio::test]
async fn an_issue_is_found_by_its_label_or_by_its_first_line() {
    for project in BOTH {
        bench(project).await.is_found_again().await;
    }
    let mut bench = bench("7").await;
    bench.send(1, State::Open).await;
    bench.change(|issues| {
        let text = issues[0]["description"].as_str().unwrap();
        issues[0]["description"] = json!(format!("quoted: {text}"));
    });
    bench.forget();
    assert_eq!(bench.send(1, State::Open).await, "created #2");
}

#[tokio::test]
async fn an_issue_with_the_label_stays_closed() {
    let close = |issue: &mut Value| {
        issue["state"] = json!("closed");
        issue["labels"] = json!(["wontfix"]);
    };
    bench("acme/sec").await.stays_closed(close).await;
}

#[tokio::test]
async fn what_gitlab_refuses_says_why() {
    bench("acme/sec").await.judges().await;
    bench("acme/sec").await.takes_hostile_titles().await;
}

#[test]
fn a_project_is_a_number_or_a_path() {
    for (project, fits) in [
        ("7", true),
        ("acme/sub/sec-1.x", true),
        ("", false),
        ("acme//sec", false),
        ("../sec", false),
        ("acme/sec?x", false),
    ] {
        let config = GitlabConfig {
            token: Some(Secret::new(CANARY)),
            project: project.to_owned(),
            ..GitlabConfig::default()
        };
        let built = config.build(TIMEOUT, &Clock::manual(now()));
        assert_eq!(built.is_ok(), fits, "{project}");
    }
}
