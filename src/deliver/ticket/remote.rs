//! What is kept about an incident's ticket.

use serde::{Deserialize, Serialize};

use super::Ticket;
use crate::deliver::{Notice, Receipt};
use crate::event::Priority;
use crate::incident::State;

/// The ticket of an incident, and what was said in it last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Remote {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) marker: String,
    /// Whether no other ticket with the marker was found since it was created.
    pub(super) verified: bool,
    /// How many alerts had come when it was last commented on.
    pub(super) count: u64,
    pub(super) severity: Option<Priority>,
    pub(super) state: Option<State>,
}

impl Remote {
    /// From this incident, or from the one before it with the same group key.
    pub(super) fn of(notice: &Notice) -> Option<Self> {
        let read = |stored: &Option<String>| serde_json::from_str::<Self>(stored.as_deref()?).ok();
        read(&notice.remote).or_else(|| {
            let previous = read(&notice.previous)?;
            // What was said there was said of another incident.
            Some(Self {
                count: 0,
                severity: None,
                state: None,
                ..previous
            })
        })
    }

    pub(super) fn found(ticket: &Ticket) -> Self {
        Self {
            id: ticket.id.clone(),
            name: ticket.name.clone(),
            marker: String::new(),
            verified: true,
            count: 0,
            severity: None,
            state: None,
        }
    }

    pub(super) fn created(ticket: &Ticket, marker: String, notice: &Notice) -> Self {
        Self {
            marker,
            verified: false,
            ..Self::found(ticket).after(notice)
        }
    }

    /// After a comment about the incident as it stands.
    pub(super) fn after(self, notice: &Notice) -> Self {
        Self {
            count: notice.incident.count,
            severity: Some(notice.incident.severity),
            state: Some(notice.incident.state),
            ..self
        }
    }

    /// Whether a comment is due: twice as many alerts as at the last one, a higher severity, another
    /// state.
    pub(super) fn is_news(&self, notice: &Notice) -> bool {
        let incident = &notice.incident;
        incident.count >= self.count.saturating_mul(2).max(1)
            || Some(incident.severity) > self.severity
            || Some(incident.state) != self.state
    }

    pub(super) fn stored(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }

    pub(super) fn receipt(&self, what: &str) -> Receipt {
        Receipt {
            detail: format!("{what} {}", self.name),
            remote: Some(self.stored()),
        }
    }
}
