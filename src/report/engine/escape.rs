//! How values print: the formatter, and the filters that name another position.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Output, State, Value, filters, tests};

use crate::markup::escape::{code_block, code_span, inline, shell_word, table_cell};
use crate::markup::visible::truncate;
use crate::report::phrase::Phrase;

/// The error for printing none.
pub(super) const NONE_PRINTED: &str =
    "a value that the event does not have is printed; test it with `if` first";
/// The error for printing a structure.
pub(super) const NOT_PRINTABLE: &str = "this is a structure; print one of its parts";

/// Words in a command line may not be longer.
const MAX_WORD: usize = 1_000;
/// Characters of a block of code.
const MAX_BLOCK: usize = 8_000;

/// Prints a value as Markdown prose. Only what is marked as ours prints as it is: numbers, words of
/// the context, and what the template itself captured.
pub(super) fn format(
    out: &mut Output<'_>,
    _state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let text = if let Some(phrase) = value.downcast_object_ref::<Phrase>() {
        phrase.prose()
    } else if let Some(text) = value.as_str() {
        if value.is_safe() {
            text.to_owned()
        } else {
            inline(text)
        }
    } else {
        match value.kind() {
            ValueKind::Number | ValueKind::Bool => value.to_string(),
            ValueKind::None => return Err(Error::new(ErrorKind::InvalidOperation, NONE_PRINTED)),
            ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
            _ => return Err(Error::new(ErrorKind::InvalidOperation, NOT_PRINTABLE)),
        }
    };
    out.write_str(&text)
        .map_err(|_| Error::from(ErrorKind::WriteFailure))
}

/// The text that a filter works on.
fn raw(value: &Value) -> Result<String, Error> {
    if let Some(phrase) = value.downcast_object_ref::<Phrase>() {
        return Ok(phrase.raw());
    }
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Ok(value.to_string()),
        ValueKind::None => Err(Error::new(ErrorKind::InvalidOperation, NONE_PRINTED)),
        _ => Err(Error::new(ErrorKind::InvalidOperation, NOT_PRINTABLE)),
    }
}

/// `code`: a code span.
fn code(value: &Value) -> Result<Value, Error> {
    Ok(Value::from_safe_string(code_span(&raw(value)?)))
}

/// `prose`: literal text without a code span.
fn prose(value: &Value) -> Result<Value, Error> {
    Ok(Value::from_safe_string(inline(&raw(value)?)))
}

/// `cell`: for a table cell.
fn cell(value: &Value) -> Result<Value, Error> {
    let text = match value.downcast_object_ref::<Phrase>() {
        Some(phrase) => phrase.cell(),
        None => table_cell(&raw(value)?),
    };
    Ok(Value::from_safe_string(text))
}

/// `block`: a fenced block, `block("yaml")` with a language.
fn block(value: &Value, language: Option<&str>) -> Result<Value, Error> {
    let language = match language {
        Some("yaml") => "yaml",
        Some("bash") => "bash",
        Some("json") => "json",
        _ => "text",
    };
    Ok(Value::from_safe_string(code_block(
        &truncate(&raw(value)?, MAX_BLOCK),
        language,
    )))
}

/// `sh`: one word for a POSIX shell, in the middle of a line; none when the value cannot be one.
fn sh(value: &Value) -> Result<Value, Error> {
    let text = raw(value)?;
    let word = (text.chars().count() <= MAX_WORD)
        .then(|| shell_word(&text))
        .flatten();
    Ok(word.map_or(Value::from(()), |word| {
        Value::from_safe_string(word.into_owned())
    }))
}

/// `text`: the text itself, to compare it; it prints escaped.
fn text(value: &Value) -> Result<String, Error> {
    raw(value)
}

/// `sentence`: the first letter in upper case, of what prints as prose.
fn sentence(value: &Value) -> Result<Value, Error> {
    let text = match value.downcast_object_ref::<Phrase>() {
        Some(phrase) => phrase.prose(),
        None if value.is_safe() => raw(value)?,
        None => inline(&raw(value)?),
    };
    Ok(Value::from_safe_string(
        crate::report::context::capitalised(&text),
    ))
}

/// The filters and tests a template may use. Nothing here marks a text as safe that came from an
/// event: `safe`, `escape` and `tojson` are not among them.
pub(super) fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("code", |value: &Value| code(value));
    environment.add_filter("prose", |value: &Value| prose(value));
    environment.add_filter("cell", |value: &Value| cell(value));
    environment.add_filter("block", |value: &Value, language: Option<&str>| {
        block(value, language)
    });
    environment.add_filter("sh", |value: &Value| sh(value));
    environment.add_filter("text", |value: &Value| text(value));
    environment.add_filter("sentence", |value: &Value| sentence(value));
    environment.add_filter("lower", filters::lower);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("length", filters::length);
    environment.add_filter("first", filters::first);
    environment.add_filter("last", filters::last);
    environment.add_filter("default", filters::default);
    environment.add_test("none", tests::is_none);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("in", tests::is_in);
}
