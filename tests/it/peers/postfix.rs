//! Mail through a real Postfix into real mailboxes of Dovecot. Postfix's master needs root.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{Process, act, certify, free_port, hostile, located, post, root};
use crate::support::{Service, api, until};

const PASSWORD: &str = "canary-mail";

/// Both servers, with every mailbox of example.com.
struct Mail {
    folder: PathBuf,
    python: PathBuf,
    starttls: u16,
    implicit: u16,
    imap: u16,
    _processes: [Process; 2],
}

impl Mail {
    async fn start(folder: &Path) -> Option<Self> {
        let python = located("Python", "bin/python")?;
        located("Postfix", "/usr/sbin/postfix")?;
        let dovecot = located("Dovecot", "/usr/sbin/dovecot")?;
        let id = Command::new("id").arg("-u").output().unwrap();
        if id.stdout != b"0\n" {
            println!("skipped: Postfix needs root");
            return None;
        }
        certify(folder);
        let ports: [u16; 6] = std::array::from_fn(|_| free_port());
        let written = Command::new(root().join("tests/peers/mailserver"))
            .arg(folder)
            .arg(PASSWORD)
            .args(ports.map(|port| port.to_string()))
            .status();
        assert!(written.unwrap().success());
        let dovecot = Process::start(
            Command::new(dovecot)
                .args(["-F", "-c"])
                .arg(folder.join("dovecot/dovecot.conf")),
            folder.join("dovecot.log"),
        )
        .with_master(folder.join("dovecot/run/master.pid"));
        let postfix = Process::start(
            Command::new("postfix")
                .arg("-c")
                .arg(folder.join("postfix"))
                .arg("start-fg"),
            folder.join("postfix.log"),
        )
        .with_master(folder.join("queue/pid/master.pid"));
        for port in ports {
            until("the mail servers listen", async || {
                std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
            })
            .await;
        }
        let [_, starttls, implicit, _, _, imap] = ports;
        Some(Self {
            folder: folder.to_owned(),
            python,
            starttls,
            implicit,
            imap,
            _processes: [dovecot, postfix],
        })
    }

    /// A mailbox as IMAP shows it.
    fn mailbox(&self, user: &str) -> Value {
        let read = Command::new(&self.python)
            .arg(root().join("tests/peers/imap.py"))
            .arg(self.imap.to_string())
            .arg(self.folder.join("ca.pem"))
            .args([user, PASSWORD])
            .output()
            .unwrap();
        let wrong = String::from_utf8_lossy(&read.stderr);
        assert!(read.status.success(), "{wrong}");
        serde_json::from_slice(&read.stdout).unwrap()
    }

    fn destination(&self, name: &str, more: &str) -> String {
        format!(
            "\x20 {name}:\n\
             \x20   email: {{ host: localhost, username: herald, ca_file: '{}', from: herald@example.com, to: [{name}@example.com], {more} }}\n\
             \x20   delivery: {{ interval: 0s, retry_initial: 20ms, retry_max: 1s }}\n",
            self.folder.join("ca.pem").display()
        )
    }
}

async fn mails(mail: &Mail, user: &str, count: usize) -> Value {
    let mut mailbox = Value::Null;
    until("the mail is in its box", async || {
        mailbox = mail.mailbox(user);
        mailbox["mail"].as_array().unwrap().len() == count
    })
    .await;
    mailbox
}

#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_hold_one_thread_an_incident_over_starttls_with_plain_and_tls_with_login() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mail) = Mail::start(folder.path()).await else {
        return;
    };
    let (starttls, implicit) = (mail.starttls, mail.implicit);
    let plain = mail.destination("a", &format!("port: {starttls}, password: {PASSWORD}"));
    let more = format!("port: {implicit}, password: {PASSWORD}, tls: implicit");
    let login = mail.destination("b", &more);
    let config = format!(
        "destinations:\n{plain}{login}\
         route: {{ to: [a, b], group_by: [rule], group_interval: 0s }}\n"
    );
    let service = Service::start(folder.path(), &config);
    for count in 1..=2 {
        post(&service, &hostile()).await;
        mails(&mail, "a@example.com", count).await;
        mails(&mail, "b@example.com", count).await;
    }
    act(&service, "close").await;
    for user in ["a@example.com", "b@example.com"] {
        let box_of = mails(&mail, user, 3).await;
        // One root with two answers: one more would begin a bracket of its own.
        assert!(
            ["(1 (2)(3))", "(1 2 3)"].contains(&box_of["thread"].as_str().unwrap()),
            "{}",
            box_of["thread"]
        );
        for structure in box_of["structure"].as_array().unwrap() {
            let structure = structure.as_str().unwrap().to_lowercase();
            let mut rest = structure.as_str();
            for part in [
                r#""text" "plain""#,
                r#""text" "html""#,
                r#""alternative""#,
                r#""text" "markdown""#,
                r#""commonmark""#,
                r#""report.md""#,
                r#""application" "json""#,
                r#""event.json""#,
                r#""mixed""#,
            ] {
                let found = rest.split_once(part);
                (_, rest) = found.unwrap_or_else(|| panic!("{part} in {structure}"));
            }
        }
        for report in box_of["report"].as_array().unwrap() {
            let report = report.as_str().unwrap();
            let whole = report.starts_with("# ") && report.contains("\n## Evidence\n");
            assert!(whole && !report.contains('\r'), "{report}");
        }
        let last = &box_of["report"][2];
        assert!(last.as_str().unwrap().contains("losed by kim"), "{last}");
    }
    assert_eq!(service.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_and_a_mail_that_is_too_large_end_with_their_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mail) = Mail::start(folder.path()).await else {
        return;
    };
    let port = format!("port: {}", mail.starttls);
    let config = format!(
        "destinations:\n{}{}route: {{ to: [wrong, large], group_interval: 0s }}\n",
        mail.destination("wrong", &format!("{port}, password: another-canary")),
        mail.destination("large", &format!("{port}, password: {PASSWORD}")),
    );
    let service = Service::start(folder.path(), &config);
    let large = json!({
        "rule": "Large", "priority": "Critical", "time": "2026-03-01T10:15:00Z",
        "output": "x", "output_fields": { "proc.cmdline": "x".repeat(250_000) },
    });
    post(&service, &large).await;
    let mut said = Value::Null;
    until("one is dead and one is paused", async || {
        said = api(&service, "deliveries").await;
        let said = said.as_array().unwrap();
        let is = |name: &str, state: &str| {
            let mut of = said.iter().filter(|of| of["destination"] == name);
            of.any(|of| of["state"] == state && of["detail"].is_string())
        };
        is("large", "dead") && is("wrong", "pending")
    })
    .await;
    let detail = |name: &str| {
        let mut all = said.as_array().unwrap().iter();
        // What Herald says of itself goes there too.
        let of = all.find(|of| {
            of["destination"] == name && of["state"] != "sent" && of["detail"].is_string()
        });
        of.unwrap_or_else(|| panic!("{said}"))["detail"].clone()
    };
    assert_eq!(detail("wrong"), "the mail server refuses the login (535)");
    assert_eq!(
        detail("large"),
        "the mail is too large for the mail server (552)"
    );
    assert!(!said.to_string().contains("canary"));
}
