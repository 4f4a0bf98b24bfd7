//! What every tracker must do, told to a strict, stateful fake of it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::contract::{self, Keeps};
use super::http::{Peer, Planned, Taken};
use super::{CANARY, HOSTILE, hostile_notices, notice, peers, send, titled};
use crate::deliver::{Destination, Notice, NoticeKind, Verdict};
use crate::incident::State;

/// A tracker's tickets, each as its own API shows it.
pub(in crate::deliver) type Shelf = Vec<Value>;

/// What a fake answers to a request.
pub(in crate::deliver) type Answer = fn(&Taken, &mut Shelf) -> (u16, Value);

/// A fake tracker with a destination that talks to it.
#[derive(Debug)]
pub(in crate::deliver) struct Bench {
    shelf: Arc<Mutex<Shelf>>,
    pub(in crate::deliver) peer: Peer,
    pub(in crate::deliver) destination: Arc<dyn Destination>,
    /// How people name the first ticket.
    name: &'static str,
    notice: Notice,
}

impl Bench {
    /// `answer` is the fake; `build` makes the destination for its address.
    pub(in crate::deliver) async fn start(
        name: &'static str,
        answer: Answer,
        build: impl FnOnce(&str) -> Arc<dyn Destination>,
    ) -> Self {
        let shelf: Arc<Mutex<Shelf>> = Arc::default();
        let shared = Arc::clone(&shelf);
        let peer = Peer::replying(move |taken| {
            let (status, body) = answer(taken, &mut shared.lock().unwrap());
            let body = if body.is_null() {
                String::new()
            } else {
                body.to_string()
            };
            (status, body)
        })
        .await;
        Self {
            shelf,
            destination: build(&peer.url),
            peer,
            name,
            notice: notice(NoticeKind::Open),
        }
    }

    pub(in crate::deliver) fn change<R>(&self, change: impl FnOnce(&mut Shelf) -> R) -> R {
        change(&mut self.shelf.lock().unwrap())
    }

    /// Sends the incident with so many alerts, and keeps what the store would keep.
    pub(in crate::deliver) async fn send(&mut self, count: u64, state: State) -> String {
        self.notice.incident.count = count;
        self.notice.incident.state = state;
        let receipt = send(&*self.destination, &self.notice).await.unwrap();
        self.notice.remote = receipt.remote;
        receipt.detail.replace(self.name, "T")
    }

    /// Opened, commented on, closed and opened again, as the incident is; a limit is waited for and
    /// nothing is said twice.
    pub(in crate::deliver) async fn lives(&mut self) {
        let limit = || contract::limit(&self.peer);
        let standing = || self.change(|shelf| shelf.len());
        contract::lives(&*self.destination, Keeps::One, limit, standing).await;
        self.change(Vec::clear);
        for (count, state, said) in [
            (1, State::Open, "created T"),
            (2, State::Open, "commented on T"),
            (3, State::Open, "counted, without a new comment, for T"),
            (3, State::Acknowledged, "commented on T"),
            (3, State::Closed, "closed T"),
            (3, State::Closed, "it is closed already: T"),
            (4, State::Open, "opened again: T"),
        ] {
            assert_eq!(self.send(count, state).await, said);
        }
        assert_eq!(self.change(|shelf| shelf.len()), 1);
    }

    /// What `check --live` finds.
    pub(in crate::deliver) async fn probed(&self) -> String {
        let found = self.destination.probe().unwrap().await;
        assert_eq!(self.change(|shelf| shelf.len()), 0, "nothing is made");
        found.unwrap_or_else(|error| error.reason)
    }

    /// A ticket that `close` has closed as not to be done stays closed.
    pub(in crate::deliver) async fn stays_closed(&mut self, close: impl FnOnce(&mut Value)) {
        self.send(1, State::Open).await;
        self.change(|shelf| close(&mut shelf[0]));
        let said = self.send(99, State::Open).await;
        assert_eq!(said, "left alone, because it is not to be done: T");
    }

    /// A ticket whose answer was lost is found again by its marker, and one that was deleted is
    /// replaced.
    pub(in crate::deliver) async fn is_found_again(&mut self) {
        self.send(1, State::Open).await;
        self.forget();
        assert_eq!(self.send(2, State::Open).await, "commented on T");
        self.change(|shelf| shelf[0] = json!({}));
        let said = self.send(4, State::Open).await;
        assert!(
            said.starts_with("created ") && said != "created T",
            "{said}"
        );
    }

