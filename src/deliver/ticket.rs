//! Tickets: one open ticket for one kind of trouble, whatever happens in between.
//!
//! The engine decides, a [`Tracker`] knows one product. The store is asked first: where an incident,
//! or the one before it with the same group key, has a ticket, that is the ticket. Only where the
//! store knows none is the tracker searched, by a marker that follows from the group key alone; a
//! search that fails is no answer, and nothing is created on it. After a creation the marker is looked
//! for again, and of several tickets the oldest stays.
//!
//! The description is written once. What follows are comments, at growing intervals.

pub(super) mod api;
mod remote;
pub(super) mod room;
mod words;

use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Destination, Notice, NoticeKind, Pace, Receipt, SendError, Verdict};
use crate::clock::{Clock, later};
use crate::incident::{GroupKey, State};
use crate::report::Report;
use crate::units::Span;
use remote::Remote;

/// How often a new ticket is looked for in a tracker whose search lags, and how long in between.
const LOOKS: (u32, Duration) = (4, Duration::from_secs(2));

/// How tickets follow their incidents.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TicketConfig {
    /// For how long after it was closed a ticket is opened again by a new alert; later, a new one is
    /// created. One that was closed as not to be done stays closed.
    pub reopen_within: Span,
    /// Whether a ticket is closed when its incident goes quiet. One whose incident a person closed is
    /// always closed.
    pub close_when_quiet: bool,
}

impl Default for TicketConfig {
    fn default() -> Self {
        Self {
            reopen_within: Span(Duration::from_hours(7 * 24)),
            close_when_quiet: false,
        }
    }
}

/// What a new ticket holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft<'a> {
    /// Title and description.
    pub(super) report: &'a Report,
    /// To be written where [`Tracker::find`] finds it: letters, digits and `-`.
    pub(super) marker: &'a str,
}

/// A ticket in the tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// How the tracker's API names it.
    pub(super) id: String,
    /// How people name it, such as `SEC-7`.
    pub(super) name: String,
    /// Grows with the time of creation.
    pub(super) order: i64,
    /// Where it stands.
    pub(super) status: Status,
}

impl Ticket {
    /// One that its tracker knows by a number, and people too.
    pub(super) fn numbered(number: i64, status: Status) -> Self {
        Self {
            id: number.to_string(),
            name: format!("#{number}"),
            order: number,
            status,
        }
    }
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Somebody has something to do.
    Open,
    /// Done.
    Closed {
        /// When, if the tracker says so.
        at: Option<Timestamp>,
        /// Whether it was closed as not to be done.
        wont_fix: bool,
    },
}

/// One product. Every call is one or a few requests; an error says whether to try again.
pub(super) trait Tracker: Send + Sync + std::fmt::Debug {
    /// Creates a ticket. An error may mean that it exists nevertheless.
    fn create<'a>(&'a self, draft: Draft<'a>) -> BoxFuture<'a, Result<Ticket, SendError>>;

    /// Whether a new ticket can hold the marker, as far as can be told without making one.
    fn takes_marker(&self) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// All tickets with this marker, open or closed, in any order.
    fn find<'a>(&'a self, marker: &'a str) -> BoxFuture<'a, Result<Vec<Ticket>, SendError>>;

    /// A ticket by its id; `None` when it is gone.
    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Ticket>, SendError>>;

    /// Adds a comment, in Markdown of ours.
    fn comment<'a>(&'a self, id: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), SendError>>;

    /// Opens a closed ticket again.
    fn reopen<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>>;

    /// Closes an open ticket.
    fn close<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>>;
}

/// A tracker as a destination.
#[derive(Debug)]
pub(super) struct Tickets<T> {
    tracker: T,
    clock: Clock,
    reopen_within: Duration,
    close_when_quiet: bool,
}

impl<T> Tickets<T> {
    pub(super) fn new(tracker: T, config: &TicketConfig, clock: Clock) -> Self {
        Self {
            tracker,
            clock,
            reopen_within: config.reopen_within.0,
            close_when_quiet: config.close_when_quiet,
        }
    }
}

/// The same for every incident of a group key, in every process that has the same routes.
fn marker(key: &GroupKey) -> String {
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let (short, _) = hash.split_first_chunk::<8>().expect("a hash is longer");
    format!("falco-herald-{:016x}", u64::from_be_bytes(*short))
}

impl<T: Tracker> Tickets<T> {
    async fn tell(&self, notice: &Notice) -> Result<Receipt, SendError> {
        let known = Remote::of(notice);
        let Some(mut remote) = known else {
            return self.open(notice, None).await;
        };
        if !remote.verified {
            remote = self.verified(remote).await?;
        }
        let kept = |error: SendError| error.of_object().with_remote(remote.stored());
        match self.tracker.read(&remote.id).await.map_err(kept)? {
            Some(ticket) => self.go_on(notice, remote, &ticket).await,
            None => self.open(notice, None).await,
        }
    }

