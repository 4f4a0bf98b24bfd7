//! What the parts of a scenario share: the clock, the history, and where the service is.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::cgroup;
use crate::history::{History, Sample};
use crate::judge::{self, Problem};
use crate::service::Service;
use crate::volume;

/// How long a backlog may take to drain.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the process may use, unless a scenario has caps of its own: its connections are few.
const CAPS: Sample = Sample {
    resident: 256 << 20,
    descriptors: 200,
    threads: 64,
    store: 1 << 30,
};

const MEMORY: &str = "/dev/shm";

/// What the names of all folders begin with, before the id of the process that made them.
pub(crate) const PREFIX: &str = "herald-faults-";

#[derive(Clone)]
pub(crate) struct Rig {
    shared: Arc<Shared>,
    place: Arc<Place>,
}

struct Shared {
    folder: tempfile::TempDir,
    began: Instant,
    history: Mutex<History>,
    ids: AtomicU64,
    problems: Mutex<Vec<Problem>>,
}

/// Where a service has its files and listens.
struct Place {
    folder: PathBuf,
    address: Mutex<Option<String>>,
}

impl Rig {
    /// On a real disk, or in memory where there is such a place: what is not about the disk need not
    /// wait for it.
    pub(crate) fn new(on_disk: bool) -> Self {
        let memory = Path::new(MEMORY);
        let parent = if on_disk || !memory.is_dir() {
            Path::new(env!("CARGO_TARGET_TMPDIR"))
        } else {
            memory
        };
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .tempdir_in(parent);
        let folder = folder.unwrap();
        let place = Place {
            folder: folder.path().to_owned(),
            address: Mutex::default(),
        };
        let shared = Shared {
            folder,
            began: Instant::now(),
            history: Mutex::default(),
            ids: AtomicU64::new(1),
            problems: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            place: Arc::new(place),
        }
    }

    /// The same history for one more service.
    pub(crate) fn apart(&self, name: &str) -> Self {
        let folder = self.shared.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let place = Place {
            folder,
            address: Mutex::default(),
        };
        Self {
            shared: Arc::clone(&self.shared),
            place: Arc::new(place),
        }
    }

    /// A folder that vanishes with the rig.
    pub(crate) fn folder(&self) -> &Path {
        &self.place.folder
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder().join("store")
    }

    pub(crate) fn now(&self) -> Duration {
        self.shared.began.elapsed()
    }

    /// The service had no reason to tell of itself.
    pub(crate) fn require_nothing_of_itself(&self) {
        let own = self.note(|history| {
            let told = history.deliveries.iter();
            told.filter_map(|told| told.own.clone()).collect::<Vec<_>>()
        });
        self.require(own.is_empty(), "I2", format!("said of itself: {own:?}"));
    }

    pub(crate) fn note<T>(&self, write: impl FnOnce(&mut History) -> T) -> T {
        write(&mut self.shared.history.lock().unwrap())
    }

    pub(crate) fn history(&self) -> History {
        self.note(|history| history.clone())
    }

    pub(crate) fn take_ids(&self, events: u64) -> u64 {
        self.shared.ids.fetch_add(events, Ordering::Relaxed)
    }

    /// Where events are sent, while somebody listens.
    pub(crate) fn address(&self) -> Option<String> {
        self.place.address.lock().unwrap().clone()
    }

    pub(crate) fn listens_at(&self, address: Option<&str>) {
        *self.place.address.lock().unwrap() = address.map(str::to_owned);
    }

    /// A demand of the scenario's own, under the invariant that it belongs to.
    pub(crate) fn require(&self, holds: bool, invariant: &'static str, text: impl Into<String>) {
        if !holds {
            let text = text.into();
            self.shared
                .problems
                .lock()
                .unwrap()
                .push(Problem { invariant, text });
        }
    }

