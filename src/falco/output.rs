//! The text of a rule's `output`.

use super::fields;

/// What is wrong with an output.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut fields_named = 0;
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        rest = rest.get(at + 1..).unwrap_or_default();
        let name: &str = {
            let after = rest.strip_prefix('*').unwrap_or(rest);
            let mut bracket = false;
            let end = after.find(|c: char| {
                bracket = bracket && c != ']' || c == '[';
                !(bracket || c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ']'))
            });
            after.get(..end.unwrap_or(after.len())).unwrap_or_default()
        };
        let name = name.trim_end_matches('.');
        if name.is_empty() {
            return Err("a `%` must be followed by a field".to_owned());
        }
        if name == "container.info" {
            return Err("`%container.info` is deprecated and expands to nothing".to_owned());
        }
        if !name.contains('.') {
            return Err(format!("`%{name}` names no field"));
        }
        fields::field(name)?;
        fields_named += 1;
    }
    if fields_named == 0 {
        return Err(
            "an output without fields tells nothing; name some, such as `%proc.cmdline`".to_owned(),
        );
    }
    Ok(())
}
