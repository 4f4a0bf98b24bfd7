//! Issues in jira820, an imitation of Jira Data Center that others wrote. It forgives much, so this
//! shows that the calls fit together, and not that a real Jira takes them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::tickets::{Ticket, Tracker, one_ticket_ever};
use super::{Process, free_port, located, root};
use crate::support::{client, until};

struct Jira {
    _process: Process,
    url: String,
}

impl Jira {
    async fn start(folder: &Path) -> Option<Self> {
        let program = located("jira820", "jira/bin/python")?;
        let port = free_port().to_string();
        let process = Process::start(
            Command::new(program)
                .arg(root().join("tests/peers/jira_center.py"))
                .arg(&port),
            folder.join("jira.log"),
        );
        let jira = Self {
            _process: process,
            url: format!("http://127.0.0.1:{port}"),
        };
        until("jira820 answers", async || {
            let get = client().get(format!("{}/rest/api/2/serverInfo", jira.url));
            get.send().await.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        Some(jira)
    }

    async fn read(&self, path: &str) -> Value {
        let get = client().get(format!("{}/rest/api/2/{path}", self.url));
        let answer = get.send().await.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap()
    }
}

impl Tracker for Jira {
    fn url(&self) -> &str {
        &self.url
    }

    fn destination(&self, url: &str) -> String {
        format!("jira: {{ url: '{url}', token: secret, project: SEC, labels: [herald] }}")
    }

    async fn tickets(&self) -> Vec<Ticket> {
        // It comes with issues of its own.
        let mut found = self
            .read("search?jql=labels%20%3D%20herald&fields=status")
            .await;
        let mut tickets = Vec::new();
        for issue in found["issues"].as_array_mut().unwrap() {
            let key = issue["key"].as_str().unwrap();
            let comments = self.read(&format!("issue/{key}/comment")).await;
            let comments = comments["comments"].as_array().unwrap().iter();
            let text = |comment: &Value| comment["body"].as_str().unwrap().to_owned();
            tickets.push(Ticket {
                id: key.to_owned(),
                open: issue["fields"]["status"]["statusCategory"]["key"] != "done",
                comments: comments.map(text).collect(),
            });
        }
        tickets
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jira820_has_one_issue_through_a_crash_updates_close_and_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let Some(jira) = Jira::start(folder.path()).await else {
        return;
    };
    let issue = one_ticket_ever(&jira, folder.path()).await;
    let issue = jira
        .read(&format!("issue/{}?expand=renderedFields", issue.id))
        .await;
    let labels = issue["fields"]["labels"].as_array().unwrap();
    let marked = |label: &&Value| label.as_str().unwrap().starts_with("falco-herald-");
    assert_eq!(labels.iter().filter(marked).count(), 1, "{labels:?}");
    let shown = issue["renderedFields"]["description"].as_str().unwrap();
    assert!(shown.contains("Evidence"), "{shown}");
    for live in ["<script", "<img", "href=\"http://evil", "href=http"] {
        assert!(!shown.contains(live), "{live}: {shown}");
    }
}
