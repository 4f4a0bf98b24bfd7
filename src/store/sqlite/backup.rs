//! A copy of the store while it is in use.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::connection::{Database, INBOX, LOCK, STATE, make_private};
use crate::event::EventId;
use crate::store::{Saved, StoreError};

/// Copies the store in `folder`, in use or not, into the new folder `to`.
///
/// The inbox goes first: the second step moves events from there into the state, so that whatever was
/// acknowledged before is in one of the two copies.
pub(in crate::store) fn backup(folder: &Path, to: &Path) -> Result<Saved, StoreError> {
    let unusable = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Folder { path, source }
    };
    if !folder.join(STATE.file).is_file() {
        return Err(unusable(folder)(io::ErrorKind::NotFound.into()));
    }
    if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(unusable(to)(io::ErrorKind::DirectoryNotEmpty.into()));
    }
    make_private(to).map_err(unusable(to))?;
    for database in [INBOX, STATE] {
        copy(&database, folder, to)?;
    }
    copy_others(folder, to).map_err(unusable(to))?;
    let saved = verify(to)?;
    sync(to).map_err(unusable(to))?;
    Ok(saved)
}

fn copy(database: &Database, folder: &Path, to: &Path) -> Result<(), StoreError> {
    let copying = |source| StoreError::Database {
        doing: "copy its file",
        source,
    };
    let target = to.join(database.file);
    let connection = database.open_reader(folder)?;
    connection
        .execute("VACUUM INTO ?1", [target.to_string_lossy()])
        .map_err(copying)?;
    Ok(())
}

/// The keys and the record of refused events; nothing of SQLite's.
fn copy_others(folder: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let is_other = entry.file_type()?.is_file() && text != LOCK && !text.contains(".db");
        if is_other {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// Reads the whole copy once: a backup that cannot be read is none.
fn verify(to: &Path) -> Result<Saved, StoreError> {
    let checking = |source| StoreError::Database {
        doing: "check the copy",
        source,
    };
    let open = |database: &Database| -> Result<Connection, StoreError> {
        let connection = database.open_reader(to)?;
        let verdict: String = connection
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(checking)?;
        match verdict.as_str() {
            "ok" => Ok(connection),
            _ => Err(StoreError::Corrupt { what: "copy" }),
        }
    };
    let one = |connection: &Connection, query: &str| -> Result<i64, StoreError> {
        connection
            .query_row(query, [], |row| row.get(0))
            .map_err(checking)
    };
    let state = open(&STATE)?;
    let inbox = open(&INBOX)?;
    let cursor = one(&state, "SELECT event FROM cursor")?;
    let queued = one(
        &inbox,
        &format!("SELECT count(*) FROM inbox WHERE id > {cursor}"),
    )?;
    Ok(Saved {
        cursor: EventId(cursor),
        queued: queued.unsigned_abs(),
        incidents: one(&state, "SELECT count(*) FROM incidents")?.unsigned_abs(),
    })
}

/// SQLite does not wait until what it copied is on the disk.
fn sync(to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(to)? {
        File::open(entry?.path())?.sync_all()?;
    }
    File::open(to)?.sync_all()
}
