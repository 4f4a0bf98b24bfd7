//! Tickets in a real Request Tracker.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::tickets::{Ticket, Tracker, live_check, one_ticket_ever};
use super::{Process, free_port, located, root};
use crate::support::{client, until};

/// A running RT with a database of this test's own.
struct Rt {
    _process: Process,
    url: String,
}

impl Rt {
    async fn start(folder: &Path) -> Option<Self> {
        let database = located("Request Tracker", "rt/rt.db")?;
        let (home, port) = (folder.join("rt"), free_port().to_string());
        std::fs::create_dir(&home).unwrap();
        std::fs::copy(database, home.join("rt.db")).unwrap();
        let process = Process::start(
            Command::new(root().join("tests/peers/rt"))
                .arg(&home)
                .arg(&port)
                .arg("/usr/share/request-tracker5/libexec/rt-server")
                .args(["--server", "Standalone", "--host", "127.0.0.1", "--port"])
                .arg(&port),
            folder.join("rt.log"),
        );
        let rt = Self {
            _process: process,
            url: format!("http://127.0.0.1:{port}"),
        };
        until("RT answers", async || {
            let answer = rt.ask("/REST/2.0/rt").send().await;
            answer.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        Some(rt)
    }

    fn ask(&self, path: &str) -> reqwest::RequestBuilder {
        let get = client().get(format!("{}{path}", self.url));
        get.basic_auth("root", Some("password"))
    }

    async fn items(&self, path: &str) -> Vec<Value> {
        let answer = self.ask(&format!("/REST/2.0/{path}")).send().await.unwrap();
        let mut answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
        serde_json::from_value(answer["items"].take()).unwrap()
    }

    /// A ticket as a person sees it.
    async fn page(&self, id: &str) -> String {
        let login = client().post(format!("{}/NoAuth/Login.html", self.url));
        let form = "application/x-www-form-urlencoded";
        let login = login.header("content-type", form);
        let answer = login.body("user=root&pass=password").send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap();
        let page = client().get(format!("{}/Ticket/Display.html?id={id}", self.url));
        let page = page.header("cookie", cookie).send().await.unwrap();
        page.error_for_status().unwrap().text().await.unwrap()
    }
}

impl Tracker for Rt {
    fn url(&self) -> &str {
        &self.url
    }

    fn destination(&self, url: &str) -> String {
        format!("rt: {{ url: '{url}', user: root, token: password, queue: General }}")
    }

    async fn tickets(&self) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        for ticket in self.items("tickets?query=id>0&fields=Status").await {
            let id = ticket["id"].as_str().unwrap();
            let texts = format!("ticket/{id}/attachments?fields=Content&per_page=100");
            let texts = self.items(&texts).await;
            let text = |of: &Value| of["Content"].as_str().unwrap().to_owned();
            tickets.push(Ticket {
                id: id.to_owned(),
                open: ticket["Status"] == "new" || ticket["Status"] == "open",
                // The first is the description.
                comments: texts.iter().skip(1).map(text).collect(),
            });
        }
        tickets
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_tracker_has_one_ticket_through_a_crash_updates_close_and_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let Some(rt) = Rt::start(folder.path()).await else {
        return;
    };
    let ticket = one_ticket_ever(&rt, folder.path()).await;
    let checked = live_check(folder.path());
    assert!(checked.contains("tickets: ok, tickets can be"), "{checked}");

    // As RT shows it, the marker is there and nothing of the event does anything.
    let page = rt.page(&ticket.id).await;
    let field = page.split("Falco Herald:").nth(1);
    let field = field.unwrap_or_else(|| panic!("no marker: {page}"));
    let marker = field.find("falco-herald-").expect("the marker has a value");
    assert!(marker < 400, "{field}");
    for live in [
        "<script>alert",
        "<img src=http",
        "src=\"http://evil",
        "href=\"http://evil",
        "href=http://evil",
    ] {
        assert!(!page.contains(live), "{live}: {page}");
    }
}
