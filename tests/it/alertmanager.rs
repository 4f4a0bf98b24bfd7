//! What Alertmanager was measured to lose or to say twice, and what becomes of it here. Its counts and
//! its treatment of text are in `storm.rs` and in the judges of `markup`.

use std::time::Duration;

use crate::support::sink::Sink;
use crate::support::{Service, api, client, event, until};

async fn post(service: &Service) {
    let post = client().post(format!("http://{}/", service.events));
    let answer = post.body(event("a", 1)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

fn config(hook: &Sink, route: &str) -> String {
    format!(
        "destinations: {{ hook: {{ webhook: {{ url: '{}' }} }} }}\nroute: {{ to: [hook], {route} }}\n",
        hook.url
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn one_429_for_a_short_lived_alert_is_only_a_delay() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let config = format!(
        "destinations: {{ hook: {{ slack: {{ webhook_url: '{}' }} }} }}\nroute: {{ to: [hook] }}\n",
        hook.url
    );
    hook.refuse(&[(429, "")]);
    let service = Service::start(folder.path(), &config);
    post(&service).await;
    until("it is told all the same", async || !hook.taken().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_an_incident_collects_alerts_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let config = config(&hook, "group_wait: 2s");
    let service = Service::start(folder.path(), &config);
    post(&service).await;
    post(&service).await;
    service.kill();
    assert!(hook.taken().is_empty());
    let _service = Service::start(folder.path(), &config);
    until("it is told", async || !hook.taken().is_empty()).await;
    assert_eq!(hook.taken()[0].body["data"]["incident"]["count"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_a_message_repeats_nothing_and_what_is_sent_again_is_an_update() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let config = config(&hook, "group_interval: 1s");
    let service = Service::start(folder.path(), &config);
    post(&service).await;
    until("the message is recorded", async || {
        api(&service, "deliveries").await[0]["state"] == "sent"
    })
    .await;
    service.kill();
    let service = Service::start(folder.path(), &config);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(hook.taken().len(), 1);
    post(&service).await;
    until("the update is told", async || hook.taken().len() > 1).await;
    let taken = hook.taken();
    let kinds: Vec<_> = taken.iter().map(|taken| &taken.body["type"]).collect();
    assert_eq!(kinds, ["incident.open", "incident.update"]);
    let uid = |index: usize| &taken[index].body["data"]["incident"]["uid"];
    assert_eq!(uid(0), uid(1));
}
