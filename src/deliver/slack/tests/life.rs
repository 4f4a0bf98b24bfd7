use super::*;
use crate::deliver::testing::contract::{self, Keeps};
use crate::deliver::testing::peers;

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    for (keeps, (slack, destination)) in [
        (Keeps::OneOrAnother, bot().await),
        (Keeps::Each, webhook().await),
    ] {
        let standing = || {
            let messages = slack.messages().into_iter();
            contract::titled(messages.map(|message| message.body["blocks"].to_string()))
        };
        let limit = || contract::limit(&slack.peer);
        contract::lives(&destination, keeps, limit, standing).await;
    }
}

#[tokio::test]
async fn the_official_client_understands_the_fake() {
    let slack = FakeSlack::start().await;
    slack.peer.plan([Planned::Answer {
        status: 429,
        headers: vec![("retry-after", "7".to_owned())],
        body: json!({ "ok": false, "error": "ratelimited" }).to_string(),
    }]);
    peers::client("slack", &slack.peer.url).await;
}
