use std::sync::{Arc, Mutex};

use jiff::SignedDuration;

use super::*;
use crate::deliver::testing::{notice, now};

/// A tracker in memory. Its search shows what is older than `lag` tickets ago.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    tickets: Vec<(Ticket, String, Vec<String>)>,
    searches: u32,
    /// So many searches do not yet show the newest ticket.
    lag: u32,
    fail: Option<Fault>,
    /// Another process creates a ticket right before ours.
    rival: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Search,
    /// The ticket is made, and the answer is lost.
    Created,
    Comment,
}

impl Memory {
    fn change<R>(&self, change: impl FnOnce(&mut Inner) -> R) -> R {
        change(&mut self.0.lock().unwrap())
    }

    fn open(&self) -> Vec<String> {
        self.change(|inner| {
            let open = inner
                .tickets
                .iter()
                .filter(|(ticket, ..)| ticket.status == Status::Open);
            open.map(|(ticket, ..)| ticket.name.clone()).collect()
        })
    }

    fn comments(&self, name: &str) -> Vec<String> {
        self.change(|inner| {
            let mut tickets = inner.tickets.iter();
            tickets
                .find(|(ticket, ..)| ticket.name == name)
                .unwrap()
                .2
                .clone()
        })
    }

    fn set(&self, name: &str, status: Status) {
        self.change(|inner| {
            let mut tickets = inner.tickets.iter_mut();
            tickets
                .find(|(ticket, ..)| ticket.name == name)
                .unwrap()
                .0
                .status = status;
        });
    }
}

impl Inner {
    fn add(&mut self, marker: &str) -> Ticket {
        let order = i64::try_from(self.tickets.len()).unwrap() + 1;
        let ticket = Ticket {
            id: format!("id-{order}"),
            name: format!("SEC-{order}"),
            order,
            status: Status::Open,
        };
        self.tickets
            .push((ticket.clone(), marker.to_owned(), Vec::new()));
        ticket
    }

    fn fault(&mut self, fault: Fault) -> Result<(), SendError> {
        if self.fail == Some(fault) {
            self.fail = None;
            return Err(SendError::retry("as told", None));
        }
        Ok(())
    }
}

fn ready<'a, R: Send + 'a>(result: Result<R, SendError>) -> BoxFuture<'a, Result<R, SendError>> {
    Box::pin(std::future::ready(result))
}

impl Tracker for Memory {
    fn create<'a>(&'a self, draft: Draft<'a>) -> BoxFuture<'a, Result<Ticket, SendError>> {
        ready(self.change(|inner| {
            if std::mem::take(&mut inner.rival) {
                inner.add(draft.marker);
            }
            let ticket = inner.add(draft.marker);
            inner.fault(Fault::Created)?;
            Ok(ticket)
        }))
    }

    fn find<'a>(&'a self, marker: &'a str) -> BoxFuture<'a, Result<Vec<Ticket>, SendError>> {
        ready(self.change(|inner| {
            inner.fault(Fault::Search)?;
            inner.searches += 1;
            let hidden = usize::from(inner.searches <= inner.lag);
            let shown = inner.tickets.len().saturating_sub(hidden);
            let marked = inner
                .tickets
                .iter()
                .take(shown)
                .filter(|(_, of, _)| of == marker);
            Ok(marked.map(|(ticket, ..)| ticket.clone()).collect())
        }))
    }

    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Ticket>, SendError>> {
        ready(self.change(|inner| {
            let mut tickets = inner.tickets.iter();
            Ok(tickets
                .find(|(ticket, ..)| ticket.id == id)
                .map(|(ticket, ..)| ticket.clone()))
        }))
    }

