//! A memory limit for one process, by cgroups of version 1 or 2 where they can be written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::rig::PREFIX;

/// A cgroup; dropping it removes it, for which its process has to have ended.
pub(crate) struct Cgroup(PathBuf);

/// Where memory is limited, and by which file.
fn hierarchy() -> (PathBuf, &'static str) {
    let root = Path::new("/sys/fs/cgroup");
    if root.join("cgroup.controllers").exists() {
        (root.to_owned(), "memory.max")
    } else {
        (root.join("memory"), "memory.limit_in_bytes")
    }
}

/// Where cgroups are.
pub(crate) fn parent() -> PathBuf {
    hierarchy().0
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Cgroup {
    /// One with a limit in bytes; `None` where that cannot be had.
    pub(crate) fn with_memory(limit: u64) -> Option<Self> {
        let (parent, file) = hierarchy();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let group = Self(parent.join(name));
        fs::create_dir(&group.0).ok()?;
        fs::write(group.0.join(file), limit.to_string()).ok()?;
        Some(group)
    }

    /// The file into which a process writes its id to be in it.
    pub(crate) fn procs(&self) -> String {
        self.0.join("cgroup.procs").display().to_string()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Never made, where it cannot be had.
        drop(fs::remove_dir(&self.0));
    }
}
