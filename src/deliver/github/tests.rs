use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::deliver::testing::http::{Peer, Planned, Taken};
use crate::deliver::testing::{CANARY, TIMEOUT, notice, now};
use crate::deliver::{NoticeKind, Verdict};
use crate::incident::State;

/// As much of GitHub's issues as we use: state, labels, comments, and the limits of its schema.
#[derive(Clone, Debug, Default)]
struct Fake(Arc<Mutex<Vec<Value>>>);

impl Fake {
    fn reply(&self, taken: &Taken) -> (u16, String) {
        let (status, body) = self.answer(taken);
        (status, body.to_string())
    }

    fn answer(&self, taken: &Taken) -> (u16, Value) {
        let issues = &mut *self.0.lock().unwrap();
        let path = taken.parts.uri.path();
        if taken.parts.headers["authorization"] != format!("Bearer {CANARY}") {
            return (401, json!({ "message": "Bad credentials" }));
        }
        let invalid = (422, json!({ "message": "Validation Failed" }));
        let Some(below) = path.strip_prefix("/repos/acme/sec/issues") else {
            let searched = path == "/search/issues";
            return if searched {
                (200, json!({ "total_count": 0, "items": [] }))
            } else {
                (404, json!({ "message": "Not Found" }))
            };
        };
        let parts: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
        match (&taken.parts.method, parts.as_slice()) {
            (&Method::GET, []) => {
                let query = taken.parts.uri.query().unwrap();
                assert!(query.starts_with("state=all&labels="), "{query}");
                let label = query.split(['=', '&']).nth(3).unwrap();
                let has = |issue: &&Value| {
                    issue["labels"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .any(|has| has["name"] == label)
                };
                (200, issues.iter().filter(has).cloned().collect())
            }
            (&Method::POST, []) => {
                let asked = taken.json();
                let (Some(title), Some(body)) = (asked["title"].as_str(), asked["body"].as_str())
                else {
                    return invalid;
                };
                if title.chars().count() > 256 || title.is_empty() || body.len() > 65_536 {
                    return invalid;
                }
                let labels: Vec<_> = asked["labels"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|name| {
                        assert!(name.as_str().unwrap().len() <= 50);
                        json!({ "name": name })
                    })
                    .collect();
                let issue = json!({
                    "number": issues.len() + 1, "title": title, "body": body, "labels": labels,
                    "state": "open", "state_reason": null, "closed_at": null, "comments": [],
                });
                issues.push(issue.clone());
                (201, issue)
            }
            (method, [number, rest @ ..]) => {
                let number: usize = number.parse().unwrap();
                let Some(issue) = issues.get_mut(number - 1) else {
                    return (404, json!({ "message": "Not Found" }));
                };
                match (method, rest) {
                    (&Method::GET, []) => (200, issue.clone()),
                    (&Method::PATCH, []) => {
                        let asked = taken.json();
                        let reasons = ["completed", "not_planned", "reopened"];
                        if !reasons
                            .iter()
                            .any(|reason| asked["state_reason"] == *reason)
                        {
                            return invalid;
                        }
                        issue["state"] = asked["state"].clone();
                        issue["closed_at"] = json!(now().to_string());
                        (200, issue.clone())
                    }
                    (&Method::POST, ["comments"]) => {
                        issue["comments"]
                            .as_array_mut()
                            .unwrap()
                            .push(taken.json()["body"].clone());
                        (201, json!({ "id": 1 }))
                    }
                    _ => (404, json!({})),
                }
            }
            _ => (404, json!({})),
        }
    }
}

async fn start() -> (Fake, Peer, Arc<dyn Destination>) {
    let fake = Fake::default();
    let replies = fake.clone();
    let peer = Peer::replying(move |taken| replies.reply(taken)).await;
    let config = GithubConfig {
        repository: "acme/sec".to_owned(),
        token: Some(Secret::new(CANARY.to_owned())),
        labels: vec!["security".to_owned()],
        api_url: Some(Secret::new(peer.url.clone())),
        ..GithubConfig::default()
    };
    let github = config.build(TIMEOUT, &Clock::manual(now())).unwrap();
    (fake, peer, github)
}

#[tokio::test]
async fn an_issue_lives_as_its_incident_does() {
    let (fake, peer, github) = start().await;
    let mut notice = notice(NoticeKind::Open);
    peer.plan([Planned::with(403, "retry-after", "7")]);
    let error = github.send(&notice).await.unwrap_err();
    let after = Some(Duration::from_secs(7));
    assert_eq!(error.verdict, Verdict::Retry { after });
    for (count, state, said) in [
        (1, State::Open, "created #1"),
        (2, State::Open, "commented on #1"),
        (3, State::Open, "counted, without a new comment, for #1"),
        (3, State::Acknowledged, "commented on #1"),
        (3, State::Closed, "closed #1"),
        (4, State::Open, "opened again: #1"),
    ] {
        notice.incident.count = count;
        notice.incident.state = state;
        let receipt = github.send(&notice).await.unwrap();
        assert_eq!(receipt.detail, said);
        notice.remote = receipt.remote;
    }
    let issues = fake.0.lock().unwrap();
    assert_eq!(issues.len(), 1);
    let labels = &issues[0]["labels"];
    let marker = labels[0]["name"].as_str().unwrap();
    assert!(
        issues[0]["body"]
            .as_str()
            .unwrap()
            .starts_with(&format!("<!-- {marker} -->"))
    );
    assert_eq!(labels[1]["name"], "security");
    assert_eq!(issues[0]["comments"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn an_issue_closed_as_not_planned_stays_closed() {
    let (fake, _peer, github) = start().await;
    let mut notice = notice(NoticeKind::Open);
    notice.remote = github.send(&notice).await.unwrap().remote;
    {
        let issue = &mut fake.0.lock().unwrap()[0];
        issue["state"] = json!("closed");
        issue["state_reason"] = json!("not_planned");
        issue["closed_at"] = json!(now().to_string());
    }
    notice.incident.count = 99;
    let said = github.send(&notice).await.unwrap().detail;
    assert_eq!(said, "left alone, because it is not to be done: #1");
}

#[tokio::test]
async fn without_its_label_an_issue_is_found_by_its_first_line_and_no_other() {
    let (fake, peer, github) = start().await;
    let mut notice = notice(NoticeKind::Open);
    github.send(&notice).await.unwrap();
    let issue = fake.0.lock().unwrap()[0].clone();
    let mut quoting = issue.clone();
    quoting["number"] = json!(7);
    quoting["body"] = json!(format!("see {}", issue["body"].as_str().unwrap()));
    notice.incident.count = 1;
    for (found, said) in [
        (json!([quoting.clone(), issue]), "commented on #1"),
        (json!([quoting]), "created #1"),
    ] {
        let found = json!({ "total_count": 1, "items": found });
        peer.plan([
            Planned::status(200, "[]"),
            Planned::status(200, &found.to_string()),
        ]);
        assert_eq!(github.send(&notice).await.unwrap().detail, said);
        fake.0.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn what_github_refuses_says_why_and_holds_no_secret() {
    for (status, reason) in [
        (401, "GitHub does not know the token"),
        (403, "GitHub does not let the token write issues"),
        (404, "GitHub shows the token no such repository or issue"),
    ] {
        let (_fake, peer, github) = start().await;
        peer.plan([Planned::status(status, CANARY)]);
        let error = github.send(&notice(NoticeKind::Open)).await.unwrap_err();
        assert_eq!(
            (error.reason.as_str(), error.verdict),
            (reason, Verdict::Fail)
        );
        assert!(!format!("{github:?} {error:?}").contains(CANARY));
        assert!(!format!("{github:?} {error:?}").contains(&peer.url));
    }
    for repository in ["", "acme", "acme/sec/x", "acme/s c", "acme/../x"] {
        let config = GithubConfig {
            repository: repository.to_owned(),
            token: Some(Secret::new(CANARY.to_owned())),
            ..GithubConfig::default()
        };
        assert!(
            config.build(TIMEOUT, &Clock::manual(now())).is_err(),
            "{repository}"
        );
    }
}