    fn comment<'a>(&'a self, id: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        ready(self.change(|inner| {
            inner.fault(Fault::Comment)?;
            let mut tickets = inner.tickets.iter_mut();
            let ticket = tickets.find(|(ticket, ..)| ticket.id == id).unwrap();
            ticket.2.push(text.to_owned());
            Ok(())
        }))
    }

    fn reopen<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        self.set(&id.replace("id", "SEC"), Status::Open);
        ready(Ok(()))
    }

    fn close<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), SendError>> {
        self.set(&id.replace("id", "SEC"), closed(0));
        ready(Ok(()))
    }
}

/// Closed so many hours ago.
fn closed(hours: i64) -> Status {
    Status::Closed {
        at: Some(now() - SignedDuration::from_hours(hours)),
        wont_fix: false,
    }
}

struct Bench {
    memory: Memory,
    tickets: Tickets<Memory>,
    notice: Notice,
}

impl Bench {
    fn new() -> Self {
        let memory = Memory::default();
        Self {
            tickets: Tickets::new(
                memory.clone(),
                &TicketConfig::default(),
                Clock::manual(now()),
            ),
            memory,
            notice: notice(NoticeKind::Open),
        }
    }

    /// Sends the incident with so many alerts; keeps what the store would keep.
    async fn send(&mut self, count: u64, state: State) -> Result<String, SendError> {
        self.notice.incident.count = count;
        self.notice.incident.state = state;
        self.notice.kind = match state {
            State::Quiet | State::Closed => NoticeKind::Close,
            _ => NoticeKind::Update,
        };
        let sent = self.tickets.send(&self.notice).await;
        let remote = match &sent {
            Ok(receipt) => receipt.remote.clone(),
            Err(error) => error.remote.clone(),
        };
        if remote.is_some() {
            self.notice.remote = remote;
        }
        sent.map(|receipt| receipt.detail)
    }

    /// A new incident of the same group key.
    fn again(&mut self) {
        self.notice.previous = self.notice.remote.take();
    }
}

#[tokio::test]
async fn an_incident_has_one_ticket_that_is_commented_on_at_growing_intervals() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(1, State::Open).await.unwrap(), "created SEC-1");
    let mut commented = Vec::new();
    for count in 2..40 {
        let said = bench.send(count, State::Open).await.unwrap();
        if said.starts_with("commented") {
            commented.push(count);
        }
    }
    assert_eq!(commented, [2, 4, 8, 16, 32]);
    insta::assert_snapshot!(
        bench.memory.comments("SEC-1")[4],
        @"It goes on. **32 alerts in all, the first 2026-03-01 10:00:00 UTC, the latest 2026-03-01 10:00:00 UTC.** Severity: Critical."
    );
    assert_eq!(
        bench.send(40, State::Acknowledged).await.unwrap(),
        "commented on SEC-1"
    );
    assert_eq!(
        bench.send(40, State::Quiet).await.unwrap(),
        "commented on SEC-1"
    );
    assert_eq!(bench.send(40, State::Closed).await.unwrap(), "closed SEC-1");
    assert!(bench.memory.open().is_empty());
    assert_eq!(
        bench.memory.change(|inner| inner.searches),
        2,
        "the store knows the rest"
    );
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_found_again() {
    let mut bench = Bench::new();
    bench
        .memory
        .change(|inner| inner.fail = Some(Fault::Created));
    bench.send(1, State::Open).await.unwrap_err();
    assert_eq!(
        bench.send(2, State::Open).await.unwrap(),
        "commented on SEC-1"
    );
    assert_eq!(bench.memory.open(), ["SEC-1"]);
}

