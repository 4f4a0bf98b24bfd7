//! Tickets in a real Redmine: one open ticket, whatever happens in between. Skipped where
//! `tests/peers/install-redmine` has not been run.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::proxy::Proxy;
use crate::support::{Service, api, client, until};

/// A running Redmine with a project of this test's own.
struct Redmine {
    child: Child,
    url: String,
    key: String,
    field: u64,
    project: String,
}

impl Redmine {
    async fn start() -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let Ok(installed) = std::fs::read_to_string(root.join("target/peers/redmine.json")) else {
            println!("skipped: Redmine is not here; tests/peers/install-redmine brings it");
            return None;
        };
        let installed: Value = serde_json::from_str(&installed).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new(root.join("tests/peers/redmine"))
            .args(["puma", "-e", "production", "-t", "1:4", "-b"])
            .arg(format!("tcp://{address}"))
            .arg("config.ru")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let redmine = Self {
            child,
            url: format!("http://{address}"),
            key: installed["key"].as_str().unwrap().to_owned(),
            field: installed["field"].as_u64().unwrap(),
            project: format!("t{}", uuid::Uuid::now_v7().simple()),
        };
        until("Redmine answers", async || {
            let answer = redmine.ask("/issue_statuses.json").send().await;
            answer.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        let project = json!({
            "project": {
                "name": redmine.project,
                "identifier": redmine.project,
                "enabled_module_names": ["issue_tracking"],
            },
        });
        until("the project is there", async || {
            let post = client().post(format!("{}/projects.json", redmine.url));
            let post = post.header("x-redmine-api-key", &redmine.key);
            let made = post.json(&project).send().await.unwrap();
            made.status() == 201
        })
        .await;
        Some(redmine)
    }

    fn ask(&self, path: &str) -> reqwest::RequestBuilder {
        let get = client().get(format!("{}{path}", self.url));
        get.header("x-redmine-api-key", &self.key)
    }

    /// `SQLite` fails one of two requests that write at once, so a failure is asked again.
    async fn text(&self, path: &str) -> String {
        let mut read = String::new();
        until("Redmine answers", async || {
            let answer = self.ask(path).send().await.unwrap();
            let fine = answer.status() == 200;
            if fine {
                read = answer.text().await.unwrap();
            }
            fine
        })
        .await;
        read
    }

    async fn read(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path).await).unwrap()
    }

    /// Every issue of the project with its comments.
    async fn issues(&self) -> Vec<Value> {
        let path = format!(
            "/issues.json?project_id={}&status_id=*&sort=id",
            self.project
        );
        let listed = self.read(&path).await;
        let mut issues = Vec::new();
        for issue in listed["issues"].as_array().unwrap() {
            let path = format!("/issues/{}.json?include=journals", issue["id"]);
            issues.push(self.read(&path).await["issue"].clone());
        }
        issues
    }

    /// The one issue that there is.
    async fn issue(&self) -> Value {
        let mut issues = self.issues().await;
        assert_eq!(issues.len(), 1, "{issues:?}");
        issues.remove(0)
    }

    fn config(&self, url: &str, more: &str) -> String {
        format!(
            "destinations:\n\
             \x20 tickets:\n\
             \x20   redmine: {{ url: '{url}', api_key: '{}', project: {}{more} }}\n\
             \x20   delivery: {{ interval: 0s, retry_initial: 20ms, retry_max: 1s }}\n\
             route: {{ to: [tickets], group_by: [rule], group_interval: 0s }}\n",
            self.key, self.project
        )
    }
}

