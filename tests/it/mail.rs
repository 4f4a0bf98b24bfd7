use mail_parser::{MessageParser, MimeHeaders};

use crate::support::smtp::Smtp;
use crate::support::{Service, api, client, until};

#[tokio::test]
async fn mails_of_an_incident_make_a_thread_and_hold_no_forged_header() {
    let folder = tempfile::tempdir().unwrap();
    let smtp = Smtp::start().await;
    let config = format!(
        "destinations:\n  oncall:\n    email: {{ host: 127.0.0.1, port: {}, tls: none, from: herald@example.com, to: [a@example.com, b@example.com] }}\n    delivery: {{ retry_initial: 10ms, retry_max: 10ms }}\nroute: {{ to: [oncall], group_by: [rule], group_interval: 10ms }}\n",
        smtp.port
    );
    let service = Service::start(folder.path(), &config);
    let hostile = serde_json::json!({
        "rule": "Rule\r\nBcc: evil@example.com\r\n\r\n<b>x</b>\u{202e}", "priority": "Alert",
        "time": "2026-03-01T10:15:00Z", "output_fields": { "proc.cmdline": "a\r\n.\r\nQUIT\r\n<script>" },
    });
    smtp.refuse("451 4.7.1 greylisted");
    for number in 1..=2 {
        let post = client().post(format!("http://{}/", service.events));
        post.body(hostile.to_string()).send().await.unwrap();
        until("the mail is there", async || smtp.mails().len() == number).await;
    }
    let mails = smtp.mails();
    let first = MessageParser::default().parse(&mails[0]).unwrap();
    let second = MessageParser::default().parse(&mails[1]).unwrap();
    assert_eq!(first.subject(), second.subject());
    assert!(first.subject().unwrap().starts_with("[Falco] Rule"));
    assert!(!first.subject().unwrap().contains(['\r', '\n', '\u{202e}']));
    assert!(first.bcc().is_none());
    assert_eq!(second.in_reply_to().as_text(), first.message_id());
    assert_eq!(
        first.header_raw("Auto-Submitted").map(str::trim),
        Some("auto-generated")
    );
    assert_eq!(second.header_raw("X-Falco-Count").map(str::trim), Some("2"));
    assert_eq!((first.text_body_count(), first.html_body_count()), (1, 1));
    let kinds: Vec<_> = first
        .parts
        .iter()
        .filter_map(|part| part.content_type()?.subtype())
        .collect();
    let wanted = ["mixed", "alternative", "plain", "html", "markdown", "json"];
    assert_eq!(kinds, wanted);
    let html = first.body_html(0).unwrap();
    assert!(
        !html.contains("<script") && !html.contains("<b>x"),
        "{html}"
    );
    assert!(first.body_text(0).unwrap().contains("Evidence"));
}

#[tokio::test]
async fn a_permanent_refusal_is_a_dead_letter_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let smtp = Smtp::start().await;
    let config = format!(
        "destinations:\n  oncall: {{ email: {{ host: 127.0.0.1, port: {}, tls: none, from: herald@example.com, to: [a@example.com] }} }}\nroute: {{ to: [oncall] }}\n",
        smtp.port
    );
    let service = Service::start(folder.path(), &config);
    smtp.refuse("550 5.1.1 no such user");
    let post = client().post(format!("http://{}/", service.events));
    post.body(crate::support::event("r", 1))
        .send()
        .await
        .unwrap();
    until("it is dead", async || {
        api(&service, "deliveries?state=dead")
            .await
            .as_array()
            .unwrap()
            .len()
            == 1
    })
    .await;
    let dead = api(&service, "deliveries?state=dead").await;
    assert_eq!(dead[0]["detail"], "the mail server answered 550");
}
