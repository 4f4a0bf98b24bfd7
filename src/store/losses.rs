//! What was refused for want of room or speed: counted always, and written to a ring of fixed size
//! whose place on the disk is taken beforehand.
//!
//! Falco does not retry, so a refused event is lost unless another copy exists. The ring says what it
//! was: one JSON object a line, readable without Herald.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::event::{self, Priority};

/// The ring's file in the folder of the store.
const FILE: &str = "losses.ndjson";

/// Bytes of a line, its end included.
const LINE: usize = 512;

/// Lines; a later loss takes the place of the oldest.
const LINES: u64 = 4_096;

/// Bodies that may wait to be written down; more are counted only.
const QUEUE: usize = 64;

/// More of a body is not read: the line tells its size, not its rule.
const READ: usize = 64 * 1024;

/// Why events were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// The disk had no room, or only the room that is kept for graver alerts.
    DiskFull,
    /// The disk took longer than a sender can wait. The event may be stored all the same.
    DiskSlow,
    /// Too much waited for the disk already.
    Busy,
    /// The disk refused the write.
    Failed,
}

impl LossReason {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::DiskFull, Self::DiskSlow, Self::Busy, Self::Failed];

    /// The word in metrics and in the ring.
    pub fn name(self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::DiskSlow => "disk_slow",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }
}

/// A line of the ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Counts up over all losses that were written down.
    pub number: u64,
    /// When the event came.
    pub received: Timestamp,
    /// Why it was refused.
    pub reason: LossReason,
    /// Its rule, cut to fit the line; empty when it could not be read.
    pub rule: String,
    /// Its priority.
    pub priority: Option<Priority>,
    /// Its host, cut to fit.
    pub hostname: String,
    /// Its size in bytes.
    pub size: u64,
    /// The first half of its SHA-256, in hexadecimal: to find it in another copy.
    pub sha256: String,
}

impl Loss {
    fn of(number: u64, reason: LossReason, received: Timestamp, body: &[u8]) -> Self {
        let read = body.get(..READ).unwrap_or(body);
        let event = event::decode(read).ok();
        let text = |text: Option<&str>| text.unwrap_or_default().chars().take(64).collect();
        let mut sha256 = String::new();
        for byte in Sha256::digest(body).iter().take(16) {
            write!(sha256, "{byte:02x}").expect("a text takes everything");
        }
        Self {
            number,
            received,
            reason,
            rule: text(event.as_ref().map(|event| event.rule.raw())),
            priority: event.as_ref().map(|event| event.priority),
            hostname: text(event.as_ref().map(|event| event.hostname.raw())),
            size: u64::try_from(body.len()).unwrap_or(u64::MAX),
            sha256,
        }
    }

    /// The line, filled up with spaces. Text that needs much escaping is cut until it fits.
    fn line(&self) -> [u8; LINE] {
        let mut loss = self.clone();
        let text = loop {
            let text = serde_json::to_string(&loss).expect("texts and numbers are always JSON");
            if text.len() < LINE {
                break text;
            }
            for cut in [&mut loss.rule, &mut loss.hostname] {
                *cut = cut.chars().take(cut.chars().count() / 2).collect();
            }
        };
        let mut line = [b' '; LINE];
        for (place, byte) in line.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        if let Some(end) = line.last_mut() {
            *end = b'\n';
        }
        line
    }
}

/// Notes what is lost. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Losses {
    lost: Arc<watch::Sender<u64>>,
    ring: SyncSender<(LossReason, Timestamp, Vec<u8>)>,
}

impl Losses {
    /// Takes the ring's place on the disk and starts the thread that writes it: a slow disk must not
    /// hold up whoever notes a loss. Where the ring cannot be made, losses are counted only.
    pub(super) fn start(folder: &Path) -> io::Result<Self> {
        let (ring, queue) = sync_channel(QUEUE);
        let path = folder.join(FILE);
        match Ring::open(&path) {
            Ok(ring) => {
                thread::Builder::new()
                    .name("losses".to_owned())
                    .spawn(move || ring.run(&queue))?;
            }
            Err(error) => tracing::warn!(%error, "cannot make the record of refused events"),
        }
        Ok(Self {
            lost: Arc::new(watch::Sender::new(0)),
            ring,
        })
    }

    /// Counts refused events and writes down as many as the ring keeps up with.
    pub(super) fn note(&self, reason: LossReason, received: Timestamp, events: Vec<Vec<u8>>) {
        self.count(events.len());
        for body in events {
            if self.ring.try_send((reason, received, body)).is_err() {
                break;
            }
        }
    }

    /// Counts events that were refused although they may be stored.
    pub(super) fn count(&self, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.lost
            .send_modify(|lost| *lost = lost.saturating_add(events));
    }

    /// How many were refused since the start.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.lost.subscribe()
    }
}

struct Ring {
    file: File,
    next: u64,
}

