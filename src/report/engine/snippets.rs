//! The last look at a finished report: what would not load in Falco is taken out.

use std::fmt::Write;

use crate::falco::{self, Fault};
use crate::markup::escape::inline;

/// The Markdown with each fenced block that Falco would not take replaced by the reason. The rule
/// that the report is about exists, whatever its name.
pub(super) fn checked(markdown: &str, rule: &str, source: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some(block) = next(rest) {
        out.push_str(block.before);
        let faults = faults(&block, &[(rule, source)]);
        if faults.is_empty() {
            out.push_str(block.whole);
        } else {
            tracing::error!(faults = faults.len(), first = %faults.first().map(ToString::to_string).unwrap_or_default(), "a snippet was left out of a report");
            let reasons: Vec<_> = faults.iter().map(ToString::to_string).collect();
            // A site's template wrote it; writing to a string cannot fail.
            let _ = writeln!(
                out,
                "A snippet was left out because Falco would not take it: {}",
                inline(&reasons.join("; "))
            );
        }
        rest = block.after;
    }
    out.push_str(rest);
    out
}

/// What is wrong with the snippets of a Markdown text.
pub(super) fn all_faults(markdown: &str, own: &[(&str, &str)]) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut rest = markdown;
    while let Some(block) = next(rest) {
        found.extend(faults(&block, own));
        rest = block.after;
    }
    found
}

/// Judges a block by its language: rules, `falco.yaml`, or commands. Other YAML is not Falco's.
fn faults(block: &Block<'_>, own: &[(&str, &str)]) -> Vec<Fault> {
    let text = block.text;
    match block.language {
        // A template that is not rendered yet.
        "yaml" if text.contains("{{") || text.contains("{%") => Vec::new(),
        "yaml" if text.trim_start().starts_with('-') => falco::check_rules(text, own),
        "yaml" if text.lines().any(|line| line.starts_with("apiVersion:")) => Vec::new(),
        "yaml" => falco::check_config(text),
        "bash" | "sh" => text
            .lines()
            .filter(|line| *line == "falco" || line.starts_with("falco "))
            .flat_map(falco::check_command)
            .collect(),
        _ => Vec::new(),
    }
}

/// A fenced block and what stands around it.
struct Block<'m> {
    before: &'m str,
    whole: &'m str,
    language: &'m str,
    text: &'m str,
    after: &'m str,
}

/// The next fenced block that begins at the margin: templates write no others.
fn next(markdown: &str) -> Option<Block<'_>> {
    let mut at = 0;
    for line in markdown.split_inclusive('\n') {
        let ticks = line.len() - line.trim_start_matches('`').len();
        if ticks < 3 {
            at += line.len();
            continue;
        }
        let (before, rest) = markdown.split_at_checked(at)?;
        let (fence, language) = line.trim_end().split_at_checked(ticks)?;
        let inner = rest.get(line.len()..)?;
        let mut end = 0;
        for line in inner.split_inclusive('\n') {
            if line.trim_end() == fence {
                let text = inner.get(..end)?;
                let (whole, after) =
                    rest.split_at_checked(rest.len() - inner.len() + end + line.len())?;
                return Some(Block {
                    before,
                    whole,
                    language: language.trim(),
                    text,
                    after,
                });
            }
            end += line.len();
        }
        return None;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falco_would_not_take_is_taken_out_with_the_reason() {
        let good = "a\n\n```yaml\njson_output: true\n```\n\n```bash\nfalco --dry-run\n```\n";
        let checked = |text: &str| checked(text, "My rule", "syscall");
        assert_eq!(checked(good), good);
        let bad =
            checked("a\n\n```yaml\n- rule: x\n```\n\nb\n\n```bash\nfalco --alert-only\n```\n\nc\n");
        insta::assert_snapshot!(bad);
        assert_eq!(all_faults(&bad, &[]), []);
        let own = "```yaml\n- rule: My rule\n  tags: [x]\n  override: { tags: append }\n```\n";
        assert_eq!(checked(own), own);
    }

    #[test]
    fn other_blocks_are_left_alone() {
        for text in [
            "```yaml\napiVersion: v1\nkind: Pod\n```\n",
            "```\n- rule: x\n```\n",
            "````yaml\n- list: x\n  items: ['```']\n````\n",
            "```yaml\nunclosed",
        ] {
            assert_eq!(checked(text, "x", "syscall"), text);
        }
    }
}
