use crate::support::sink::{Sink, Taken};
use crate::support::{Service, api, client, event, until};

fn bot(slack: &Sink) -> String {
    format!(
        "destinations:\n  soc:\n    slack: {{ token: xoxb-canary, channel: '#soc', api_url: '{}/api' }}\n    delivery: {{ retry_initial: 10ms, retry_max: 10ms }}\nroute: {{ to: [soc], group_by: [rule], group_interval: 10ms }}\n",
        slack.url
    )
}

async fn post(service: &Service, body: String) {
    let post = client().post(format!("http://{}/", service.events));
    assert_eq!(post.body(body).send().await.unwrap().status(), 200);
}

fn heads(taken: &[Taken]) -> usize {
    let new = taken
        .iter()
        .filter(|taken| taken.path == "/api/chat.postMessage");
    new.filter(|taken| taken.body.get("thread_ts").is_none())
        .count()
}

#[tokio::test]
async fn one_message_an_incident_is_edited_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let slack = Sink::start().await;
    let service = Service::start(folder.path(), &bot(&slack));
    post(&service, event("<!channel> rule", 1)).await;
    until("the thread is there", async || slack.taken().len() >= 2).await;
    post(&service, event("<!channel> rule", 2)).await;
    until("the message is edited", async || {
        slack
            .taken()
            .iter()
            .any(|taken| taken.path == "/api/chat.update")
    })
    .await;
    let taken = slack.taken();
    assert_eq!(heads(&taken), 1);
    for message in &taken {
        assert_eq!(message.body["link_names"], false);
        assert_eq!(message.body["unfurl_links"], false);
        let text = message.body["text"].as_str().unwrap();
        assert!(!text.contains("<!channel>"), "{text}");
        assert!(!message.body["blocks"].to_string().contains("mrkdwn"));
    }
}

#[tokio::test]
async fn after_a_rate_limit_the_head_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let slack = Sink::start().await;
    let service = Service::start(folder.path(), &bot(&slack));
    slack.refuse(&[(429, "{\"ok\":false,\"error\":\"ratelimited\"}")]);
    post(&service, event("first", 1)).await;
    until("the head is there after the refusal", async || {
        heads(&slack.taken()) == 1
    })
    .await;
    until("all is settled", async || {
        let fates = api(&service, "fates").await;
        fates
            .as_array()
            .unwrap()
            .iter()
            .all(|fate| !fate["fate"].is_null())
    })
    .await;
    assert_eq!(heads(&slack.taken()), 1);
}

#[tokio::test]
async fn an_error_of_the_account_pauses_slack_and_tells_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let slack = Sink::start().await;
    let service = Service::start(folder.path(), &bot(&slack));
    slack.refuse(&[(200, "{\"ok\":false,\"error\":\"not_in_channel\"}")]);
    post(&service, event("r", 1)).await;
    until("it waits", async || {
        let waiting = api(&service, "deliveries?state=pending").await.to_string();
        waiting.contains("slack answered not_in_channel")
    })
    .await;
    let waiting = api(&service, "deliveries").await.to_string();
    let metrics = client().get(format!("http://{}/metrics", service.admin));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("falco_herald_destination_paused{destination=\"soc\"} 1"));
    for text in [&waiting, &metrics] {
        assert!(
            !text.contains("canary") && !text.contains(&slack.url),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_incoming_webhook_gets_a_new_message_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let slack = Sink::start().await;
    let config = format!(
        "destinations: {{ hook: {{ slack: {{ webhook_url: '{}/services/canary' }} }} }}\nroute: {{ to: [hook], group_by: [rule] }}\n",
        slack.url
    );
    let service = Service::start(folder.path(), &config);
    post(&service, event("r", 1)).await;
    until("head and details are there", async || {
        slack.taken().len() == 2
    })
    .await;
    assert!(
        slack
            .taken()
            .iter()
            .all(|taken| taken.path == "/services/canary")
    );
}
