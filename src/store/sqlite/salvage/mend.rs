//! Rows that could be copied and still make no sense: they lose what cannot be read, not their place.

use rusqlite::{Connection, params};

use super::super::row;

/// Mends the state after it was copied.
pub(super) fn state(state: &Connection) -> rusqlite::Result<()> {
    cursor(state)?;
    incidents(state)?;
    // What lists no events is told by the next audit.
    state.execute(
        "UPDATE folds SET events = '[]' WHERE NOT json_valid(events)",
        [],
    )?;
    Ok(())
}

/// The cursor ends where the last batch does. Of two that disagree the earlier one counts: better that
/// events are counted twice than never.
fn cursor(state: &Connection) -> rusqlite::Result<()> {
    state.execute(
        "UPDATE cursor SET event = min(CASE event WHEN 0 THEN ?1 ELSE event END,
             max(summed, (SELECT coalesce(max(last), 0) FROM batches)))",
        [i64::MAX],
    )?;
    Ok(())
}

fn incidents(state: &Connection) -> rusqlite::Result<()> {
    let ids: Vec<i64> = state
        .prepare("SELECT id FROM incidents")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let select = format!("SELECT {} FROM incidents AS i WHERE id = ?1", row::INCIDENT);
    let mut select = state.prepare(&select)?;
    for id in ids {
        if select.query_row([id], row::incident).is_ok() {
            continue;
        }
        tracing::error!(
            incident = id,
            "an incident is damaged; what cannot be read is left out"
        );
        state.execute(
            "UPDATE incidents SET labels = '[]', spread = '[]', handled_by = NULL, handled = NULL,
                 first_time = ?2, last_time = ?2 WHERE id = ?1",
            params![id, "1970-01-01T00:00:00Z"],
        )?;
        if select.query_row([id], row::incident).is_err() {
            state.execute("DELETE FROM incidents WHERE id = ?1", [id])?;
        }
    }
    Ok(())
}
