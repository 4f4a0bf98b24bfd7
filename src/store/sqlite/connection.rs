//! Opening a database file: durable settings, format, and the lock on the folder.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::salvage;
use crate::store::StoreError;

/// One database file of the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Database {
    pub(super) file: &'static str,
    /// The scripts that bring an empty file to the newest format, in order.
    migrations: &'static [&'static str],
    /// Its table of events.
    pub(super) events: &'static str,
    /// Whether pages that become empty can be given back one by one. That costs a little with each
    /// new page.
    shrinks: bool,
}

pub(super) const INBOX: Database = Database {
    file: "inbox.db",
    migrations: &[
        include_str!("schema/inbox-1.sql"),
        include_str!("schema/inbox-2.sql"),
    ],
    events: "inbox",
    shrinks: false,
};

pub(super) const STATE: Database = Database {
    file: "state.db",
    migrations: &[
        include_str!("schema/state-1.sql"),
        include_str!("schema/state-2.sql"),
        include_str!("schema/state-3.sql"),
        include_str!("schema/state-4.sql"),
        include_str!("schema/state-5.sql"),
    ],
    events: "events",
    shrinks: true,
};

/// The file that a running service holds locked.
pub(super) const LOCK: &str = "lock";

/// The writers' own checkpoints happen only beyond this many pages (256 MiB): they would pause
/// whoever waits for an answer. The checkpointer keeps the log far below it.
const AUTOCHECKPOINT_PAGES: i64 = 65_536;

/// Page cache per connection in KiB, so that memory does not follow the size of the files.
const CACHE_KIB: i64 = 8 * 1024;

/// Another process (a backup, a curious person) may hold the write lock for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl Database {
    /// A connection that may write. Brings the file to the newest format.
    pub(super) fn open_writer(&self, folder: &Path) -> Result<Connection, StoreError> {
        let mut connection = Connection::open(folder.join(self.file)).map_err(opening)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(opening)?;
        if self.shrinks {
            // Only takes effect on a file that is still empty.
            let pragma = "PRAGMA auto_vacuum = INCREMENTAL";
            connection.execute_batch(pragma).map_err(opening)?;
        }
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES};
                 PRAGMA journal_size_limit = 67108864;
                 PRAGMA cache_size = -{CACHE_KIB};
                 PRAGMA temp_store = MEMORY;"
            ))
            .map_err(opening)?;
        self.migrate(&mut connection)?;
        Ok(connection)
    }

    /// The newest format.
    pub(super) fn newest(&self) -> i64 {
        i64::try_from(self.migrations.len()).unwrap_or(i64::MAX)
    }

    /// The format of the file in `folder`; 0 when it is empty or not there.
    pub(super) fn version(&self, folder: &Path) -> Result<i64, StoreError> {
        version(&self.open_reader(folder)?).map_err(opening)
    }

    /// Whether a file of the newest format has the tables that its migrations make, and no other.
    pub(super) fn has_its_schema(&self, connection: &Connection) -> Result<bool, StoreError> {
        let mut made = Connection::open_in_memory().map_err(opening)?;
        self.migrate(&mut made)?;
        let made = salvage::schema(&made).map_err(opening)?;
        match salvage::schema(connection) {
            Ok(found) => Ok(found == made),
            Err(error) if salvage::is_damage(&error) => Ok(false),
            Err(error) => Err(opening(error)),
        }
    }

    /// A connection that only reads, and never waits for a writer.
    pub(super) fn open_reader(&self, folder: &Path) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(folder.join(self.file), flags).map_err(opening)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(opening)?;
        connection
            .execute_batch(&format!("PRAGMA cache_size = -{CACHE_KIB};"))
            .map_err(opening)?;
        Ok(connection)
    }

    /// A connection for checkpoints: it neither migrates nor checkpoints on its own.
    pub(super) fn open_checkpointer(&self, folder: &Path) -> Result<Connection, StoreError> {
        let connection = Connection::open(folder.join(self.file)).map_err(opening)?;
        connection
            .execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -512;")
            .map_err(opening)?;
        Ok(connection)
    }

    fn migrate(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let found = version(connection).map_err(opening)?;
        let known = self.newest();
        if found > known {
            return Err(StoreError::TooNew {
                file: self.file,
                found,
                known,
            });
        }
        let done = usize::try_from(found).unwrap_or(0);
        for (step, script) in self.migrations.iter().enumerate().skip(done) {
            let migrating = |source| StoreError::Database {
                doing: "migrate",
                source,
            };
            let transaction = connection.transaction().map_err(migrating)?;
            transaction.execute_batch(script).map_err(migrating)?;
            transaction
                .execute_batch(&format!("PRAGMA user_version = {}", step + 1))
                .map_err(migrating)?;
            transaction.commit().map_err(migrating)?;
        }
        Ok(())
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn opening(source: rusqlite::Error) -> StoreError {
    StoreError::Database {
        doing: "open its file",
        source,
    }
}

/// Makes the folder, readable by its owner only, and takes its lock. The lock lives as long as the
/// returned file and dies with the process.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let unusable = |source| StoreError::Folder {
        path: folder.to_owned(),
        source,
    };
    make_private(folder).map_err(unusable)?;
    let lock = File::create(folder.join(LOCK)).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
            path: folder.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

pub(super) fn make_private(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_an_earlier_format_is_brought_up_with_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let (earlier, _) = STATE.migrations.split_at(2);
        let earlier = Database {
            migrations: earlier,
            ..STATE
        };
        let connection = earlier.open_writer(folder.path()).unwrap();
        connection
            .execute_batch(
                "INSERT INTO incidents (uid, key, route, state, rule, category, nature, severity,
                     labels, count, first_received, last_received, first_time, last_time,
                     first_event, last_event, spread)
                 VALUES (x'01', x'02', '0', 'open', 'r', 'other', 'security', 3, '[]', 7, 11, 12,
                     '2026-03-01T10:15:00Z', '2026-03-01T10:15:00Z', 1, 7, '[]');
                 INSERT INTO events (id, received, body) VALUES (1, 11, x'7b7d');",
            )
            .unwrap();
        drop(connection);
        let connection = STATE.open_writer(folder.path()).unwrap();
        let incident: (i64, i64, i64) = connection
            .query_row(
                "SELECT opened, hushed, escalated FROM incidents",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .unwrap();
        assert_eq!(incident, (11, 0, 0));
        let stands_for: i64 = connection
            .query_row("SELECT stands_for FROM events", [], |row| row.get(0))
            .unwrap();
        assert_eq!(stands_for, 1);
        let refused = earlier.open_writer(folder.path());
        assert!(matches!(
            refused,
            Err(StoreError::TooNew {
                found: 5,
                known: 2,
                ..
            })
        ));
    }
}
