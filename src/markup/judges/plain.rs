//! HTML by html5ever, plain text by its lines, and cells by a CSV reader.

use super::{HARMLESS, Shown, document, report};
use crate::markup::csv as csv_format;
use crate::markup::text::plain_text;

pub(super) fn html(value: &str) -> Result<(), String> {
    crate::markup::html::tests::check(value)
}

pub(super) fn text(value: &str) -> Result<(), String> {
    let shown = Shown::of(value);
    let text = plain_text(&document(value));
    if text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Err("holds a control character".to_owned());
    }
    let quoted = format!("`{}`", shown.line);
    if !value.is_empty() && !shown.line.contains('`') && !text.contains(&quoted) {
        return Err(format!("{quoted:?} is not in {text:?}"));
    }
    // The value forges no heading: our own have a rule below them, a value has none at the margin.
    let rules = |text: &str| {
        text.lines()
            .filter(|line| line.len() > 3 && line.chars().all(|c| c == '='))
            .count()
    };
    if rules(&text) != rules(&plain_text(&document(HARMLESS))) {
        return Err("forges a heading".to_owned());
    }
    Ok(())
}

pub(super) fn csv(value: &str) -> Result<(), String> {
    let report = report(value);
    let row = csv_format::row([value, report.title.as_str(), "x"]);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(row.as_bytes());
    let rows: Vec<_> = reader
        .records()
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let [row] = rows.as_slice() else {
        return Err(format!("{} rows", rows.len()));
    };
    if row.len() != 3 {
        return Err(format!("{} cells", row.len()));
    }
    let shown = Shown::of(value).block;
    let cell = row.get(0).unwrap_or_default();
    // A formula begins with one of these, also after a line end or an opening quote.
    for line in cell.split(['\n', '\r']) {
        let start = line.trim_start_matches([' ', '"']);
        if start.starts_with(['=', '+', '-', '@', '\t']) {
            return Err(format!("a formula: {cell:?}"));
        }
    }
    let unguarded = cell.replace('\'', "");
    if unguarded != shown.replace('\'', "") {
        return Err(format!("{cell:?} is not {shown:?}"));
    }
    Ok(())
}
