//! Cells for spreadsheets: quoted by RFC 4180, and never a formula.

/// One row, ending in CRLF.
pub fn row<'c>(cells: impl IntoIterator<Item = &'c str>) -> String {
    let cells: Vec<_> = cells.into_iter().map(cell).collect();
    format!("{}\r\n", cells.join(","))
}

/// A cell in quotes. What a spreadsheet would evaluate gets an apostrophe before it, also at the start
/// of a later line.
fn cell(text: &str) -> String {
    let text = super::visible::visible(text);
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut starts = true;
    for c in text.chars() {
        if starts && matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '|' | '%') {
            out.push('\'');
        }
        starts = matches!(c, '\n' | '\r') || starts && matches!(c, ' ' | '"' | '\'');
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
    out
}