#[tokio::test]
async fn a_search_that_fails_creates_nothing() {
    let mut bench = Bench::new();
    bench
        .memory
        .change(|inner| inner.fail = Some(Fault::Search));
    let error = bench.send(1, State::Open).await.unwrap_err();
    assert_eq!(error.reason, "cannot search: as told");
    assert!(matches!(error.verdict, Verdict::Retry { .. }));
    assert!(bench.memory.open().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_processes_that_create_at_once_the_first_ticket_stays() {
    for lag in 0..3 {
        let mut bench = Bench::new();
        bench.tickets.clock = Clock::system();
        bench
            .memory
            .change(|inner| (inner.rival, inner.lag) = (true, lag));
        let said = bench.send(1, State::Open).await.unwrap();
        assert_eq!(said, "another process was first with SEC-1");
        assert_eq!(bench.memory.open(), ["SEC-1"]);
        assert!(bench.memory.comments("SEC-2")[0].contains("SEC-1: closed as its duplicate"));
        assert_eq!(
            bench.send(2, State::Open).await.unwrap(),
            "commented on SEC-1"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_lagging_search_does_not_show_is_looked_for_again() {
    let mut bench = Bench::new();
    bench.tickets.clock = Clock::system();
    bench
        .memory
        .change(|inner| (inner.rival, inner.lag) = (true, 6));
    assert_eq!(bench.send(1, State::Open).await.unwrap(), "created SEC-2");
    assert_eq!(
        bench.send(2, State::Open).await.unwrap(),
        "commented on SEC-1"
    );
    assert_eq!(bench.memory.open(), ["SEC-1"]);
}

#[tokio::test]
async fn a_new_incident_goes_on_with_the_ticket_of_the_one_before() {
    let mut bench = Bench::new();
    bench.send(5, State::Open).await.unwrap();
    bench.again();
    assert_eq!(
        bench.send(1, State::Open).await.unwrap(),
        "commented on SEC-1"
    );
    bench.memory.set("SEC-1", closed(1));
    assert_eq!(
        bench.send(1, State::Open).await.unwrap(),
        "nothing is new since it was closed: SEC-1"
    );
    assert_eq!(
        bench.send(2, State::Open).await.unwrap(),
        "opened again: SEC-1"
    );
    bench.memory.set("SEC-1", closed(7 * 24));
    assert_eq!(bench.send(3, State::Open).await.unwrap(), "created SEC-2");
    assert_eq!(bench.memory.open(), ["SEC-2"]);
}

#[tokio::test]
async fn what_is_not_to_be_done_stays_closed() {
    let mut bench = Bench::new();
    bench.send(1, State::Open).await.unwrap();
    let wont_fix = Status::Closed {
        at: Some(now()),
        wont_fix: true,
    };
    bench.memory.set("SEC-1", wont_fix);
    assert_eq!(
        bench.send(9, State::Open).await.unwrap(),
        "left alone, because it is not to be done: SEC-1"
    );
    bench.again();
    bench.send(9, State::Open).await.unwrap();
    bench.notice.previous = None;
    bench.notice.remote = None;
    bench.send(9, State::Open).await.unwrap();
    assert!(bench.memory.open().is_empty());
    assert!(bench.memory.comments("SEC-1").is_empty());
}

#[tokio::test]
async fn a_ticket_that_was_deleted_is_replaced_and_a_failed_comment_is_made_up_for() {
    let mut bench = Bench::new();
    bench.send(1, State::Open).await.unwrap();
    bench
        .memory
        .change(|inner| inner.fail = Some(Fault::Comment));
    bench.send(2, State::Open).await.unwrap_err();
    assert_eq!(
        bench.send(3, State::Open).await.unwrap(),
        "commented on SEC-1"
    );
    bench.memory.change(|inner| inner.tickets[0].1.clear());
    bench.memory.change(|inner| inner.tickets[0].0.id.clear());
    assert_eq!(bench.send(6, State::Open).await.unwrap(), "created SEC-2");
}

#[test]
fn the_marker_follows_from_the_group_key_alone() {
    let one = notice(NoticeKind::Open).incident.key;
    assert_eq!(marker(&one), marker(&one));
    let other = GroupKey::new(&crate::route::RouteId("1".to_owned()), []);
    assert_ne!(marker(&one), marker(&other));
    assert_eq!(marker(&one).len(), "falco-herald-".len() + 16);
}