    /// Waits until everything acknowledged is told, or until that is hopeless.
    pub(crate) async fn settle(&self) {
        let began = Instant::now();
        let patience = if is_long() { PATIENCE * 20 } else { PATIENCE };
        while began.elapsed() < patience {
            let counting = Instant::now();
            if self.note(|history| judge::lost(history)) == 0 {
                return;
            }
            // A long history takes a while to count, during which nobody can add to it.
            let pause = counting.elapsed() * 4;
            tokio::time::sleep(pause.max(Duration::from_millis(20))).await;
        }
    }

    /// Whether these groups are told at every destination.
    pub(crate) fn is_told(&self, groups: std::ops::Range<u32>) -> bool {
        let mut history = self.history();
        history.posts.retain(|post| groups.contains(&post.group));
        judge::lost(&history) == 0
    }

    /// The usual end: everything is told, the account balances, the process stops in order.
    pub(crate) async fn finish(&self, service: Service) {
        self.settle().await;
        self.measure(&service);
        let code = service.terminate().await;
        self.require(code == Some(0), "I6", format!("ended with {code:?}"));
        self.audit().await;
    }

    /// Notes what the process uses now, which is bounded in every scenario.
    pub(crate) fn measure(&self, service: &Service) {
        let sample = service.sample();
        self.note(|history| {
            history.samples.push(sample);
            history.caps.get_or_insert(CAPS);
        });
    }

    /// Audits the store of a service that has ended.
    pub(crate) async fn audit(&self) {
        let balanced = Service::audit(self).await;
        self.note(|history| history.audits.push(balanced));
    }

    /// Everything that is wrong with the scenario.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = self.shared.problems.lock().unwrap().clone();
        problems.extend(judge::judge(&self.history()));
        problems
    }
}

/// Waits until `ready` holds; how long that took, or `None` when it took longer than allowed.
pub(crate) async fn until(
    limit: Duration,
    mut ready: impl AsyncFnMut() -> bool,
) -> Option<Duration> {
    let began = Instant::now();
    loop {
        if ready().await {
            return Some(began.elapsed());
        }
        if began.elapsed() > limit {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether this is the long tier.
#[expect(clippy::disallowed_methods, reason = "the tier is the runner's choice")]
pub(crate) fn is_long() -> bool {
    std::env::var("HERALD_FAULTS").is_ok_and(|tier| tier == "long")
}

/// Rounds of what can be done any number of times, where the runner says how many.
#[expect(clippy::disallowed_methods, reason = "how long is the runner's choice")]
pub(crate) fn rounds() -> Option<u32> {
    std::env::var("HERALD_FAULT_ROUNDS").ok()?.parse().ok()
}

/// Whether tools that are missing are a failure.
#[expect(
    clippy::disallowed_methods,
    reason = "set where the tools are promised"
)]
pub(crate) fn tools_required() -> bool {
    std::env::var("HERALD_PEERS").is_ok_and(|peers| peers == "required")
}

/// Clears away what runs left that were killed themselves.
pub(crate) fn clean() {
    let temporary = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for parent in [temporary, MEMORY.into(), cgroup::parent()] {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let maker = name
                .strip_prefix(PREFIX)
                .and_then(|rest| rest.split('-').next());
            if let Some(maker) = maker
                && !Path::new("/proc").join(maker).exists()
            {
                volume::unmount_below(&entry.path());
                // A cgroup goes as a whole, a folder with what is in it. In use by whom? Then it
                // stays until somebody looks.
                if std::fs::remove_dir(entry.path()).is_err() {
                    drop(std::fs::remove_dir_all(entry.path()));
                }
            }
        }
    }
}

/// Whether this process may mount.
fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uid.and_then(|uid| uid.split_whitespace().nth(1)) == Some("0")
}

/// The first of these programs that cannot be found; `root` stands for the right to mount.
pub(crate) fn missing(programs: &[&'static str]) -> Option<&'static str> {
    let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
    let found = |name: &str| {
        if name == "root" {
            return is_root();
        }
        folders
            .iter()
            .any(|folder| Path::new(folder).join(name).exists())
    };
    programs.iter().copied().find(|name| !found(name))
}
