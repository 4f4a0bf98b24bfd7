//! As much of a report as a tracker has room for.

use crate::markup::document::{Block, Document, Inline};
use crate::report::Report;

const SHORTENED: &str = "Shortened: the whole report has no room here.";

/// The report in a tracker's format, without its last parts where the whole has no room.
pub(in crate::deliver) fn fitted<T>(
    report: &Report,
    write: impl Fn(&Document) -> T,
    fits: impl Fn(&T) -> bool,
) -> T {
    let mut document = Document::parse(&report.markdown);
    let mut kept = document.blocks.len();
    loop {
        let written = write(&document);
        if fits(&written) || kept == 0 {
            return written;
        }
        kept -= 1;
        document.blocks.truncate(kept);
        let note = vec![Inline::Emphasis(vec![Inline::Text(SHORTENED.to_owned())])];
        document.blocks.push(Block::Paragraph(note));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::NoticeKind;
    use crate::deliver::testing::long;
    use crate::markup::text::plain_text;

    #[test]
    fn a_report_loses_its_last_parts_until_it_fits() {
        let report = long(NoticeKind::Open).report;
        let fitted = |room: usize| fitted(&report, plain_text, |text| text.len() <= room);
        assert_eq!(
            fitted(1_000_000),
            plain_text(&Document::parse(&report.markdown))
        );
        let text = fitted(5_000);
        assert!(text.len() <= 5_000 && text.len() > 3_000);
        assert!(text.starts_with("Terminal shell") && text.contains("Part 1"));
        assert!(
            text.trim_end()
                .ends_with("Shortened: the whole report has no room here.")
        );
        assert_eq!(
            fitted(0).trim_end(),
            "Shortened: the whole report has no room here."
        );
    }
}