    /// Finds the ticket of an incident that the store knows none of, or creates it. `past` is a ticket
    /// that was closed too long ago.
    async fn open(&self, notice: &Notice, past: Option<&str>) -> Result<Receipt, SendError> {
        let marker = marker(&notice.incident.key);
        let found = self.tracker.find(&marker).await.map_err(unknown)?;
        let candidates = found
            .iter()
            .filter(|ticket| Some(ticket.id.as_str()) != past);
        let usable = candidates.filter(|ticket| !self.is_past(ticket.status));
        // An open one, and of several the oldest, or else the one that was closed last.
        let best = usable.min_by_key(|ticket| match ticket.status {
            Status::Open => (0, ticket.order),
            Status::Closed { .. } => (1, -ticket.order),
        });
        if let Some(ticket) = best {
            return self.go_on(notice, Remote::found(ticket), ticket).await;
        }
        let draft = Draft {
            report: &notice.report,
            marker: &marker,
        };
        let ticket = self.tracker.create(draft).await?;
        let remote = Remote::created(&ticket, marker, notice);
        let mine = ticket.id.clone();
        let remote = self.verified(remote).await?;
        let what = if remote.id == mine {
            "created"
        } else {
            "another process was first with"
        };
        Ok(remote.receipt(what))
    }

    /// Makes sure that no other ticket has the marker: the oldest stays, ours is closed.
    async fn verified(&self, mut remote: Remote) -> Result<Remote, SendError> {
        let (looks, pause) = LOOKS;
        for look in 0..looks {
            if look > 0 {
                self.clock.sleep(pause).await;
            }
            let found = self.tracker.find(&remote.marker).await;
            let found = found.map_err(|error| unknown(error).with_remote(remote.stored()))?;
            if !found.iter().any(|ticket| ticket.id == remote.id) {
                // The search lags: what it does not show may be there.
                continue;
            }
            let open = found.iter().filter(|ticket| ticket.status == Status::Open);
            let oldest = open.min_by_key(|ticket| ticket.order);
            remote.verified = true;
            let Some(other) = oldest.filter(|oldest| oldest.id != remote.id) else {
                return Ok(remote);
            };
            let kept = |error: SendError| error.of_object().with_remote(remote.stored());
            let text = words::duplicate(&other.name);
            self.tracker
                .comment(&remote.id, &text)
                .await
                .map_err(kept)?;
            self.tracker.close(&remote.id).await.map_err(kept)?;
            return Ok(Remote {
                id: other.id.clone(),
                name: other.name.clone(),
                ..remote
            });
        }
        Ok(remote)
    }

    async fn go_on(
        &self,
        notice: &Notice,
        remote: Remote,
        ticket: &Ticket,
    ) -> Result<Receipt, SendError> {
        let ended = matches!(notice.incident.state, State::Quiet | State::Closed);
        match ticket.status {
            Status::Open if self.closes(notice) => {
                let remote = self.say(notice, remote).await?;
                let closed = self.tracker.close(&ticket.id).await;
                closed.map_err(|error| error.of_object().with_remote(remote.stored()))?;
                Ok(remote.receipt("closed"))
            }
            Status::Open if remote.is_news(notice) => {
                Ok(self.say(notice, remote).await?.receipt("commented on"))
            }
            Status::Open => Ok(remote.receipt("counted, without a new comment, for")),
            Status::Closed { .. } if ended => Ok(remote.receipt("it is closed already:")),
            Status::Closed { .. } if notice.incident.count <= remote.count => {
                Ok(remote.receipt("nothing is new since it was closed:"))
            }
            Status::Closed { wont_fix: true, .. } => {
                Ok(remote.receipt("left alone, because it is not to be done:"))
            }
            status if self.is_past(status) => Box::pin(self.open(notice, Some(&ticket.id))).await,
            Status::Closed { .. } => {
                let reopened = self.tracker.reopen(&ticket.id).await;
                reopened.map_err(|error| error.of_object().with_remote(remote.stored()))?;
                Ok(self.say(notice, remote).await?.receipt("opened again:"))
            }
        }
    }

    async fn say(&self, notice: &Notice, remote: Remote) -> Result<Remote, SendError> {
        let text = words::comment(notice);
        let said = self.tracker.comment(&remote.id, &text).await;
        said.map_err(|error| error.of_object().with_remote(remote.stored()))?;
        Ok(remote.after(notice))
    }

    fn closes(&self, notice: &Notice) -> bool {
        match notice.incident.state {
            State::Closed => true,
            State::Quiet => self.close_when_quiet && notice.kind == NoticeKind::Close,
            State::Open | State::Acknowledged => false,
        }
    }

    /// Whether it was closed too long ago to go on with.
    fn is_past(&self, status: Status) -> bool {
        let Status::Closed { at: Some(at), .. } = status else {
            return false;
        };
        later(at, self.reopen_within) <= self.clock.now()
    }
}

/// A search that failed is no answer: whatever the reason, nothing is created, and it is tried again.
fn unknown(error: SendError) -> SendError {
    let after = match error.verdict {
        Verdict::Retry { after } => after,
        Verdict::Unacceptable | Verdict::Fail | Verdict::Pause { .. } | Verdict::Forbidden => None,
    };
    match error.verdict {
        // Wrong credentials do not become right.
        Verdict::Fail | Verdict::Pause { .. } | Verdict::Forbidden => error,
        _ => SendError::retry(format!("cannot search: {}", error.reason), after),
    }
}

impl<T: Tracker> Destination for Tickets<T> {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(self.tell(notice))
    }

    fn probe(&self) -> Option<BoxFuture<'_, Result<String, SendError>>> {
        // Nothing has this marker; that the search says so shows that it works.
        Some(Box::pin(async move {
            self.tracker.find("falco-herald-0000000000000000").await?;
            self.tracker.takes_marker().await?;
            Ok("tickets can be searched by the marker".to_owned())
        }))
    }

    fn pace(&self) -> Pace {
        Pace {
            concurrency: 1,
            interval: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests;
