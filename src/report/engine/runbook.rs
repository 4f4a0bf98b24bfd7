//! Runbooks: what is known about one rule, as blocks of text that fill a report or a page.
//!
//! A runbook begins with front matter and extends `layout`: the template of its category in a
//! report, and `runbook.md` where the runbook stands for itself.

use std::borrow::Cow;

use serde::Deserialize;

use super::RenderError;
use crate::classify::{Catalogue, Category};

/// What a runbook says about its rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontMatter {
    /// The rule's name, exactly.
    pub rule: String,
    /// Names that the rule had in older releases.
    #[serde(default)]
    pub old_names: Vec<String>,
    /// The event source.
    pub source: Option<String>,
    /// The category, whose template surrounds the runbook in a report.
    pub category: Option<Category>,
    /// MITRE tactics.
    #[serde(default)]
    pub tactics: Vec<String>,
    /// MITRE techniques.
    #[serde(default)]
    pub techniques: Vec<String>,
    /// Lists that the rule itself offers for tuning.
    #[serde(default)]
    pub lists: Vec<String>,
    /// Macros that the rule itself offers for tuning.
    #[serde(default)]
    pub macros: Vec<String>,
}

/// The slug of a rule: lower-case letters and digits with single dashes between.
pub fn slug(rule: &str) -> String {
    let words = rule
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let slug = words
        .map(str::to_ascii_lowercase)
        .collect::<Vec<_>>()
        .join("-");
    slug.chars().take(120).collect()
}

/// The names under which a rule's runbook is looked for: its own, then that of its name today.
pub(super) fn names(rule: &str) -> impl Iterator<Item = String> {
    let today = Catalogue::builtin()
        .get(rule)
        .map(|entry| entry.rule.as_str());
    let rules = [Some(rule), today.filter(|today| *today != rule)];
    rules
        .into_iter()
        .flatten()
        .map(|rule| format!("runbooks/{}.md", slug(rule)))
}

/// A template's text with the front matter replaced by empty lines, so that errors still name the
/// right line.
pub(super) fn body(text: &str) -> Cow<'_, str> {
    match matter(text) {
        None => Cow::Borrowed(text),
        Some((matter, rest)) => {
            let lines = matter.lines().count() + 2;
            Cow::Owned("\n".repeat(lines) + rest)
        }
    }
}

/// The front matter of the template `name`, when it has any.
pub(super) fn front_matter(name: &str, text: &str) -> Result<Option<FrontMatter>, RenderError> {
    let Some((matter, _)) = matter(text) else {
        return Ok(None);
    };
    let read = serde_saphyr::from_str(matter).map_err(|error| RenderError::Template {
        name: name.to_owned(),
        line: error
            .location()
            .map_or(1, |at| usize::try_from(at.line()).unwrap_or(0) + 1),
        what: format!("front matter: {}", error.without_snippet()),
    })?;
    Ok(Some(read))
}

/// The text between two lines of dashes at the beginning, and what follows.
fn matter(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("---\n")?;
    let (matter, rest) = rest.split_once("\n---")?;
    Some((matter, rest.strip_prefix('\n').unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_is_read_and_leaves_the_lines_where_they_are() {
        let text = "---\nrule: My rule\nlists: [a]\n---\n{% extends layout %}\n";
        let matter = front_matter("x", text).unwrap().unwrap();
        assert_eq!((matter.rule.as_str(), matter.lists.len()), ("My rule", 1));
        assert_eq!(body(text), "\n\n\n\n{% extends layout %}\n");
        assert!(front_matter("x", "no matter").unwrap().is_none());
        let error = front_matter("runbooks/x.md", "---\nrule: x\nruel: y\n---\n").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("runbooks/x.md:3: front matter: "),
            "{error}"
        );
    }

    #[test]
    fn slugs_hold_nothing_that_a_path_could_be_made_of() {
        assert_eq!(slug("Attach/Exec Pod"), "attach-exec-pod");
        assert_eq!(slug("../../etc/passwd\0"), "etc-passwd");
        assert_eq!(slug("Ünïcode (x)"), "n-code-x");
    }
}
