//! The service as a process, under whatever tool makes its life hard.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::oneshot;

use crate::history::{Recovery, Sample};
use crate::launch::{Launch, Output, free_port, mortal, write_config};
use crate::load::get;
use crate::rig::{Rig, until};

const START: Duration = Duration::from_secs(20);

/// A running service.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) events: String,
    pub(crate) admin: String,
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    store: PathBuf,
}

impl Service {
    /// Starts one that is expected to start.
    pub(crate) async fn start(rig: &Rig, launch: &Launch) -> Self {
        match Self::try_start(rig, launch).await {
            Ok(service) => service,
            Err(said) => panic!("no start: {said}"),
        }
    }

    /// Starts one; what it said when it ended before it listened.
    pub(crate) async fn try_start(rig: &Rig, launch: &Launch) -> Result<Self, String> {
        let file = rig.folder().join("herald.yaml");
        let store = launch.store.clone().unwrap_or_else(|| rig.store());
        write_config(&file, &store, &launch.config);
        let blind = launch.output != Output::Read;
        let fixed = blind.then(|| (free_port(), free_port()));
        if let Some((events, admin)) = &fixed {
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.replacen("127.0.0.1:0", events, 1);
            std::fs::write(&file, text.replacen("127.0.0.1:0", admin, 1)).unwrap();
        }
        let mut words = mortal().to_vec();
        words.extend(launch.under.iter().map(String::as_str));
        if launch.output == Output::Closed {
            words.extend(["sh", "-c", "exec \"$0\" \"$@\" >&- 2>&-"]);
        }
        words.extend([env!("CARGO_BIN_EXE_falco-herald"), "serve", "--config"]);
        let mut words = words.into_iter();
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .arg(&file)
            .envs(launch.environment.iter().cloned())
            .stdout(if blind { Stdio::piped() } else { Stdio::null() })
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        // From here on it ends with what holds it, also when its start is given up.
        let mut service = Self {
            child,
            events: String::new(),
            admin: String::new(),
            log: Arc::default(),
            store,
        };
        if let Some((events, admin)) = fixed {
            service.child.stderr = Some(stderr);
            let ready = async || get(&events, "/readyz").await.is_some();
            let up = until(START, ready).await;
            up.ok_or_else(|| "it does not listen".to_owned())?;
            (service.events, service.admin) = (events, admin);
        } else {
            let (tell, listens) = oneshot::channel();
            let kept = Arc::clone(&service.log);
            std::thread::spawn(move || read_log(stderr, &kept, tell));
            let listens = tokio::time::timeout(START, listens).await;
            let Ok(Ok((events, admin))) = listens else {
                drop(service.child.kill());
                let code = service.child.wait().unwrap();
                let last = service.log.lock().unwrap().last().cloned();
                return Err(format!("{code}: {}", last.unwrap_or_default()));
            };
            (service.events, service.admin) = (events, admin);
        }
        rig.listens_at(Some(&service.events));
        Ok(service)
    }

    /// Starts it again and notes how long that took until it was ready.
    pub(crate) async fn recover(rig: &Rig, launch: &Launch, from: &str, limit: Duration) -> Self {
        let began = Instant::now();
        let service = Self::start(rig, launch).await;
        let ready = until(limit, async || service.is_ready().await).await;
        let recovery = Recovery {
            from: from.to_owned(),
            took: ready.map(|_| began.elapsed()),
            limit,
        };
        rig.note(|history| history.recoveries.push(recovery));
        service
    }

    pub(crate) async fn is_ready(&self) -> bool {
        get(&self.events, "/readyz")
            .await
            .is_some_and(|(status, _)| status == 200)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process as a crash does.
    pub(crate) async fn crash(mut self, rig: &Rig) {
        rig.listens_at(None);
        drop(self.child.kill());
        self.ended().await;
        rig.note(|history| history.crashes += 1);
    }

    pub(crate) async fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        self.ended().await
    }

    /// Waits until the process has ended; the exit code, or `None` after a signal.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let limit = Duration::from_secs(28);
        until(limit, async || self.child.try_wait().unwrap().is_some()).await;
        self.child
            .try_wait()
            .unwrap()
            .and_then(|status| status.code())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        // Gone already is as good.
        drop(Command::new("kill").args(["-s", signal, &pid]).status());
    }

    /// A metric's value, summed over what follows in its name.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let Some((_, text)) = get(&self.admin, "/metrics").await else {
            return 0;
        };
        let lines = text.lines().filter(|line| line.starts_with(name));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counters are whole and not negative"
        )]
        let sum = values.sum::<f64>() as u64;
        sum
    }

    /// What the process uses now.
    pub(crate) fn sample(&self) -> Sample {
        let proc = PathBuf::from(format!("/proc/{}", self.pid()));
        let status = std::fs::read_to_string(proc.join("status")).unwrap_or_default();
        let fields: HashMap<_, _> = status
            .lines()
            .filter_map(|line| line.split_once(':'))
            .collect();
        let number = |name: &str| {
            let word = fields
                .get(name)
                .and_then(|value| value.split_whitespace().next());
            word.and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        let descriptors = std::fs::read_dir(proc.join("fd")).map_or(0, Iterator::count);
        let files = std::fs::read_dir(&self.store)
            .into_iter()
            .flatten()
            .flatten();
        let sizes = files.filter_map(|file| Some(file.metadata().ok()?.len()));
        Sample {
            resident: number("VmRSS") * 1024,
            descriptors: descriptors as u64,
            threads: number("Threads"),
            store: sizes.sum(),
        }
    }

    /// Whether `audit --json` balances; on a store that nobody has open.
    pub(crate) async fn audit(rig: &Rig) -> bool {
        let file = rig.folder().join("herald.yaml");
        let audit = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_falco-herald"));
            command.args(["audit", "--json", "--config"]).arg(file);
            command.output().unwrap()
        });
        let audit = audit.await.unwrap();
        let found: Value = serde_json::from_slice(&audit.stdout).unwrap_or_default();
        found["balanced"] == true
    }
}

fn read_log(stderr: impl Read, kept: &Mutex<Vec<String>>, tell: oneshot::Sender<(String, String)>) {
    let mut tell = Some(tell);
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let entry: Value = serde_json::from_str(&line).unwrap_or_default();
        if entry["message"] == "listening" {
            let address = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            if let Some(tell) = tell.take() {
                drop(tell.send((address("events"), address("admin"))));
            }
        }
        kept.lock().unwrap().push(line);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Ended already in scenarios that went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
