//! A damaged file: what can be read goes into a new one, what cannot is told.
//!
//! SQLite finds damage when it runs into it, or when asked to look. A file that is damaged is put
//! aside and never used again; every row that can still be read is copied.

mod copy;
mod head;
mod leaves;
mod mend;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::connection::{Database, STATE};
use crate::store::{Damage, StoreError};

/// Files up to this size are looked through at every start, in bytes; larger ones after damage was
/// met.
const LOOKED_THROUGH: u64 = 16 << 20;

/// Exists when damage was met in use, and names the file.
const MARK: &str = "damaged";

/// Whether an error says that the file itself is damaged, or holds what was never written.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase),
        None => matches!(
            error,
            rusqlite::Error::Utf8Error(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
        ),
    }
}

/// Has the next start replace a file. What SQLite finds sound may still make no sense to us, so that it
/// would be met again and again.
pub(super) fn mark(folder: &Path, database: &Database) {
    if let Err(error) = fs::write(folder.join(MARK), database.file) {
        tracing::error!(%error, "cannot note that the store is damaged");
    }
}

/// All files are sound again.
pub(super) fn unmark(folder: &Path) {
    // Usually there is no mark.
    drop(fs::remove_file(folder.join(MARK)));
}

/// Opens a database for writing; one that is damaged is replaced by what could be read of it.
pub(super) fn open(
    database: &Database,
    folder: &Path,
) -> Result<(Connection, Option<Damage>), StoreError> {
    let path = folder.join(database.file);
    let size = fs::metadata(&path).map_or(0, |found| found.len());
    let mark = fs::read_to_string(folder.join(MARK)).ok();
    let marked = mark.as_deref().and_then(|mark| mark.lines().next());
    if marked == Some(database.file) {
        return replace(database, folder);
    }
    let looks = size <= LOOKED_THROUGH || mark.is_some();
    let known = head::kept_version(&path);
    if let Some(known) = known.filter(|known| *known >= database.newest() && size > 0) {
        // A version that went back, or beyond what wrote the file, is damage to the number.
        let is_wrong = match database.version(folder) {
            Ok(found) => found != known,
            Err(StoreError::Database { source, .. }) => is_damage(&source),
            Err(error) => return Err(error),
        };
        if is_wrong {
            return replace(database, folder);
        }
    }
    let opened = database.open_writer(folder).and_then(|connection| {
        if database.has_its_schema(&connection)? && (!looks || is_sound(&connection)) {
            Ok(connection)
        } else {
            Err(StoreError::Corrupt { what: "file" })
        }
    });
    match opened {
        Ok(connection) => {
            if known != Some(database.newest()) {
                keep_head(&connection, &path);
            }
            Ok((connection, None))
        }
        Err(StoreError::Corrupt { .. }) => replace(database, folder),
        Err(StoreError::Database { source, .. }) if is_damage(&source) => replace(database, folder),
        Err(error) => Err(error),
    }
}

fn keep_head(connection: &Connection, path: &Path) {
    // All of a new file may still be in its log.
    let pragma = "PRAGMA wal_checkpoint(PASSIVE)";
    let checkpoint = connection.query_row(pragma, [], |_| Ok(()));
    let kept = checkpoint.map_err(io::Error::other);
    if let Err(error) = kept.and_then(|()| head::keep(path)) {
        tracing::warn!(%error, "cannot keep a copy of the pages that lead to the others");
    }
}

fn is_sound(connection: &Connection) -> bool {
    let verdict = connection.query_row("PRAGMA integrity_check(1)", [], |row| {
        row.get::<_, String>(0)
    });
    verdict.is_ok_and(|verdict| verdict == "ok")
}

fn replace(database: &Database, folder: &Path) -> Result<(Connection, Option<Damage>), StoreError> {
    let failed = |source| StoreError::Folder {
        path: folder.to_owned(),
        source,
    };
    let path = folder.join(database.file);
    let aside = set_aside(database, folder).map_err(failed)?;
    if !aside.exists() {
        // Somebody has taken it away since it was met damaged.
        return Ok((database.open_writer(folder)?, None));
    }
    tracing::error!(
        file = database.file,
        kept_as = %aside.display(),
        "a file of the store is damaged; what can be read is copied into a new one"
    );
    let new = database.open_writer(folder)?;
    let is_readable = read_only(&aside).is_ok_and(|old| {
        let made = schema(&new);
        made.is_ok_and(|made| schema(&old).is_ok_and(|found| found == made))
    });
    if !is_readable {
        head::restore(&path, &aside).map_err(failed)?;
    }
    keep_head(&new, &path);
    let mut rows = match read_only(&aside) {
        Ok(old) => copy::copy(&old, &new)?,
        Err(_) => 0,
    };
    rows += leaves::copy(&aside, database.events, &new).map_err(failed)?;
    if database.file == STATE.file {
        mend::state(&new).map_err(|source| StoreError::Database {
            doing: "mend what was copied",
            source,
        })?;
    }
    let damage = Damage {
        file: database.file,
        kept_as: aside,
        rows,
    };
    Ok((new, Some(damage)))
}

/// Moves the file and its log out of the way. The mark tells where to, so that a start that is cut off
/// while it copies is made good by the next one.
fn set_aside(database: &Database, folder: &Path) -> io::Result<PathBuf> {
    let mark = fs::read_to_string(folder.join(MARK)).unwrap_or_default();
    let begun = mark
        .split_once('\n')
        .filter(|(file, _)| *file == database.file);
    if let Some((_, aside)) = begun.filter(|(_, aside)| folder.join(aside).exists()) {
        // What has been copied so far is only a part.
        for end in ["", "-wal", "-shm"] {
            let part = folder.join(format!("{}{end}", database.file));
            if part.exists() {
                fs::remove_file(part)?;
            }
        }
        return Ok(folder.join(aside));
    }
    let aside = (1..10_000)
        .map(|number| format!("{}.damaged-{number}", database.file))
        .find(|aside| !folder.join(aside).exists())
        .ok_or(io::ErrorKind::AlreadyExists)?;
    fs::write(folder.join(MARK), format!("{}\n{aside}", database.file))?;
    // The log first: without it the file would be opened as if there were none.
    for end in ["-wal", "-shm", ""] {
        let from = folder.join(format!("{}{end}", database.file));
        if from.exists() {
            fs::rename(from, folder.join(format!("{aside}{end}")))?;
        }
    }
    Ok(folder.join(aside))
}

fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

/// The tables of a file, and the SQL that made them.
pub(super) fn schema(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    connection
        .prepare(
            "SELECT name, sql FROM sqlite_schema
             WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}
