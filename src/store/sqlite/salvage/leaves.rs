//! Events found by their own sums, wherever they lie in a damaged file.
//!
//! When a page that leads to others is damaged, the rows behind it are still there. Every place that
//! could be a row of events is tried; what its sum does not confirm is none. Row and page formats:
//! sqlite.org/fileformat2.html, §1.6 and §2.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use rusqlite::{Connection, params};

use super::super::row::sum;

const PAGE: usize = 4096;

/// Where the places of the rows begin in a page with rows.
const POINTERS: usize = 8;

/// More of a row than this lies in pages of its own.
const MAX_LOCAL: usize = PAGE - 35;

/// The least that stays in the page then.
const MIN_LOCAL: usize = (PAGE - 12) * 32 / 255 - 23;

/// The largest row that is tried, in bytes.
const LARGEST: usize = 16 << 20;

struct Found {
    id: i64,
    received: i64,
    body: Vec<u8>,
    sum: i64,
}

/// Adds the events of a damaged file that `table` lacks; how many that were.
pub(super) fn copy(damaged: &Path, table: &str, new: &Connection) -> io::Result<u64> {
    let mut file = File::open(damaged)?;
    let pages = file.metadata()?.len() / PAGE as u64;
    let insert =
        format!("INSERT OR IGNORE INTO {table} (id, received, body, sum) VALUES (?1, ?2, ?3, ?4)");
    let mut copied = 0;
    for number in 1..=pages {
        let Some(page) = read(&mut file, number)? else {
            continue;
        };
        for at in places(&page) {
            let Some(found) = row(&mut file, &page, at) else {
                continue;
            };
            let put = new.prepare_cached(&insert).and_then(|mut insert| {
                insert.execute(params![found.id, found.received, found.body, found.sum])
            });
            copied += u64::from(put.is_ok_and(|rows| rows == 1));
        }
    }
    Ok(copied)
}

fn read(file: &mut File, number: u64) -> io::Result<Option<Vec<u8>>> {
    let mut page = vec![0; PAGE];
    file.seek(SeekFrom::Start(number.saturating_sub(1) * PAGE as u64))?;
    match file.read_exact(&mut page) {
        Ok(()) => Ok(Some(page)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where rows may begin. Neither the kind of page nor the number of rows is believed.
fn places(page: &[u8]) -> Vec<usize> {
    let pointers = page.get(POINTERS..).unwrap_or_default().chunks_exact(2);
    let places = pointers.map(|bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
    let mut places: Vec<_> = places
        .take_while(|place| (POINTERS..PAGE).contains(place))
        .collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// The row at a place, if it is one of events and its sum says so.
fn row(file: &mut File, page: &[u8], at: usize) -> Option<Found> {
    let mut cell = Bytes(page.get(at..)?);
    let size = usize::try_from(cell.number()?)
        .ok()
        .filter(|size| *size <= LARGEST)?;
    let id = cell.number()?;
    let payload = payload(file, cell.0, size)?;
    let mut header = Bytes(&payload);
    let header_size = usize::try_from(header.number()?).ok()?;
    let mut values = Bytes(payload.get(header_size..)?);
    let mut types = Vec::new();
    let mut left = header_size.checked_sub(payload.len() - header.0.len())?;
    while left > 0 {
        let before = header.0.len();
        types.push(header.number()?);
        left = left.checked_sub(before - header.0.len())?;
    }
    // The id is the row's own number and NULL in the row; events stand for others in between.
    let (0, received, body, others) = (
        *types.first()?,
        *types.get(1)?,
        *types.get(2)?,
        types.get(3..)?,
    ) else {
        return None;
    };
    let received = values.integer(received)?;
    let is_blob = body >= 12 && body % 2 == 0;
    let body = values.take(usize::try_from((body - 12) / 2).ok().filter(|_| is_blob)?)?;
    let mut last = None;
    for kind in others {
        last = Some(values.integer(*kind)?);
    }
    let sum_there = last?;
    (sum_there == sum(id, received, body)).then(|| Found {
        id,
        received,
        body: body.to_vec(),
        sum: sum_there,
    })
}

/// A row's bytes, from its page and those that it goes on in.
fn payload(file: &mut File, cell: &[u8], size: usize) -> Option<Vec<u8>> {
    if size <= MAX_LOCAL {
        return cell.get(..size).map(<[u8]>::to_vec);
    }
    let wanted = MIN_LOCAL + (size - MIN_LOCAL) % (PAGE - 4);
    let local = if wanted <= MAX_LOCAL {
        wanted
    } else {
        MIN_LOCAL
    };
    let mut payload = cell.get(..local)?.to_vec();
    let mut next = cell.get(local..local + 4)?.to_vec();
    while payload.len() < size {
        let number = u32::from_be_bytes(next.as_slice().try_into().ok()?);
        let page = read(file, u64::from(number).max(1)).ok()??;
        next = page.get(..4)?.to_vec();
        let left = (size - payload.len()).min(PAGE - 4);
        payload.extend_from_slice(page.get(4..4 + left)?);
    }
    Some(payload)
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// SQLite's number of variable length: seven bits a byte, eight in the ninth.
    fn number(&mut self) -> Option<i64> {
        let mut number: u64 = 0;
        for at in 0..9 {
            let byte = *self.take(1)?.first()?;
            if at == 8 {
                number = number << 8 | u64::from(byte);
                break;
            }
            number = number << 7 | u64::from(byte & 0x7f);
            if byte < 0x80 {
                break;
            }
        }
        Some(number.cast_signed())
    }

    /// An integer of one of SQLite's kinds.
    fn integer(&mut self, kind: i64) -> Option<i64> {
        let size = match kind {
            8 => return Some(0),
            9 => return Some(1),
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 => 8,
            _ => return None,
        };
        let bytes = self.take(size)?;
        let is_negative = *bytes.first()? >= 0x80;
        let start = if is_negative { -1 } else { 0 };
        let all = bytes.iter();
        Some(all.fold(start, |value, byte| value << 8 | i64::from(*byte)))
    }
}
