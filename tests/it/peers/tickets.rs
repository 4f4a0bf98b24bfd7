//! What is asked of every tracker: one ticket, whatever happens in between.

use std::path::Path;

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
    proxy.swallow_the_next_post();
    post(&service, &hostile()).await;
    until("the ticket is made", async || proxy.has_swallowed()).await;
    service.kill();
    assert_eq!(tracker.ticket().await.comments.len(), 0);
    let service = Service::start(folder, &config(&tracker.destination(tracker.url())));
    until("the ticket is found again", async || {
        tracker.ticket().await.comments.len() == 1
    })
    .await;
    service
}

/// One ticket is created, survives a crash, is told what is new, closed and opened again.
pub(super) async fn one_ticket_ever(tracker: &impl Tracker, folder: &Path) -> Ticket {
    let service = crashed(tracker, folder).await;
    post(&service, &hostile()).await;
    until("the news is there", async || {
        tracker.ticket().await.comments.len() == 2
    })
    .await;
    act(&service, "close").await;
    until("the ticket is closed", async || {
        !tracker.ticket().await.open
    })
    .await;
    let told = tracker.ticket().await.comments;
    assert!(told[2].contains("Closed by kim"), "{told:?}");
    post(&service, &hostile()).await;
    until("the ticket is open again", async || {
        let ticket = tracker.ticket().await;
        ticket.open && ticket.comments.len() == 4
    })
    .await;
    assert_eq!(service.terminate(), Some(0));
    tracker.ticket().await
}

/// Waits until a delivery says this.
pub(super) async fn until_told(service: &Service, what: &str) {
    until(what, async || {
        let deliveries = api(service, "deliveries").await;
        let mut deliveries = deliveries.as_array().unwrap().iter();
        let says = |of: &Value| {
            let detail = of["detail"].as_str();
            detail.is_some_and(|detail| detail.starts_with(what))
        };
        deliveries.any(says)
    })
    .await;
}
