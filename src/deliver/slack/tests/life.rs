use super::*;
use crate::deliver::testing::contract::{self, Keeps};

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
