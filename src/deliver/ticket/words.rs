//! What comments say: Markdown of ours.

use jiff::Timestamp;

use crate::deliver::Notice;
use crate::incident::State;
use crate::markup::escape::inline;
use crate::markup::visible::one_line;

/// The incident as it stands.
pub(super) fn comment(notice: &Notice) -> String {
    let incident = &notice.incident;
    let (first, last) = (
        moment(incident.first_received),
        moment(incident.last_received),
    );
    let alerts = match incident.count {
        1 => format!("1 alert, at {last}"),
        count => format!("{count} alerts in all, the first {first}, the latest {last}"),
    };
    let by = incident.handled.as_ref();
    let by = by.map(|handled| format!(" by {}", inline(&one_line(handled.by.raw()))));
    let by = by.unwrap_or_default();
    let state = match incident.state {
        State::Open => "It goes on".to_owned(),
        State::Acknowledged => format!("Acknowledged{by}"),
        State::Quiet => "Quiet: nothing further has happened".to_owned(),
        State::Closed => format!("Closed{by}"),
    };
    format!("{state}. **{alerts}.** Severity: {}.", incident.severity)
}

/// Why a ticket of ours is closed at once.
pub(super) fn duplicate(name: &str) -> String {
    format!(
        "The same trouble already has a ticket, {}: closed as its duplicate.",
        inline(name)
    )
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
