//! Real peers: one file each, and here what they share. They run where `tests/peers/install` has put
//! them, and are skipped elsewhere; `HERALD_PEERS=required` makes a missing one a failure.

mod aiosmtpd;
mod alertmanager;
mod jira;
mod postfix;
mod redmine;
mod rt;
mod synapse;
mod tickets;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::support::{Service, api, client};

/// What some peer would act on: a script, an image, a link, a mention, a macro, the end of a block.
const HOSTILE: &str = "!http://evil.example/x.png! #1 @admin @room user:admin [~admin] \
                       <script>alert(1)</script> <img src=http://evil.example/y.png onerror=alert(2)> \
                       <a href=http://evil.example>z</a> </code></pre> {code} {{include(x)}} [[wiki]] \
                       \"a\":http://evil.example |a|b|";

/// An event that says nothing else.
fn hostile() -> Value {
    json!({
        "rule": HOSTILE, "priority": "Critical", "time": "2026-03-01T10:15:00Z", "hostname": "n",
        "output": HOSTILE, "source": "syscall",
        "output_fields": { "proc.name": "sh", "proc.cmdline": HOSTILE },
    })
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of a peer, or `None` where the peer is not here.
#[expect(
    clippy::disallowed_methods,
    reason = "the test command says whether peers must be here"
)]
fn located(peer: &str, file: &str) -> Option<PathBuf> {
    let file = root().join("target/peers").join(file);
    if file.exists() {
        return Some(file);
    }
    let required = std::env::var("HERALD_PEERS").is_ok_and(|value| value == "required");
    assert!(!required, "{peer} is not here: run tests/peers/install");
    println!("skipped: {peer} is not here; tests/peers/install brings it");
    None
}

/// A port that nobody listens on, below those that the system gives out: nobody else gets it by
/// chance before the peer has it.
fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 500).unwrap() * 24;
    loop {
        let port = 20_000 + (own + TRIED.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A peer's process. It ends with the test, and a test that fails shows what it wrote.
struct Process {
    child: Child,
    log: PathBuf,
    /// Who has processes of its own, and ends them when it is asked to end.
    master: Option<PathBuf>,
}

impl Process {
    /// Starts it, with what it writes in a file.
    fn start(command: &mut Command, log: PathBuf) -> Self {
        let written = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(written.try_clone().unwrap())
            .stderr(written)
            .spawn()
            .unwrap();
        let master = None;
        Self { child, log, master }
    }

    /// It is ended by asking the process whose id is in this file, which ends those that it started.
    fn with_master(mut self, file: PathBuf) -> Self {
        self.master = Some(file);
        self
    }

    fn written(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}: {}", self.log.display(), self.written());
        }
        let master = self
            .master
            .as_ref()
            .and_then(|file| std::fs::read_to_string(file).ok());
        match master {
            Some(pid) => drop(
                Command::new("kill")
                    .args(["-s", "TERM", pid.trim()])
                    .status(),
            ),
            None => drop(self.child.kill()),
        }
        drop(self.child.wait());
    }
}

/// Writes `ca.pem`, and the certificate `mail.pem` of `localhost` with its key `mail.key`.
fn certify(folder: &Path) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes a certificate of the name of its issuer for one that signed itself.
    ca.distinguished_name
        .push(DnType::CommonName, "CA of the tests");
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "localhost");
    let certificate = params.signed_by(&key, &ca).unwrap().pem();
    for (name, pem) in [
        ("ca.pem", ca.pem()),
        ("mail.pem", certificate),
        ("mail.key", key.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), pem).unwrap();
    }
}

async fn post(service: &Service, event: &Value) {
    let post = client().post(format!("http://{}/", service.events));
    let answer = post.body(event.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// Somebody acknowledges or closes the one incident.
async fn act(service: &Service, verb: &str) {
    let incidents = api(service, "incidents").await;
    let uid = incidents[0]["uid"].as_str().unwrap();
    let url = format!("http://{}/api/v1/incidents/{uid}/{verb}", service.admin);
    let done = client().post(url).json(&json!({ "by": "kim" }));
    let done = done.send().await.unwrap();
    assert!(done.status().is_success(), "{}", done.text().await.unwrap());
}