impl Ring {
    fn open(path: &Path) -> io::Result<Self> {
        let next = match read(path) {
            Ok(losses) => losses.last().map_or(0, |loss| loss.number + 1),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let size = LINES * LINE as u64;
        let present = file.metadata()?.len();
        if present < size {
            // Written, not only reserved: holes would need room later.
            file.seek(SeekFrom::Start(present))?;
            let blank = blank_line();
            for _ in present / LINE as u64..LINES {
                file.write_all(&blank)?;
            }
            file.sync_all()?;
        }
        Ok(Self { file, next })
    }

    fn run(mut self, queue: &Receiver<(LossReason, Timestamp, Vec<u8>)>) {
        while let Ok((reason, received, body)) = queue.recv() {
            let loss = Loss::of(self.next, reason, received, &body);
            if let Err(error) = self.write(&loss) {
                tracing::warn!(%error, "cannot record a refused event");
            }
            self.next += 1;
        }
    }

    fn write(&mut self, loss: &Loss) -> io::Result<()> {
        let place = loss.number % LINES * LINE as u64;
        self.file.seek(SeekFrom::Start(place))?;
        self.file.write_all(&loss.line())
    }
}

fn blank_line() -> [u8; LINE] {
    let mut line = [b' '; LINE];
    if let Some(end) = line.last_mut() {
        *end = b'\n';
    }
    line
}

/// The refused events that are written down in the store at `folder`, the oldest first. Lines that a
/// crash tore are left out.
pub fn losses(folder: &Path) -> io::Result<Vec<Loss>> {
    read(&folder.join(FILE))
}

fn read(path: &Path) -> io::Result<Vec<Loss>> {
    let mut text = Vec::new();
    let most = LINES * LINE as u64;
    File::open(path)?.take(most).read_to_end(&mut text)?;
    let lines = text.chunks(LINE);
    let mut losses: Vec<Loss> = lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    losses.sort_by_key(|loss| loss.number);
    Ok(losses)
}

/// Where the record of refused events is.
pub fn losses_file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(rule: &str) -> Vec<u8> {
        let event = serde_json::json!({
            "rule": rule, "priority": "Critical", "time": "2026-03-01T10:15:00Z",
            "hostname": "node-1", "output_fields": {},
        });
        event.to_string().into_bytes()
    }

    #[test]
    fn a_refused_event_is_a_line_that_people_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = Ring::open(&losses_file(folder.path())).unwrap();
        let loss = Loss::of(
            0,
            LossReason::DiskFull,
            Timestamp::UNIX_EPOCH,
            &body("Terminal shell in container"),
        );
        ring.write(&loss).unwrap();
        let text = std::fs::read_to_string(losses_file(folder.path())).unwrap();
        insta::assert_snapshot!(text.lines().next().unwrap().trim_end(), @r#"{"number":0,"received":"1970-01-01T00:00:00Z","reason":"disk_full","rule":"Terminal shell in container","priority":"critical","hostname":"node-1","size":129,"sha256":"05fd89b0360d6356aba2817a6868daa2"}"#);
        assert_eq!(losses(folder.path()).unwrap(), [loss]);
    }

    #[test]
    fn the_ring_never_grows_and_goes_on_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = losses_file(folder.path());
        for start in [0, 3_000] {
            let mut ring = Ring::open(&path).unwrap();
            assert_eq!(ring.next, start);
            for number in start..start + 3_000 {
                let loss = Loss::of(number, LossReason::Busy, Timestamp::UNIX_EPOCH, b"{");
                ring.write(&loss).unwrap();
            }
        }
        assert_eq!(std::fs::metadata(&path).unwrap().len(), LINES * LINE as u64);
        let kept = losses(folder.path()).unwrap();
        let numbers: Vec<_> = kept.iter().map(|loss| loss.number).collect();
        assert_eq!(numbers, (6_000 - LINES..6_000).collect::<Vec<_>>());
    }

    #[test]
    fn hostile_names_fit_the_line_and_a_torn_line_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = losses_file(folder.path());
        let mut ring = Ring::open(&path).unwrap();
        for (number, rule) in ["\u{1}".repeat(300), "\u{1f4a9}".repeat(300)]
            .iter()
            .enumerate()
        {
            let loss = Loss::of(
                number as u64,
                LossReason::Failed,
                Timestamp::UNIX_EPOCH,
                &body(rule),
            );
            ring.write(&loss).unwrap();
        }
        let kept = losses(folder.path()).unwrap();
        assert_eq!(kept.len(), 2);
        assert!(kept.iter().all(|loss| !loss.rule.is_empty()));
        ring.file.seek(SeekFrom::Start(100)).unwrap();
        ring.file.write_all(b"\"\"\"").unwrap();
        assert_eq!(losses(folder.path()).unwrap().len(), 1);
    }

    #[test]
    fn what_the_ring_cannot_take_is_counted_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let losses = Losses::start(folder.path()).unwrap();
        losses.note(
            LossReason::Busy,
            Timestamp::UNIX_EPOCH,
            vec![body("r"); 1_000],
        );
        assert_eq!(*losses.watch().borrow(), 1_000);
    }
}
