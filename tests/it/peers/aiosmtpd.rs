//! Mail to a real SMTP server, beside a chat and a webhook that are told the same.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use mail_parser::MessageParser;
use serde_json::Value;

use super::{certify, located, root};
use crate::support::sink::Sink;
use crate::support::{Service, api, client, is_told, recorded, until};

/// aiosmtpd, with STARTTLS and a login.
struct Mail {
    child: Child,
    _stdin: ChildStdin,
    port: u16,
    mails: Arc<Mutex<Vec<Value>>>,
}

impl Mail {
    fn start(folder: &Path, password: &str) -> Option<Self> {
        let python = located("aiosmtpd", "bin/python")?;
        certify(folder);
        let mut child = Command::new(python)
            .arg(root().join("tests/peers/mail.py"))
            .args([folder.join("mail.pem"), folder.join("mail.key")])
            .arg(password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let mails: Arc<Mutex<Vec<Value>>> = Arc::default();
        let seen = Arc::clone(&mails);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mail = serde_json::from_str(&line).unwrap();
                seen.lock().unwrap().push(mail);
            }
        });
        Some(Self {
            child,
            _stdin: stdin,
            port,
            mails,
        })
    }

    fn mails(&self) -> Vec<Value> {
        self.mails.lock().unwrap().clone()
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The recorded events, or our own samples where the corpus is not here.
fn events() -> Vec<String> {
    recorded().unwrap_or_else(|| {
        println!("the corpus of recorded events is not here; our own samples stand in");
        let samples = include_str!("../../data/report-events.ndjson");
        samples.lines().map(str::to_owned).collect()
    })
}

/// What each destination was told last of each incident.
type Counts = BTreeMap<String, u64>;

fn told_by_mail(mails: &[Value]) -> Counts {
    let mut counts = HashMap::new();
    for mail in mails {
        assert_eq!((&mail["tls"], &mail["login"]), (&true.into(), &true.into()));
        let data = mail["data"].as_str().unwrap();
        let mail = MessageParser::default().parse(data).unwrap();
        let thread = mail.references().as_text_list();
        let id = thread
            .as_ref()
            .and_then(|ids| ids.first().map(ToString::to_string));
        let id = id.unwrap_or_else(|| mail.message_id().unwrap().to_owned());
        let count: u64 = mail
            .header_raw("X-Falco-Count")
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let most = counts.entry(id).or_insert(0);
        *most = count.max(*most);
    }
    counts.into_iter().collect()
}

fn told_by_webhook(sink: &Sink) -> Counts {
    let mut counts = Counts::new();
    for taken in sink.taken() {
        let incident = &taken.body["data"]["incident"];
        let count = incident["count"].as_u64().unwrap();
        let most = counts
            .entry(incident["uid"].as_str().unwrap().to_owned())
            .or_insert(0);
        *most = count.max(*most);
    }
    counts
}

fn slack_heads(sink: &Sink) -> usize {
    let posts = sink.taken().into_iter().filter(|taken| {
        taken.path == "/api/chat.postMessage" && taken.body.get("thread_ts").is_none()
    });
    posts.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_mail_and_webhook_are_all_told_of_every_event_with_the_same_counts() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mail) = Mail::start(folder.path(), "canary-mail") else {
        return;
    };
    let (slack, hook) = (Sink::start().await, Sink::start().await);
    let config = format!(
        "destinations:\n\
         \x20 hook: {{ webhook: {{ url: '{}/in' }} }}\n\
         \x20 soc:\n\
         \x20   slack: {{ token: xoxb-canary, channel: C024, api_url: '{}/api' }}\n\
         \x20   delivery: {{ interval: 0s }}\n\
         \x20 oncall: {{ email: {{ host: localhost, port: {}, username: herald, password: canary-mail, ca_file: {}, from: herald@example.com, to: [oncall@example.com] }} }}\n\
         route: {{ to: [hook, soc, oncall], group_interval: 0s }}\n",
        hook.url,
        slack.url,
        mail.port,
        folder.path().join("ca.pem").display()
    );
    let service = Service::start(folder.path(), &config);
    let events = events();
    for event in &events {
        let post = client().post(format!("http://{}/", service.events));
        let answer = post.body(event.clone()).send().await.unwrap();
        let status = answer.status().as_u16();
        assert_eq!((status, answer.text().await.unwrap().as_str()), (200, ""));
    }
    until(
        "every event has its fate at every destination",
        async || {
            let fates = api(&service, "fates").await;
            let mut told: BTreeMap<&str, u64> = BTreeMap::new();
            for fate in fates.as_array().unwrap() {
                let settled = !fate["fate"].is_null() && fate["fate"] != "dead";
                let count = if settled {
                    fate["events"].as_u64().unwrap()
                } else {
                    0
                };
                *told
                    .entry(fate["destination"].as_str().unwrap())
                    .or_default() += count;
            }
            let unrouted = told.remove("").unwrap_or(0);
            let all = events.len() as u64;
            told.len() == 3 && told.values().all(|told| told + unrouted == all)
        },
    )
    .await;
    let (by_mail, by_hook) = (told_by_mail(&mail.mails()), told_by_webhook(&hook));
    let sorted = |counts: &Counts| {
        let mut counts: Vec<_> = counts.values().copied().collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(sorted(&by_mail), sorted(&by_hook));
    assert_eq!(slack_heads(&slack), by_hook.len());
    let told = events.iter().filter(|event| is_told(event)).count();
    assert_eq!(by_hook.values().sum::<u64>(), told as u64);
    assert_eq!(service.terminate(), Some(0));
}
