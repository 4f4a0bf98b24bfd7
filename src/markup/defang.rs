//! Addresses that clients cannot follow, as analysts write them.

use std::borrow::Cow;

/// The text with `http://` as `hxxp://`, other schemes as `scheme[:]//`, and `www.` as `www[.]`: many
/// products link and fetch an address wherever it stands.
pub(super) fn defang(text: &str) -> Cow<'_, str> {
    let has_www = text
        .as_bytes()
        .windows(4)
        .any(|w| w.eq_ignore_ascii_case(b"www."));
    if !text.contains("://") && !has_www {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at);
        let start = before
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .map_or(0, |at| {
                at + before
                    .get(at..)
                    .and_then(|rest| rest.chars().next())
                    .map_or(1, char::len_utf8)
            });
        let (prefix, scheme) = before.split_at(start);
        out.push_str(prefix);
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => {
                out.push_str(scheme.get(..1).unwrap_or_default());
                out.push_str("xx");
                out.push_str(scheme.get(3..).unwrap_or_default());
                out.push_str("://");
            }
            _ => {
                out.push_str(scheme);
                out.push_str("[:]//");
            }
        }
        rest = after.get(3..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(if has_www { without_www(&out) } else { out })
}

fn without_www(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find("www.") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        out.push_str(after.get(..3).unwrap_or_default());
        out.push_str("[.]");
        rest = after.get(4..).unwrap_or_default();
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_readable_and_dead() {
        for (live, dead) in [
            ("curl https://evil.example/x", "curl hxxps://evil.example/x"),
            ("HTTP://A", "HxxP://A"),
            ("a,ftp://x b", "a,ftp[:]//x b"),
            ("WWW.evil.example", "WWW[.]evil.example"),
            ("://", "[:]//"),
            ("no address", "no address"),
            ("é日https://x", "é日hxxps://x"),
        ] {
            assert_eq!(defang(live), dead);
        }
    }
}
