//! What is asked of every tracker: one ticket, whatever happens in between.

use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::Value;

use super::{act, hostile, post};
use crate::support::proxy::Proxy;
use crate::support::{Service, api, until};

/// A tracker, as somebody who works with it sees it.
pub(super) trait Tracker {
    fn url(&self) -> &str;

    /// The destination, with the tracker at another address.
    fn destination(&self, url: &str) -> String;

    /// Every ticket that there is.
    async fn tickets(&self) -> Vec<Ticket>;

    /// The one ticket that there is.
    async fn ticket(&self) -> Ticket {
        let mut tickets = self.tickets().await;
        assert_eq!(tickets.len(), 1, "{tickets:?}");
        tickets.remove(0)
    }
}

#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) id: String,
    pub(super) open: bool,
    pub(super) comments: Vec<String>,
}

fn config(destination: &str) -> String {
    format!(
        "destinations:\n\
         \x20 tickets:\n\
         \x20   {destination}\n\
         \x20   delivery: {{ interval: 0s, retry_initial: 20ms, retry_max: 1s }}\n\
         route: {{ to: [tickets], group_by: [rule], group_interval: 0s }}\n"
    )
}

/// A service whose one incident has a ticket that it created and lost sight of, by a crash, and then
/// found again.
pub(super) async fn crashed(tracker: &impl Tracker, folder: &Path) -> Service {
    let proxy = Proxy::start(tracker.url()).await;
    let lossy = config(&tracker.destination(&proxy.url));
    let service = Service::start(folder, &lossy);
    proxy.swallow_the_next(Method::POST);
    post(&service, &hostile()).await;
    until("the ticket is made", async || proxy.has_swallowed()).await;
    service.kill();
    assert_eq!(tracker.ticket().await.comments.len(), 0);
    let service = Service::start(folder, &config(&tracker.destination(tracker.url())));
    told(&service, 1, "commented on").await;
    assert_eq!(tracker.ticket().await.comments.len(), 1);
    service
}

/// One ticket is created, survives a crash, is told what is new, closed and opened again.
pub(super) async fn one_ticket_ever(tracker: &impl Tracker, folder: &Path) -> Ticket {
    let service = crashed(tracker, folder).await;
    post(&service, &hostile()).await;
    told(&service, 2, "commented on").await;
    let ticket = tracker.ticket().await;
    assert_eq!((ticket.open, ticket.comments.len()), (true, 2));
    act(&service, "close").await;
    told(&service, 1, "closed").await;
    let ticket = tracker.ticket().await;
    assert_eq!((ticket.open, ticket.comments.len()), (false, 3));
    // Not every tracker keeps their order.
    let mut comments = ticket.comments.iter();
    let closed = comments.any(|comment| comment.contains("Closed by kim"));
    assert!(closed, "{ticket:?}");
    post(&service, &hostile()).await;
    told(&service, 1, "opened again").await;
    let ticket = tracker.ticket().await;
    assert_eq!((ticket.open, ticket.comments.len()), (true, 4));
    assert_eq!(service.terminate(), Some(0));
    ticket
}

/// Waits until so many deliveries say this. The service is asked and not the tracker, which has enough
/// to do.
pub(super) async fn told(service: &Service, times: usize, what: &str) {
    until(what, async || {
        let deliveries = api(service, "deliveries").await;
        let says = |of: &&Value| {
            let detail = of["detail"].as_str();
            detail.is_some_and(|detail| detail.starts_with(what))
        };
        deliveries.as_array().unwrap().iter().filter(says).count() == times
    })
    .await;
}

/// What `check --live` says with the configuration of the service before.
pub(super) fn live_check(folder: &Path) -> String {
    let check = Command::new(env!("CARGO_BIN_EXE_falco-herald"))
        .args(["check", "--live", "--config"])
        .arg(folder.join("herald.yaml"))
        .output()
        .unwrap();
    String::from_utf8(check.stdout).unwrap()
}
