//! Tickets in a real Redmine.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::tickets::{Ticket, Tracker, crashed, live_check, one_ticket_ever, told};
use super::{Process, hostile, located, post, root};
use crate::support::{client, until};

const PROJECT: &str = "sec";

/// A running Redmine with a database of this test's own.
struct Redmine {
    _process: Process,
    url: String,
    key: String,
    /// More settings of the destination.
    more: String,
}

impl Redmine {
    /// One thread, so one request at a time: of two that write at once `SQLite` fails one, however
    /// long it may wait, because Rails begins by reading and each then waits for the other.
    async fn start(folder: &Path) -> Option<Self> {
        let database = located("Redmine", "redmine/redmine.db")?;
        let facts = std::fs::read(database.with_file_name("facts.json")).unwrap();
        let facts: Value = serde_json::from_slice(&facts).unwrap();
        let home = folder.join("redmine");
        std::fs::create_dir(&home).unwrap();
        std::fs::copy(database, home.join("redmine.db")).unwrap();
        let process = Process::start(
            Command::new(root().join("tests/peers/redmine"))
                .arg(&home)
                .args(["puma", "-e", "production", "-t", "1:1", "config.ru"])
                .args(["-b", "tcp://127.0.0.1:0"]),
            folder.join("redmine.log"),
        );
        let mut url = None;
        until("Redmine listens", async || {
            let written = process.written();
            let mut listening = written
                .lines()
                .filter_map(|line| line.strip_prefix("* Listening on "));
            url = listening.next().map(str::to_owned);
            url.is_some()
        })
        .await;
        Some(Self {
            _process: process,
            url: url.unwrap(),
            key: facts["key"].as_str().unwrap().to_owned(),
            more: format!(", marker_field: {}, private_notes: true", facts["field"]),
        })
    }

    async fn text(&self, path: &str) -> String {
        let get = client().get(format!("{}{path}", self.url));
        let answer = get.header("x-redmine-api-key", &self.key).send().await;
        let answer = answer.unwrap().error_for_status().unwrap();
        answer.text().await.unwrap()
    }

    async fn read(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path).await).unwrap()
    }
}

impl Tracker for Redmine {
    fn url(&self) -> &str {
        &self.url
    }

    fn destination(&self, url: &str) -> String {
        let Self { key, more, .. } = self;
        format!("redmine: {{ url: '{url}', api_key: '{key}', project: {PROJECT}{more} }}")
    }

    async fn tickets(&self) -> Vec<Ticket> {
        let listed = self.read("/issues.json?status_id=*&sort=id").await;
        let mut tickets = Vec::new();
        for issue in listed["issues"].as_array().unwrap() {
            let path = format!("/issues/{}.json?include=journals", issue["id"]);
            let issue = self.read(&path).await["issue"].take();
            let journals = issue["journals"].as_array().unwrap().iter();
            let notes = journals.filter_map(|journal| journal["notes"].as_str());
            tickets.push(Ticket {
                id: issue["id"].to_string(),
                open: issue["status"]["name"] == "New",
                comments: notes
                    .filter(|notes| !notes.is_empty())
                    .map(str::to_owned)
                    .collect(),
            });
        }
        tickets
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redmine_has_one_issue_through_a_crash_updates_close_and_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let Some(redmine) = Redmine::start(folder.path()).await else {
        return;
    };
    let issue = one_ticket_ever(&redmine, folder.path()).await;
    let checked = live_check(folder.path());
    assert!(checked.contains("tickets: ok, tickets can be"), "{checked}");

    // As Redmine shows it, nothing of the event does anything.
    let page = redmine.text(&format!("/issues/{}", issue.id)).await;
    assert!(page.contains("falco-herald-"), "{page}");
    for live in [
        "<script>alert",
        "<img src=http",
        "src=\"http://evil",
        "href=\"http://evil",
        "href=http://evil",
        "class=\"wiki-page",
    ] {
        assert!(!page.contains(live), "{live}: {page}");
    }
    let texts = page.split("<div class=\"wiki\">").skip(1);
    for text in texts.map(|rest| rest.split("</div>").next().unwrap()) {
        assert!(!text.contains("/users/"), "a mention: {text}");
        assert!(!text.contains("href=\"/issues/1\""), "an issue: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_redmine_the_description_tells_without_a_field_and_what_is_rejected_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut redmine) = Redmine::start(folder.path()).await else {
        return;
    };
    redmine.more.clear();
    let service = crashed(&redmine, folder.path()).await;
    let id = redmine.ticket().await.id;
    let rejected = json!({ "issue": { "status_id": 6 } });
    let put = client().put(format!("{}/issues/{id}.json", redmine.url));
    let put = put.header("x-redmine-api-key", &redmine.key);
    let answer = put.json(&rejected).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    post(&service, &hostile()).await;
    told(&service, 1, "left alone").await;
    let issue = redmine.read(&format!("/issues/{id}.json")).await;
    assert_eq!(issue["issue"]["status"]["name"], "Rejected");
    assert_eq!(redmine.ticket().await.comments.len(), 1);
}
