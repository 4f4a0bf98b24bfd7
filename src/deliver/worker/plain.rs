//! What is said when the report cannot be: plainer words, or none of the event.

use crate::deliver::Notice;
use crate::markup::escape::inline;
use crate::markup::visible::{one_line, truncate};
use crate::report::{Report, Subject};

/// The same notice in ASCII, without markup and without the event.
pub(super) fn plainly(notice: &Notice, remote: Option<String>, reason: &str) -> Notice {
    let ascii = |text: &str| truncate(&ascii(text), 300).into_owned();
    let (title, lead) = (ascii(&notice.report.title), ascii(&notice.report.lead));
    Notice {
        report: Report {
            markdown: format!(
                "# {}\n\n{}\n\nThe full report was refused ({}); it is stored with this delivery.\n",
                inline(&title),
                inline(&lead),
                inline(reason)
            ),
            title,
            lead,
            severity: notice.report.severity,
        },
        event: b"null".to_vec(),
        remote: remote.or_else(|| notice.remote.clone()),
        ..notice.clone()
    }
}

/// A notice that holds no text of the event: only what Herald itself knows.
pub(super) fn without_text(notice: &Notice, remote: Option<String>) -> Notice {
    let title = "A Falco alert that this destination does not take".to_owned();
    let lead = format!(
        "{}, {} events, incident {}.",
        notice.incident.severity, notice.incident.count, notice.incident.uid
    );
    let mut incident = notice.incident.clone();
    incident.rule = "withheld".into();
    incident.labels.clear();
    Notice {
        report: Report {
            markdown: format!("# {title}\n\n{lead}\n"),
            title,
            lead,
            severity: notice.report.severity,
        },
        incident,
        event: b"null".to_vec(),
        remote: remote.or_else(|| notice.remote.clone()),
        ..notice.clone()
    }
}

/// Characters beyond ASCII as `\u{...}`.
fn ascii(text: &str) -> String {
    let escape = |c: char| {
        if c.is_ascii() {
            c.to_string()
        } else {
            c.escape_unicode().to_string()
        }
    };
    one_line(text).chars().map(escape).collect()
}

/// The plainest report that says what happened, when no template can.
pub(super) fn fallback(subject: &Subject<'_>) -> Report {
    let rule = one_line(subject.incident.rule.raw()).into_owned();
    let lead = format!(
        "{} events of this rule, the latest received {} UTC.",
        subject.incident.count,
        subject.incident.last_received.strftime("%Y-%m-%d %H:%M:%S")
    );
    Report {
        markdown: format!(
            "# Falco alert: {}\n\n{lead} The report template failed; the event is stored as posted.\n",
            inline(&rule)
        ),
        title: truncate(&rule, 200).into_owned(),
        lead,
        severity: subject.incident.severity,
    }
}
