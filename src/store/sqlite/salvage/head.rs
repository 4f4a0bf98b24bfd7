//! A copy of the pages that say where everything else is.
//!
//! They change with the format only. When one of them is damaged, nothing else in the file can be
//! found, so a copy of them lies beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const PAGE: usize = 4096;

/// Where SQLite's file format has the number of pages, the first free one and how many are free.
const VOLATILE: [u64; 3] = [28, 32, 36];

/// Where it has the version that the migrations count.
const VERSION: usize = 60;

/// Where the tree of the schema begins in the first page.
const TREE: usize = 100;

/// The type of a page whose cells only lead to other pages.
const INTERIOR: u8 = 5;

fn kept_beside(path: &Path) -> PathBuf {
    path.with_extension("head")
}

/// Keeps a copy of the pages.
pub(super) fn keep(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let Some(first) = page(&mut file, 1)? else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let mut copy = Vec::new();
    let children = children(&first).into_iter();
    for number in std::iter::once(1).chain(children) {
        if let Some(page) = page(&mut file, number)? {
            copy.extend(number.to_be_bytes());
            copy.extend(page);
        }
    }
    let new = path.with_extension("head-new");
    fs::write(&new, copy)?;
    fs::rename(new, kept_beside(path))
}

/// The version that the copy beside a file was made of.
pub(super) fn kept_version(path: &Path) -> Option<i64> {
    version(&kept_beside(path)).map(i64::from)
}

/// Puts the copy that was kept beside `path` into the damaged file.
pub(super) fn restore(path: &Path, damaged: &Path) -> io::Result<()> {
    let Ok(copy) = fs::read(kept_beside(path)) else {
        return Ok(());
    };
    let mut file = OpenOptions::new().write(true).open(damaged)?;
    let pages = u32::try_from(file.metadata()?.len() / PAGE as u64).unwrap_or(u32::MAX);
    for entry in copy.chunks_exact(4 + PAGE) {
        let (at, page) = entry.split_at(4);
        let at = number(at, 0).unwrap_or(1).max(1);
        file.seek(SeekFrom::Start(u64::from(at - 1) * PAGE as u64))?;
        file.write_all(page)?;
    }
    // The free pages are not looked for: nothing is written to this file any more.
    for (at, value) in VOLATILE.into_iter().zip([pages, 0, 0]) {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&value.to_be_bytes())?;
    }
    Ok(())
}

fn version(beside: &Path) -> Option<u32> {
    let copy = fs::read(beside).ok()?;
    number(&copy, 4 + VERSION)
}

fn page(file: &mut File, number: u32) -> io::Result<Option<Vec<u8>>> {
    let mut page = vec![0; PAGE];
    file.seek(SeekFrom::Start(
        u64::from(number.saturating_sub(1)) * PAGE as u64,
    ))?;
    match file.read_exact(&mut page) {
        Ok(()) => Ok(Some(page)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// The pages that the first one leads to.
fn children(first: &[u8]) -> Vec<u32> {
    if first.get(TREE) != Some(&INTERIOR) {
        return Vec::new();
    }
    let short = |at: usize| -> Option<usize> {
        let bytes = first.get(at..at + 2)?;
        Some(usize::from(u16::from_be_bytes(bytes.try_into().ok()?)))
    };
    let cells = short(TREE + 3).unwrap_or(0);
    let last = number(first, TREE + 8);
    let others = (0..cells).filter_map(|cell| number(first, short(TREE + 12 + 2 * cell)?));
    others.chain(last).collect()
}