impl Drop for Redmine {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn notes(issue: &Value) -> Vec<String> {
    let journals = issue["journals"].as_array().unwrap().iter();
    let notes = journals.filter_map(|journal| journal["notes"].as_str());
    notes
        .filter(|notes| !notes.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What Redmine would act on: an image, an issue, a user, a script, the end of a block.
const HOSTILE: &str = "!http://evil.example/x.png! #1 @admin user:admin <script>alert(1)</script> \
                       </code></pre> {{include(x)}} [[wiki]] \"a\":http://evil.example |a|b|";

async fn post(service: &Service, count: usize) {
    let event = json!({
        "rule": HOSTILE, "priority": "Critical", "time": "2026-03-01T10:15:00Z", "hostname": "n",
        "output": HOSTILE, "source": "syscall",
        "output_fields": { "proc.name": "sh", "proc.cmdline": HOSTILE },
    });
    for _ in 0..count {
        let post = client().post(format!("http://{}/", service.events));
        let answer = post.body(event.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

async fn act(service: &Service, what: &str) {
    let incidents = api(service, "incidents").await;
    let uid = incidents[0]["uid"].as_str().unwrap();
    let url = format!("http://{}/api/v1/incidents/{uid}/{what}", service.admin);
    let done = client().post(url).json(&json!({ "by": "kim" }));
    let done = done.send().await.unwrap();
    assert!(done.status().is_success(), "{}", done.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_issue_stays_one_through_a_crash_updates_close_and_reopening() {
    let Some(redmine) = Redmine::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(&redmine.url).await;
    let field = format!(", marker_field: {}, private_notes: true", redmine.field);
    let config = redmine.config(&proxy.url, &field);
    let service = Service::start(folder.path(), &config);
    proxy.swallow_the_next_post();
    post(&service, 1).await;
    until("the issue is made", async || proxy.has_swallowed()).await;
    service.kill();
    assert_eq!(notes(&redmine.issue().await).len(), 0);

    let service = Service::start(folder.path(), &config);
    until("the issue is found again", async || {
        notes(&redmine.issue().await).len() == 1
    })
    .await;
    post(&service, 1).await;
    until("the news is there", async || {
        notes(&redmine.issue().await).len() == 2
    })
    .await;
    act(&service, "close").await;
    until("the issue is closed", async || {
        redmine.issue().await["status"]["name"] == "Closed"
    })
    .await;
    assert!(notes(&redmine.issue().await)[2].starts_with("Closed by kim"));
    post(&service, 1).await;
    until("the issue is open again", async || {
        let issue = redmine.issue().await;
        issue["status"]["name"] == "New" && notes(&issue).len() == 4
    })
    .await;

    // As Redmine shows it, nothing of the event does anything.
    let path = format!("/issues/{}", redmine.issue().await["id"]);
    let page = redmine.text(&path).await;
    assert!(page.contains("falco-herald-"), "{page}");
    for live in [
        "<script>alert",
        "src=\"http://evil",
        "href=\"http://evil",
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
async fn without_a_field_the_description_tells_and_what_is_rejected_stays_so() {
    let Some(redmine) = Redmine::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(&redmine.url).await;
    let config = redmine.config(&proxy.url, "");
    let service = Service::start(folder.path(), &config);
    proxy.swallow_the_next_post();
    post(&service, 1).await;
    until("the issue is made", async || proxy.has_swallowed()).await;
    service.kill();
    let service = Service::start(folder.path(), &config);
    until("the issue is found again", async || {
        notes(&redmine.issue().await).len() == 1
    })
    .await;
    let id = redmine.issue().await["id"].clone();
    let rejected = json!({ "issue": { "status_id": 6 } });
    until("it is rejected", async || {
        let put = client().put(format!("{}/issues/{id}.json", redmine.url));
        let put = put.header("x-redmine-api-key", &redmine.key);
        let answer = put.json(&rejected).send().await.unwrap();
        answer.status() == 204
    })
    .await;
    post(&service, 5).await;
    until("everything is told", async || {
        let deliveries = api(&service, "deliveries").await;
        let mut deliveries = deliveries.as_array().unwrap().iter();
        let left = |of: &Value| {
            let detail = of["detail"].as_str();
            detail.is_some_and(|detail| detail.starts_with("left alone"))
        };
        deliveries.any(left)
    })
    .await;
    let issue = redmine.issue().await;
    assert_eq!(issue["status"]["name"], "Rejected");
    assert_eq!(notes(&issue).len(), 1);
}
