//! The report as the text of a preset, and how it is made to fit.

use serde::Deserialize;

use crate::markup::dialect::{Dialect, markdown};
use crate::markup::document::Document;
use crate::markup::inert;
use crate::markup::text::plain_text;

/// What a product makes of text, and so how the report is written for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// Shows it as it is, or passes it on to nobody knows what.
    #[default]
    Plain,
    /// Markdown with the mentions and references of GitHub.
    Github,
    /// The same of GitLab.
    Gitlab,
    /// The same of Mattermost.
    Mattermost,
    /// The same of Discord.
    Discord,
    /// As for Mattermost, without any `@`: its servers look for mentions in code too.
    Rocketchat,
}

impl Format {
    fn dialect(self) -> Option<Dialect> {
        match self {
            Self::Plain => None,
            Self::Github => Some(Dialect::GitHub),
            Self::Gitlab => Some(Dialect::GitLab),
            Self::Mattermost | Self::Rocketchat => Some(Dialect::Mattermost),
            Self::Discord => Some(Dialect::Discord),
        }
    }
}

const SHORTENED: &str = "\nShortened: the whole report is in falco-herald.\n";

/// The report of at most `max` characters. Plain text is cut anywhere; Markdown only between its
/// parts, because half a code span would let loose what it holds.
pub(super) fn write(document: &Document, format: Format, max: usize) -> String {
    let Some(dialect) = format.dialect() else {
        return inert::block(plain_text(document).trim_end(), max);
    };
    let written = |document: &Document| {
        let text = markdown(document, dialect);
        if format == Format::Rocketchat {
            text.replace('@', "＠")
        } else {
            text
        }
    };
    let whole = written(document);
    if whole.chars().count() <= max {
        return whole;
    }
    let head = |blocks: usize| {
        let blocks = document.blocks.iter().take(blocks).cloned().collect();
        written(&Document { blocks }) + SHORTENED
    };
    let fits = |blocks: &usize| head(*blocks).chars().count() <= max;
    let counts: Vec<usize> = (0..=document.blocks.len()).collect();
    match counts.partition_point(fits).checked_sub(1) {
        Some(blocks) => head(blocks),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markup::escape::{code_block, code_span};
    use crate::markup::testing::corpus;

    #[test]
    fn markdown_is_cut_between_its_parts() {
        let text = format!(
            "# t\n\nfirst `@all` part\n\nsecond `@here` {}\n\n```text\n@channel\n```\n",
            "part ".repeat(20)
        );
        let document = Document::parse(&text);
        let whole = write(&document, Format::Mattermost, 10_000);
        let most = whole.chars().count();
        for max in 0..=most {
            let cut = write(&document, Format::Mattermost, max);
            assert!(cut.chars().count() <= max);
            let spans = cut.matches('`').count();
            assert_eq!(spans % 2, 0, "{cut}");
        }
        assert_eq!(
            write(&document, Format::Mattermost, 90),
            "# t\n\nfirst `@all` part\n\nShortened: the whole report is in falco-herald.\n"
        );
    }

    #[test]
    fn no_value_is_let_loose_by_a_cut() {
        for row in corpus() {
            let text = format!(
                "{}\n\n{}",
                code_span(&row.value),
                code_block(&row.value, "text")
            );
            let document = Document::parse(&text);
            for max in [0, 5, 60, 100, 200] {
                let plain = write(&document, Format::Plain, max);
                assert!(
                    !plain.contains(['<', '>']) && plain.chars().count() <= max,
                    "{}",
                    row.id
                );
                let cut = write(&document, Format::Github, max);
                assert!(cut.chars().count() <= max, "{}", row.id);
            }
        }
    }
}
