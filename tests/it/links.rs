//! The signed link in a message: look, acknowledge, silence, close.

use crate::support::sink::Sink;
use crate::support::{Service, api, client, event, until};

async fn post(service: &Service, rule: &str) {
    let post = client().post(format!("http://{}/", service.events));
    // Below the ceiling.
    let event = event(rule, 1).replace("Critical", "Error");
    assert_eq!(post.body(event).send().await.unwrap().status(), 200);
}

/// The link in the latest message, led to the service.
fn link(hook: &Sink, service: &Service) -> String {
    let taken = hook.taken();
    let report = taken.last().unwrap().body["data"]["report"]["markdown"].clone();
    let report = report.as_str().unwrap().to_owned();
    let after = report.split_once("silence or close](<").unwrap().1;
    let link = after.split_once('>').unwrap().0;
    link.replace("https://herald.test", &format!("http://{}", service.admin))
}

async fn act(link: &str, form: &[(&str, &str)]) -> String {
    let fields: Vec<_> = form
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let post = client().post(link).body(fields.join("&"));
    let post = post.header("content-type", "application/x-www-form-urlencoded");
    let answer = post.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_the_link_of_a_message_may_act_on_its_incident() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Sink::start().await;
    let config = format!(
        "public_url: 'https://herald.test/'\n\
         destinations: {{ hook: {{ webhook: {{ url: '{}' }} }} }}\n\
         route: {{ to: [hook], group_interval: 0s }}\n",
        hook.url
    );
    let service = Service::start(folder.path(), &config);
    post(&service, "<script>alert(1)</script>").await;
    until("it is told", async || hook.taken().len() == 1).await;
    let link = link(&hook, &service);
    let page = client().get(&link).send().await.unwrap();
    let header = |name| page.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(header("referrer-policy"), "no-referrer");
    let html = page.text().await.unwrap();
    assert!(
        html.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"),
        "{html}"
    );
    assert!(!html.contains("<script"), "{html}");
    assert_eq!(hook.taken().len(), 1, "looking changes nothing");

    let html = act(&link, &[("act", "acknowledge"), ("by", "+")]).await;
    assert!(html.contains("Give your name"), "{html}");
    let html = act(&link, &[("act", "acknowledge"), ("by", "kim")]).await;
    assert!(html.contains("Acknowledged in the name of kim."), "{html}");
    until("it is told", async || hook.taken().len() == 2).await;
    let told = hook.taken()[1].body["data"]["incident"].clone();
    assert_eq!(told["state"], "acknowledged");
    assert_eq!(told["handled_by"], "kim");
    let html = act(&link, &[("act", "acknowledge"), ("by", "lee")]).await;
    assert!(html.contains("Somebody was faster"), "{html}");

    let silence = [
        ("act", "silence"),
        ("by", "kim"),
        ("hours", "4"),
        ("comment", "a+test"),
    ];
    let html = act(&link, &silence).await;
    assert!(
        html.contains("it would have hidden 1 of 1 alerts."),
        "{html}"
    );
    let listed = async || api(&service, "silences").await;
    assert_eq!(listed().await, serde_json::json!([]), "it is not made yet");
    let html = act(&link, &[&silence[..], &[("confirmed", "true")]].concat()).await;
    assert!(html.contains("Silence 1 is made, for 4 h."), "{html}");
    assert_eq!(listed().await[0]["comment"], "a test");
    post(&service, "<script>alert(1)</script>").await;
    until("it is hidden", async || listed().await[0]["hidden"] == 1).await;
    let html = act(&link, &[("act", "close"), ("by", "kim")]).await;
    assert!(html.contains("Closed in the name of kim."), "{html}");

    let forged = client().get(format!("{link}x")).send().await.unwrap();
    assert_eq!(forged.status(), 403);
    assert!(!forged.text().await.unwrap().contains("alert(1)"));
}
