//! File names are bytes: an event whose text is not Unicode must not be lost for it.
//!
//! Invalid UTF-8 and escapes of half a surrogate pair become U+FFFD, as in Go's `encoding/json`.

use std::borrow::Cow;

/// The text of an event, repaired where it needs to be.
pub(super) fn repair(raw: &[u8]) -> Cow<'_, str> {
    let text = match std::str::from_utf8(raw) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(raw),
    };
    match mend_surrogates(&text) {
        Some(mended) => Cow::Owned(mended),
        None => text,
    }
}

/// `None` when there is nothing to mend, which is nearly always.
fn mend_surrogates(text: &str) -> Option<String> {
    let mut mended: Option<String> = None;
    let mut copied = 0;
    let mut at = 0;
    while let Some(escape) = next_escape(text, at) {
        at = match surrogate(text, escape) {
            Some(High) if matches!(surrogate(text, escape + 6), Some(Low)) => escape + 12,
            Some(_) => {
                let mended = mended.get_or_insert_with(|| String::with_capacity(text.len()));
                mended.push_str(text.get(copied..escape).unwrap_or_default());
                mended.push_str("\\ufffd");
                copied = escape + 6;
                copied
            }
            None => escape + 2,
        };
    }
    let mut mended = mended?;
    mended.push_str(text.get(copied..).unwrap_or_default());
    Some(mended)
}

use Half::{High, Low};

enum Half {
    High,
    Low,
}

/// The position of the next backslash at or after `from`. Outside strings there is none in JSON.
fn next_escape(text: &str, from: usize) -> Option<usize> {
    text.get(from..)?.find('\\').map(|found| from + found)
}

/// Which half of a surrogate pair is escaped at this position.
fn surrogate(text: &str, at: usize) -> Option<Half> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    match u16::from_str_radix(digits, 16).ok()? {
        0xD800..=0xDBFF => Some(High),
        0xDC00..=0xDFFF => Some(Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_pair_is_replaced_and_a_whole_one_stays() {
        for (raw, want) in [
            (r#""a\ud800b""#, r#""a\ufffdb""#),
            (r#""\udc00\ud800""#, r#""\ufffd\ufffd""#),
            (r#""\ud800\u0041""#, r#""\ufffd\u0041""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\\ud800""#, r#""\\ud800""#),
            (r#""\ud800"#, r#""\ufffd"#),
        ] {
            assert_eq!(repair(raw.as_bytes()), want);
        }
    }

    #[test]
    fn invalid_bytes_are_replaced() {
        assert_eq!(
            repair(b"\"\xff/\xc0\xaf\""),
            "\"\u{fffd}/\u{fffd}\u{fffd}\""
        );
    }

    #[test]
    fn good_text_is_not_copied() {
        assert!(matches!(repair(br#"{"a":"b\n"}"#), Cow::Borrowed(_)));
    }
}
