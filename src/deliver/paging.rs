//! What the kinds that wake people have in common: which calls a notice asks for, and what is known
//! of an incident as short inert lines.

use std::time::Duration;

use super::{Notice, NoticeKind};
use crate::incident::State;
use crate::markup::document::Document;
use crate::markup::inert;
use crate::markup::text::plain_text;

/// How much of one value is told. Pagers cut or refuse what is longer than a screen.
const VALUE: usize = 1_000;

/// More labels than this are left out; a group key has a handful.
const LABELS: usize = 32;

/// One call to a pager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Opens the alert, adds to an open one, or opens a new one after the end of the former.
    Trigger,
    /// Says that somebody has taken it.
    Acknowledge,
    /// Ends it.
    Resolve,
}

impl Act {
    /// The word kept as [`Notice::remote`].
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Trigger => "triggered",
            Self::Acknowledge => "acknowledged",
            Self::Resolve => "resolved",
        }
    }
}

/// The calls that bring the pager to where the incident stands. Pagers drop an acknowledgement or an
/// end of what they do not know without a word, so what was never told there, or was ended there in
/// the meantime, is opened first.
pub(super) fn acts(notice: &Notice) -> Vec<Act> {
    let last = if is_over(notice) {
        Act::Resolve
    } else if notice.incident.state == State::Acknowledged {
        Act::Acknowledge
    } else {
        return vec![Act::Trigger];
    };
    let stands = match notice.remote.as_deref() {
        Some("triggered" | "acknowledged") => true,
        // Ended twice is ended once.
        Some("resolved") => last == Act::Resolve,
        // Never told, or by another kind of destination under the same name.
        _ => false,
    };
    if stands {
        vec![last]
    } else {
        vec![Act::Trigger, last]
    }
}

/// Whether the incident ended.
pub(super) fn is_over(notice: &Notice) -> bool {
    notice.kind == NoticeKind::Close
        || matches!(notice.incident.state, State::Quiet | State::Closed)
}

/// What is known of the incident, as names and inert lines.
pub(super) fn facts(notice: &Notice) -> Vec<(&'static str, String)> {
    let incident = &notice.incident;
    let mut facts = vec![
        ("rule", inert::line(incident.rule.raw(), VALUE)),
        ("category", incident.category.title().to_owned()),
        ("severity", incident.severity.to_string()),
        ("state", incident.state.name().to_owned()),
        ("count", incident.count.to_string()),
        ("first_received", incident.first_received.to_string()),
        ("last_received", incident.last_received.to_string()),
        ("incident", incident.uid.to_string()),
    ];
    if let Some(handled) = &incident.handled {
        facts.push(("handled_by", inert::line(handled.by.raw(), VALUE)));
    }
    facts
}

/// The fields that the incident's alerts share, as inert lines.
pub(super) fn labels(notice: &Notice) -> impl Iterator<Item = (String, String)> {
    let labels = notice.incident.labels.iter().take(LABELS);
    labels.map(|(name, value)| (inert::line(name, 200), inert::line(value.raw(), VALUE)))
}

/// The label of that name.
pub(super) fn label(notice: &Notice, name: &str) -> Option<String> {
    let mut labels = notice.incident.labels.iter();
    let (_, value) = labels.find(|(known, value)| known == name && !value.is_missing())?;
    Some(inert::line(value.raw(), 200))
}

/// The title, of at most `max` characters; never empty, because pagers refuse that.
pub(super) fn summary(notice: &Notice, max: usize) -> String {
    inert::title(&notice.report.title, max)
}

/// The report as inert plain text of at most `max` characters.
pub(super) fn report(notice: &Notice, max: usize) -> String {
    let text = plain_text(&Document::parse(&notice.report.markdown));
    inert::block(text.trim_end(), max)
}

/// A pace for pagers that count requests a minute.
pub(super) const BETWEEN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::testing::{notice, now, titled};
    use crate::incident::Handled;
    use crate::markup::escape::{code_block, inline};
    use crate::markup::testing::corpus;

    #[test]
    fn every_way_through_an_incident_ends_where_it_stands() {
        use Act::{Acknowledge, Resolve, Trigger};
        for (state, told, expected) in [
            (State::Open, None, vec![Trigger]),
            (State::Open, Some(Trigger), vec![Trigger]),
            (State::Open, Some(Resolve), vec![Trigger]),
            (State::Acknowledged, None, vec![Trigger, Acknowledge]),
            (State::Acknowledged, Some(Trigger), vec![Acknowledge]),
            (
                State::Acknowledged,
                Some(Resolve),
                vec![Trigger, Acknowledge],
            ),
            (State::Quiet, None, vec![Trigger, Resolve]),
            (State::Quiet, Some(Trigger), vec![Resolve]),
            (State::Closed, Some(Acknowledge), vec![Resolve]),
            (State::Closed, Some(Resolve), vec![Resolve]),
        ] {
            let mut notice = notice(NoticeKind::Update);
            notice.incident.state = state;
            notice.remote = told.map(|act| act.name().to_owned());
            assert_eq!(acts(&notice), expected, "{state:?} {told:?}");
        }
    }

    #[test]
    fn no_value_of_the_corpus_is_live_in_anything_that_is_told() {
        for row in corpus() {
            let value = row.value.as_str();
            let mut notice = titled(NoticeKind::Open, value);
            notice.incident.labels = vec![(value.to_owned(), value.into())];
            notice.incident.handled = Some(Handled {
                by: value.into(),
                at: now(),
            });
            notice.report.markdown = format!("# {}\n\n{}", inline(value), code_block(value, ""));
            let lines = facts(&notice).into_iter().map(|(_, text)| text);
            let labels = labels(&notice).flat_map(|(name, text)| [name, text]);
            let lines = lines.chain(labels).chain([summary(&notice, 1_000)]);
            for line in lines {
                let live = line.contains(['<', '>', '@']) || line.contains("http://");
                assert!(
                    !live && !line.contains(char::is_control),
                    "{}: {line}",
                    row.id
                );
            }
            let report = report(&notice, 10_000);
            let live = report.contains(['<', '>', '@']) || report.contains("https://");
            assert!(!live, "{}: {report}", row.id);
        }
    }

    #[test]
    fn an_empty_title_is_still_a_summary() {
        let mut notice = notice(NoticeKind::Open);
        notice.report.title = " ".to_owned();
        assert_eq!(summary(&notice, 10), "A Falco alert");
    }
}
