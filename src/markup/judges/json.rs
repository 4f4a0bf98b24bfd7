//! Formats that are JSON: a tree of literal texts. Its shape must not depend on a value.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use super::{HARMLESS, Shown, document, report};
use crate::markup::{
    adf as adf_format, slack as slack_format, teams as teams_format, telegram as telegram_format,
};

/// The tree without its texts, and the texts in order. A text is what stands under `text`.
fn taken_apart(value: &Value) -> (Value, Vec<String>) {
    let mut texts = Vec::new();
    let shape = strip(value, "", &mut texts);
    (shape, texts)
}

fn strip(value: &Value, key: &str, texts: &mut Vec<String>) -> Value {
    match value {
        Value::String(text) if key == "text" => {
            texts.push(text.clone());
            Value::Null
        }
        Value::Array(items) => items.iter().map(|item| strip(item, "", texts)).collect(),
        Value::Object(map) => {
            let inner = map
                .iter()
                .map(|(key, value)| (key.clone(), strip(value, key, texts)));
            Value::Object(inner.collect())
        }
        other => other.clone(),
    }
}

fn compare(got: &Value, harmless: &Value, shown: &Shown) -> Result<(), String> {
    let (shape, texts) = taken_apart(got);
    let (wanted_shape, wanted_texts) = taken_apart(harmless);
    if shape != wanted_shape {
        return Err(format!("another shape: {shape}"));
    }
    for (text, wanted) in texts.iter().zip(&wanted_texts) {
        let line = wanted.replace(HARMLESS, &shown.line);
        let block = wanted.replace(HARMLESS, &shown.block);
        let cell = wanted.replace(HARMLESS, &shown.cell);
        if ![&line, &block, &cell].contains(&text) {
            return Err(format!("{text:?} is not {line:?}"));
        }
    }
    Ok(())
}

pub(super) fn slack(value: &str) -> Result<(), String> {
    crate::markup::slack::tests::check(value)?;
    // Slack expands nothing in rich text; in the fallback text it does.
    let message = slack_format::message(&report(value));
    let fallback = &message.head.text;
    if fallback.contains(['<', '>']) {
        return Err(format!("live in the fallback: {fallback}"));
    }
    Ok(())
}

pub(super) fn adf(value: &str) -> Result<(), String> {
    static SCHEMA: LazyLock<Option<Validator>> = LazyLock::new(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers/adf-schema.json");
        let schema = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
        jsonschema::validator_for(&schema).ok()
    });
    let shown = Shown::of(value);
    let adf = adf_format::adf(&document(value));
    if let Some(schema) = &*SCHEMA
        && let Err(error) = schema.validate(&adf)
    {
        return Err(error.to_string());
    }
    compare(&adf, &adf_format::adf(&document(HARMLESS)), &shown)
}

pub(super) fn teams(value: &str) -> Result<(), String> {
    let shown = Shown::of(value);
    let (got, harmless) = (
        teams_format::teams(&document(value)),
        teams_format::teams(&document(HARMLESS)),
    );
    let text = got.to_string();
    for live in ["\"entities\"", "TextBlock", "FactSet"] {
        if text.contains(live)
            && !harmless.to_string().contains(live)
            && !value.contains(live.trim_matches('"'))
        {
            return Err(format!("holds {live}"));
        }
    }
    if value.len() > 2_000 {
        // The card is cut to its size.
        return if text.len() <= 24 * 1024 {
            Ok(())
        } else {
            Err("too large".to_owned())
        };
    }
    if value.contains('\n') {
        // Each line of a block is an element; the other slots are compared.
        let one = value.replace('\n', " ");
        let got = teams_format::teams(&document(&one));
        return compare(&got, &harmless, &Shown::of(&one));
    }
    compare(&got, &harmless, &shown)
}

pub(super) fn telegram(value: &str) -> Result<(), String> {
    let shown = Shown::of(value);
    let messages = telegram_format::telegram(&report(value));
    let mut all = String::new();
    for message in &messages {
        let text = message["text"].as_str().ok_or("no text")?;
        let units: Vec<u16> = text.encode_utf16().collect();
        if units.len() > 4_096 || units.is_empty() {
            return Err(format!("{} units", units.len()));
        }
        for entity in message["entities"].as_array().into_iter().flatten() {
            let at = |key: &str| {
                usize::try_from(entity[key].as_u64().unwrap_or(u64::MAX)).unwrap_or(usize::MAX)
            };
            let range = at("offset")..at("offset").saturating_add(at("length"));
            let part = units.get(range).ok_or("an entity beyond the text")?;
            let part = String::from_utf16(part).map_err(|_| "an entity inside a character")?;
            if part.trim().is_empty() {
                return Err("an entity without text".to_owned());
            }
            let kind = entity["type"].as_str().unwrap_or_default();
            if !matches!(
                kind,
                "bold" | "code" | "pre" | "italic" | "strikethrough" | "text_link"
            ) {
                return Err(format!("an entity of type {kind}"));
            }
        }
        all.push_str(text);
    }
    if shown.line.len() < 1_500 && !(all.contains(&shown.line) && all.contains(&shown.block)) {
        return Err(format!("{:?} is not in {all:?}", shown.line));
    }
    Ok(())
}
