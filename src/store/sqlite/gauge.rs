//! Measures how much room the store has, as often as it matters.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::connection::{INBOX, STATE};
use crate::store::Room;

/// How many bytes are written before it is worth a look.
const EVERY_BYTES: u64 = 256 * 1024;

/// After how long it is worth a look.
const EVERY: Duration = Duration::from_millis(200);

/// Knows the folder and its limit.
#[derive(Debug)]
pub(super) struct Gauge {
    folder: PathBuf,
    max: Option<u64>,
    looked: Option<Instant>,
    written: u64,
}

impl Gauge {
    pub(super) fn new(folder: &Path, max: Option<u64>) -> Self {
        Self {
            folder: folder.to_owned(),
            max,
            looked: None,
            written: 0,
        }
    }

    /// Notes that about so many bytes were written.
    pub(super) fn written(&mut self, bytes: u64) {
        self.written += bytes;
    }

    /// How much room is left, when enough has happened since the last look. `reusable` are bytes
    /// inside the files that hold nothing any more.
    pub(super) fn look(&mut self, reusable: impl FnOnce() -> u64) -> Option<Room> {
        let is_recent = self.looked.is_some_and(|at| at.elapsed() < EVERY);
        if is_recent && self.written < EVERY_BYTES {
            return None;
        }
        self.looked = Some(Instant::now());
        self.written = 0;
        let (disk, free) = match rustix::fs::statvfs(&self.folder) {
            Ok(found) => {
                let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
                (bytes(found.f_blocks), bytes(found.f_bavail))
            }
            // Better to run into the end of the disk than to refuse what may fit.
            Err(_) => (u64::MAX, u64::MAX),
        };
        let reusable = reusable();
        let used = used(&self.folder).saturating_sub(reusable);
        let free = free.saturating_add(reusable);
        Some(Room::judge(disk, free, used, self.max))
    }
}

/// The bytes of the store's files.
fn used(folder: &Path) -> u64 {
    let files = [INBOX.file, STATE.file];
    let files = files.into_iter().flat_map(|file| {
        let log = format!("{file}-wal");
        [folder.join(file), folder.join(log)]
    });
    let sizes = files.filter_map(|file| std::fs::metadata(file).ok());
    sizes.map(|found| found.len()).sum()
}
