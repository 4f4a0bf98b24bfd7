//! Row by row from a damaged file into a new one.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::schema;
use crate::store::StoreError;

/// Rows in the middle that are tried one by one.
const ONE_BY_ONE: i64 = 100_000;

/// Copies every row that can be read; how many that were.
pub(super) fn copy(old: &Connection, new: &Connection) -> Result<u64, StoreError> {
    let failed = |source| StoreError::Database {
        doing: "copy what can be read",
        source,
    };
    new.pragma_update(None, "foreign_keys", false)
        .map_err(failed)?;
    let transaction = new.unchecked_transaction().map_err(failed)?;
    let mut copied = 0;
    for (table, sql) in schema(&transaction).map_err(failed)? {
        let table = Table::of(&transaction, &table, &sql).map_err(failed)?;
        copied += table.copy(old, &transaction);
    }
    transaction.commit().map_err(failed)?;
    new.pragma_update(None, "foreign_keys", true)
        .map_err(failed)?;
    Ok(copied)
}

struct Table {
    name: String,
    columns: Vec<String>,
    /// What its rows are in the order of.
    key: Vec<String>,
    has_rowid: bool,
}

impl Table {
    fn of(connection: &Connection, name: &str, sql: &str) -> rusqlite::Result<Self> {
        let mut info = connection.prepare(&format!("PRAGMA table_info({name})"))?;
        let rows: Vec<(String, i64)> = info
            .query_map([], |row| Ok((row.get(1)?, row.get(5)?)))?
            .collect::<Result<_, _>>()?;
        let mut key: Vec<_> = rows.iter().filter(|(_, key)| *key > 0).collect();
        key.sort_by_key(|(_, key)| *key);
        Ok(Self {
            name: name.to_owned(),
            key: key.into_iter().map(|(name, _)| name.clone()).collect(),
            columns: rows.into_iter().map(|(name, _)| name).collect(),
            has_rowid: !sql.contains("WITHOUT ROWID"),
        })
    }

    /// From the front until it breaks, from the back until it breaks, and what is in between one by
    /// one.
    fn copy(&self, old: &Connection, new: &Connection) -> u64 {
        let mut sink = Sink {
            table: self,
            new,
            copied: 0,
        };
        let whole = sink.walk(old, "ASC");
        if whole.is_err() {
            let front = sink.last_key(new);
            // An error means that the back cannot be read at all.
            drop(sink.walk(old, "DESC"));
            if self.has_rowid {
                sink.one_by_one(old, front.unwrap_or(0));
            }
        }
        sink.copied
    }
}

struct Sink<'a> {
    table: &'a Table,
    new: &'a Connection,
    copied: u64,
}

impl Sink<'_> {
    fn walk(&mut self, old: &Connection, direction: &str) -> rusqlite::Result<()> {
        let order: Vec<_> = self
            .table
            .key
            .iter()
            .map(|key| format!("{key} {direction}"))
            .collect();
        let select = format!(
            "SELECT {} FROM {} NOT INDEXED ORDER BY {}",
            self.table.columns.join(", "),
            self.table.name,
            order.join(", ")
        );
        let mut statement = old.prepare(&select)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.put(row);
        }
        Ok(())
    }

    /// The rows from `from` on that no walk has reached.
    fn one_by_one(&mut self, old: &Connection, from: i64) {
        let Some(key) = self.table.key.first() else {
            return;
        };
        let (table, columns) = (&self.table.name, self.table.columns.join(", "));
        let next = format!("SELECT coalesce(min({key}), ?1 + ?2) FROM {table} WHERE {key} > ?1");
        let end = self
            .new
            .query_row(&next, [from, ONE_BY_ONE], |row| row.get::<_, i64>(0));
        let end = end.unwrap_or(from).min(from.saturating_add(ONE_BY_ONE));
        let select = format!("SELECT {columns} FROM {table} WHERE {key} = ?1");
        let Ok(mut statement) = old.prepare(&select) else {
            return;
        };
        for id in from.saturating_add(1)..end {
            let row = statement.query([id]);
            if let Ok(mut rows) = row
                && let Ok(Some(row)) = rows.next()
            {
                self.put(row);
            }
        }
    }

    fn last_key(&self, new: &Connection) -> Option<i64> {
        let key = self.table.key.first()?;
        let select = format!("SELECT max({key}) FROM {}", self.table.name);
        new.query_row(&select, [], |row| row.get(0)).ok()
    }

    /// A row that breaks the rules of its table is damaged, too.
    fn put(&mut self, row: &Row<'_>) {
        let columns = &self.table.columns;
        let values: Result<Vec<Value>, _> = (0..columns.len()).map(|at| row.get(at)).collect();
        let Ok(values) = values else {
            return;
        };
        let places = vec!["?"; columns.len()].join(", ");
        let insert = format!(
            "INSERT OR REPLACE INTO {} ({}) VALUES ({places})",
            self.table.name,
            columns.join(", ")
        );
        let put = self
            .new
            .prepare_cached(&insert)
            .and_then(|mut insert| insert.execute(params_from_iter(values)));
        self.copied += u64::from(put.is_ok_and(|rows| rows == 1));
    }
}
