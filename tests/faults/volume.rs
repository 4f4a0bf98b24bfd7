//! A small ext4 of its own: an image, mounted by a loop device that goes with it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A mounted image. Dropping it unmounts it; so a service on it has to be dropped before.
pub(crate) struct Volume {
    image: PathBuf,
    point: PathBuf,
    ballast: Option<File>,
}

impl Volume {
    /// Makes and mounts an image of so many MiB in a folder.
    pub(crate) fn new(folder: &Path, mib: u64) -> Self {
        let image = folder.join("disk.img");
        format(&image, mib);
        Self::mount(&image, &folder.join("disk"))
    }

    /// Mounts an image, or a block device that is a file.
    pub(crate) fn mount(image: &Path, point: &Path) -> Self {
        fs::create_dir_all(point).unwrap();
        let volume = Self {
            image: image.to_owned(),
            point: point.to_owned(),
            ballast: None,
        };
        volume.mount_again();
        volume
    }

    pub(crate) fn mount_again(&self) {
        let mounted = Command::new("mount")
            .args(["-t", "ext4", "-o", "loop"])
            .args([&self.image, &self.point])
            .output()
            .unwrap();
        assert!(mounted.status.success(), "{mounted:?}");
    }

    pub(crate) fn unmount(&self) {
        let unmounted = umount(&self.point);
        assert!(unmounted.status.success(), "{unmounted:?}");
    }

    /// Where a store may be.
    pub(crate) fn store(&self) -> PathBuf {
        self.point.join("store")
    }

    /// The file system shuts down as after a fatal error: it can be read, and writes fail.
    ///
    /// (A remount to read-only is refused while files are open for writing. `remount,abort` is no
    /// fair fault: ext4 then answers an fsync of what was written just before with success, and
    /// writes nothing.)
    pub(crate) fn shut_down(&self) {
        // EXT4_IOC_SHUTDOWN, with everything before it on the disk.
        let script = "import fcntl, os, struct, sys\n\
                      fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 0))";
        let shut = Command::new("python3")
            .args(["-c", script])
            .arg(&self.point)
            .output()
            .unwrap();
        assert!(shut.status.success(), "{shut:?}");
    }

    /// Writes ballast until only so many bytes are left.
    pub(crate) fn fill(&mut self, left: u64) {
        let path = self.point.join("ballast");
        let mut ballast = self
            .ballast
            .take()
            .unwrap_or_else(|| File::create(path).unwrap());
        let mut chunk = 64 * 1024;
        while chunk >= 512 {
            let full = self.room() < left + chunk as u64;
            if full || ballast.write_all(&vec![b'x'; chunk]).is_err() {
                chunk /= 2;
            }
        }
        // On a full disk the last of it may fail.
        drop(ballast.sync_all());
        self.ballast = Some(ballast);
    }

    /// Gives the room back.
    pub(crate) fn empty(&mut self) {
        self.ballast = None;
        fs::remove_file(self.point.join("ballast")).unwrap();
    }

    /// Bytes that are free.
    pub(crate) fn room(&self) -> u64 {
        let stat = Command::new("stat")
            .args(["-f", "-c", "%a %S"])
            .arg(&self.point)
            .output()
            .unwrap()
            .stdout;
        let words = String::from_utf8_lossy(&stat).into_owned();
        let mut words = words
            .split_whitespace()
            .map(|word| word.parse::<u64>().unwrap());
        words.next().unwrap() * words.next().unwrap()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        self.ballast = None;
        if !umount(&self.point).status.success() {
            let lazily = Command::new("umount").arg("-l").arg(&self.point).output();
            drop(lazily);
        }
    }
}

/// Makes an empty ext4 in a file, with no room kept for root.
pub(crate) fn format(image: &Path, mib: u64) {
    File::create(image).unwrap().set_len(mib << 20).unwrap();
    let made = Command::new("mkfs.ext4")
        .args([
            "-q",
            "-F",
            "-m",
            "0",
            "-E",
            "lazy_itable_init=0,lazy_journal_init=0",
        ])
        .arg(image)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

pub(crate) fn umount(point: &Path) -> Output {
    Command::new("umount").arg(point).output().unwrap()
}

/// Unmounts whatever is mounted below a folder.
pub(crate) fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let below: Vec<_> = points
        .filter(|point| Path::new(point).starts_with(folder))
        .collect();
    // What was mounted last first.
    for point in below.into_iter().rev() {
        drop(umount(Path::new(point)));
    }
}
