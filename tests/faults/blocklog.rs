//! A disk that writes down every write and flush, and the disks that a power cut could leave.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::launch::mortal;
use crate::rig::until;
use crate::volume;

/// The disk: nbdkit keeps it, nbdfuse makes it a file. Dropping ends both.
pub(crate) struct BlockLog {
    child: Child,
    folder: PathBuf,
    log: PathBuf,
}

impl BlockLog {
    /// Serves a copy of an image.
    pub(crate) async fn start(folder: &Path, base: &Path) -> Self {
        let log = folder.join("blocks.log");
        let point = folder.join("nbd");
        fs::create_dir(&point).unwrap();
        let plugin = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/blocklog.py");
        let words = [mortal(), &["nbdfuse"]].concat();
        let child = Command::new(words[0])
            .args(&words[1..])
            .arg(point.join("disk"))
            .args(["--socket-activation", "nbdkit", "python", plugin])
            .arg(format!("base={}", base.display()))
            .arg(format!("log={}", log.display()))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let disk = Self {
            child,
            folder: point,
            log,
        };
        let up = until(Duration::from_secs(10), async || disk.file().exists()).await;
        assert!(up.is_some(), "nbdfuse does not start");
        disk
    }

    /// The disk as a file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join("disk")
    }

    /// Bytes of the log so far.
    pub(crate) fn position(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        parse(&fs::read(&self.log).unwrap_or_default())
    }
}

impl Drop for BlockLog {
    fn drop(&mut self) {
        // nbdfuse ends with its mount, and nbdkit with nbdfuse.
        if !volume::umount(&self.folder).status.success() {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

/// One request of the file system to its disk.
pub(crate) struct Record {
    /// Where the log ends after it.
    pub(crate) end: u64,
    offset: usize,
    /// `None` for a flush.
    data: Option<Vec<u8>>,
}

fn parse(log: &[u8]) -> Vec<Record> {
    let number = |bytes: &[u8]| {
        let bytes = bytes.try_into().unwrap();
        usize::try_from(u64::from_le_bytes(bytes)).unwrap()
    };
    let mut records = Vec::new();
    let mut at = 0;
    while let Some(head) = log.get(at..at + 17) {
        let (offset, length) = (number(&head[1..9]), number(&head[9..17]));
        let Some(data) = log.get(at + 17..at + 17 + length) else {
            break;
        };
        at += 17 + length;
        records.push(Record {
            end: at as u64,
            offset,
            data: (head[0] == b'W').then(|| data.to_vec()),
        });
    }
    records
}

/// What of the log is on the disk after a power cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// Everything before a record.
    Before(usize),
    /// That, and so many bytes of the record.
    Within(usize, usize),
    /// Everything up to the last flush before a record, and some of what came since.
    Some(usize, u64),
}

/// Bytes that a disk writes whole.
const SECTOR: usize = 512;

impl Cut {
    fn record(self) -> usize {
        match self {
            Self::Before(record) | Self::Within(record, _) | Self::Some(record, _) => record,
        }
    }

    /// The log up to here was written when the power went: what was acknowledged by then must be
    /// there.
    pub(crate) fn position(self, records: &[Record]) -> u64 {
        let before = self.record().checked_sub(1);
        before
            .and_then(|last| records.get(last))
            .map_or(0, |record| record.end)
    }

    /// The disk as the cut leaves it.
    pub(crate) fn image(self, base: &[u8], records: &[Record]) -> Vec<u8> {
        let mut image = base.to_vec();
        let mut put = |record: &Record, length: usize| {
            if let Some(data) = &record.data {
                let length = length.min(data.len());
                image[record.offset..record.offset + length].copy_from_slice(&data[..length]);
            }
        };
        let until = self.record();
        let flush = records[..until]
            .iter()
            .rposition(|record| record.data.is_none());
        for (number, record) in records[..until].iter().enumerate() {
            let keep = match self {
                Self::Some(_, seed) if flush.is_none_or(|flush| number > flush) => {
                    StdRng::seed_from_u64(seed ^ number as u64).random_bool(0.5)
                }
                _ => true,
            };
            if keep {
                put(record, usize::MAX);
            }
        }
        if let Self::Within(record, length) = self {
            put(&records[record], length);
        }
        image
    }
}

/// The superblock of ext4, which the kernel trusts its disk to write whole.
const SUPERBLOCK: usize = 4096;

/// Cuts of each kind, spread over a part of the log: about so many.
pub(crate) fn cuts(records: &[Record], part: std::ops::Range<u64>, most: usize) -> Vec<Cut> {
    let wanted = |(_, record): &(usize, &Record)| part.contains(&record.end);
    let inside: Vec<_> = records.iter().enumerate().filter(wanted).collect();
    let step = (inside.len() * 3).div_ceil(most.max(1)).max(1);
    let mut cuts = Vec::new();
    for (number, record) in inside.iter().step_by(step) {
        cuts.push(Cut::Before(*number));
        let sectors = record.data.as_ref().map_or(0, |data| data.len() / SECTOR);
        if sectors > 1 && record.offset >= SUPERBLOCK {
            let sectors = 1 + *number % (sectors - 1);
            cuts.push(Cut::Within(*number, sectors * SECTOR));
        }
        cuts.push(Cut::Some(*number, *number as u64));
    }
    cuts
}