    /// The vendor's own client finds the ticket, comments on it and closes it, and what it has done is
    /// understood.
    pub(in crate::deliver) async fn is_shared_with(&mut self, client: &'static str) {
        self.send(1, State::Open).await;
        if peers::client(client, &self.peer.url).await {
            assert_eq!(self.send(4, State::Open).await, "opened again: T");
        }
    }

    /// The store knows no ticket any more.
    pub(in crate::deliver) fn forget(&mut self) {
        self.notice.remote = None;
    }

    /// Why the incident in another state is not told for good.
    pub(in crate::deliver) async fn refused(&mut self, state: State) -> String {
        self.notice.incident.state = state;
        let error = send(&*self.destination, &self.notice).await.unwrap_err();
        assert!(!matches!(error.verdict, Verdict::Retry { .. }), "{error:?}");
        error.reason
    }

    /// Where the search fails, nothing is created; where the content is refused, that is said.
    pub(in crate::deliver) async fn judges(&self) {
        for (status, verdict) in [
            (400, Verdict::Retry { after: None }),
            (408, Verdict::Retry { after: None }),
            (500, Verdict::Retry { after: None }),
            (302, Verdict::Pause { sure: true }),
            (401, Verdict::Pause { sure: true }),
            (403, Verdict::Forbidden),
            (404, Verdict::Pause { sure: false }),
            (410, Verdict::Pause { sure: false }),
        ] {
            self.peer.plan([Planned::status(status, CANARY)]);
            let error = send(&*self.destination, &self.notice).await.unwrap_err();
            assert_eq!(error.verdict, verdict, "{status}: {error}");
        }
        self.peer
            .plan([Planned::status(200, "<html>log in</html>")]);
        let error = send(&*self.destination, &self.notice).await.unwrap_err();
        assert!(matches!(error.verdict, Verdict::Retry { .. }), "{error}");
        assert_eq!(self.change(|shelf| shelf.len()), 0);
    }

    /// Whatever an event says, it is a ticket that the strict fake takes.
    pub(in crate::deliver) async fn takes_hostile_reports(&self) {
        let long = format!("{}\n/close\n@all", "x".repeat(2_000));
        let titles = HOSTILE.into_iter().chain([long.as_str(), " "]);
        let titled = titles.map(|title| titled(NoticeKind::Open, title));
        for notice in titled.chain(hostile_notices(NoticeKind::Open)) {
            self.change(Vec::clear);
            send(&*self.destination, &notice).await.unwrap();
        }
    }
}

/// The fake's own address, as its answers name it.
pub(in crate::deliver) fn origin(taken: &Taken) -> String {
    format!("http://{}", taken.parts.headers["host"].to_str().unwrap())
}

/// The parts of the path below a prefix.
pub(in crate::deliver) fn below<'a>(taken: &'a Taken, prefix: &str) -> Option<Vec<&'a str>> {
    let rest = taken.parts.uri.path().strip_prefix(prefix)?;
    Some(rest.split('/').filter(|part| !part.is_empty()).collect())
}

/// A parameter of the query, decoded.
pub(in crate::deliver) fn parameter(taken: &Taken, name: &str) -> Option<String> {
    parameters(taken, name).into_iter().next()
}

/// Each value of a parameter that stands there more than once.
pub(in crate::deliver) fn parameters(taken: &Taken, name: &str) -> Vec<String> {
    let url = reqwest::Url::parse(&format!("http://x{}", taken.parts.uri)).unwrap();
    let pairs = url.query_pairs().filter(|(key, _)| key == name);
    pairs.map(|(_, value)| value.into_owned()).collect()
}

/// The ticket whose `key` has the value.
pub(in crate::deliver) fn one<'a>(
    shelf: &'a mut Shelf,
    key: &str,
    value: &str,
) -> Option<&'a mut Value> {
    let is = |of: &Value| of[key].as_str().map_or(of[key].to_string(), str::to_owned) == value;
    shelf.iter_mut().find(|ticket| is(ticket))
}

/// The answer to a header that holds other credentials.
pub(in crate::deliver) fn stranger(
    taken: &Taken,
    header: &str,
    value: &str,
) -> Option<(u16, Value)> {
    let given = taken.parts.headers.get(header);
    let known = given.is_some_and(|given| given == value);
    (!known).then(|| (401, json!({ "message": "who are you?" })))
}
