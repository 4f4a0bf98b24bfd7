//! Every field of the event, exact, as rows of a Markdown table.

use minijinja::Value as TemplateValue;

use super::context::{Origin, View, ours, phrase};
use super::phrase::Phrase;
use crate::event::Value;
use crate::markup::escape::{code_span, table_cell};
use crate::markup::visible::truncate;

/// Characters of one value.
const MAX_VALUE: usize = 600;
/// Characters of one field name.
const MAX_NAME: usize = 120;
/// Characters of Falco's message.
const MAX_MESSAGE: usize = 1_000;
/// Rows of the table.
const MAX_ROWS: usize = 200;
/// Bytes of all rows: an event may be two megabytes long, a report should not.
const MAX_BYTES: usize = 64 * 1024;

/// For the template: `rows` (Markdown), how many fields there are `more`, the message and the time.
pub(super) fn build(view: &View<'_>) -> TemplateValue {
    let mut rows = String::new();
    let mut shown = 0;
    for (name, value) in view.fields.iter().take(MAX_ROWS) {
        let name = table_cell(&truncate(name.raw(), MAX_NAME));
        let row = format!("| {name} | {} |\n", cell(value));
        if rows.len() + row.len() > MAX_BYTES {
            break;
        }
        rows.push_str(&row);
        shown += 1;
    }
    let tags: Vec<_> = view
        .event
        .tags
        .iter()
        .map(super::super::event::Untrusted::raw)
        .collect();
    let tags = if tags.is_empty() {
        Phrase::new()
    } else {
        Phrase::of_value(tags.join(", "))
    };
    let message = view.message().filter(|_| view.origin() != Origin::Internal);
    let message = message.map(|message| ours(code_span(&truncate(&message, MAX_MESSAGE))));
    let source = &view.event.source;
    minijinja::context! {
        rows => ours(rows),
        more => view.fields.len() - shown,
        event_id => view.alert.id.0,
        epoch => ours(view.event.time.as_nanosecond().to_string()),
        received => ours(view.alert.received.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()),
        source => phrase(if source.is_missing() { Phrase::new() } else { Phrase::of_value(source.raw()) }),
        tags => phrase(tags),
        message => message,
    }
}

fn cell(value: &Value) -> String {
    let text = value.to_text();
    match value {
        Value::Null => "no value".to_owned(),
        Value::Text(text) if text.raw().is_empty() => "empty".to_owned(),
        Value::Text(text) if text.raw() == "<NA>" => "no value".to_owned(),
        Value::Number(digits) => {
            // Falco prints some signed fields as unsigned.
            let wrapped = digits
                .parse::<u64>()
                .ok()
                .filter(|number| i64::try_from(*number).is_err());
            let note = wrapped.map(|number| {
                format!(
                    " (a negative number, {}, seen as unsigned)",
                    number.cast_signed()
                )
            });
            format!("{}{}", table_cell(digits), note.unwrap_or_default())
        }
        _ => table_cell(&truncate(&text, MAX_VALUE)),
    }
}
