use super::*;
use crate::deliver::testing::contract::{self, Keeps};

#[tokio::test]
async fn the_life_of_an_incident_is_followed() {
    let (server, email) = plain().await;
    let limit = || server.plan("MAIL", "451 4.7.1 later");
    let standing = || {
        let mails = server.mails();
        let parsed = mails
            .iter()
            .map(|mail| MessageParser::default().parse(&mail.raw).unwrap());
        let first = parsed.filter(|mail| mail.in_reply_to().as_text().is_none());
        let ids = first.map(|mail| mail.message_id().unwrap().to_owned());
        ids.collect::<std::collections::BTreeSet<_>>().len()
    };
    contract::lives(&email, Keeps::One, limit, standing).await;
}

#[tokio::test]
async fn a_wrong_section_is_refused_without_its_secrets() {
    let (server, _) = plain().await;
    let refused = |change: &dyn Fn(&mut EmailConfig)| {
        let mut config = config(&server, EmailTls::None);
        change(&mut config);
        let error = Email::from_config(&config, TIMEOUT).unwrap_err();
        assert!(!format!("{error} {error:?} {config:?}").contains(CANARY));
        error.to_string()
    };
    let password = || Some(Secret::new(CANARY));
    insta::assert_snapshot!(refused(&|c| c.to.clear()), @"email: `to` is empty");
    insta::assert_snapshot!(refused(&|c| c.from = "nobody".to_owned()), @"email: `from` holds no mail address");
    insta::assert_snapshot!(refused(&|c| c.password = password()), @"email: set `username` and a password, or neither");
    insta::assert_snapshot!(refused(&|c| c.username = Some("u".to_owned())), @"email: set `username` and a password, or neither");
    insta::assert_snapshot!(refused(&|c| {
        c.username = Some("u".to_owned());
        c.password = password();
    }), @"email: a password needs `tls: starttls` or `tls: implicit`");
    insta::assert_snapshot!(refused(&|c| c.host = "mail.example.com".to_owned()), @"email: `tls: none` is for a relay on this machine only");
    insta::assert_snapshot!(refused(&|c| c.helo = Some("a b\r\nMAIL".to_owned())), @"email: `helo` is no host name");
}

#[test]
fn every_corpus_value_in_a_title_makes_one_subject_and_no_other_header() {
    let mailbox: Mailbox = "herald@example.com".parse().unwrap();
    let names = |raw: &[u8]| {
        let mail = MessageParser::default().parse(raw).unwrap().into_owned();
        let names: Vec<_> = mail
            .headers()
            .iter()
            .map(|header| header.name().to_owned())
            .collect();
        (names, mail.parts.len(), mail.subject().unwrap().to_owned())
    };
    let built = |title: &str| {
        let notice = titled(NoticeKind::Open, title);
        letter::request(&mailbox, std::slice::from_ref(&mailbox), &notice)
            .unwrap()
            .formatted()
    };
    let (wanted, parts, _) = names(&built("harmless"));
    for row in crate::markup::testing::corpus() {
        let raw = built(&row.value);
        let (found, count, subject) = names(&raw);
        assert_eq!((found, count), (wanted.clone(), parts), "{}", row.id);
        let shown = crate::markup::visible::one_line(&row.value).replace("=?", "\\u{3D}?");
        let shown = crate::markup::visible::truncate(&shown, 200);
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            squeezed(&subject),
            squeezed(&format!("[Falco] {shown}")),
            "{}",
            row.id
        );
        for line in raw.split(|byte| *byte == b'\n') {
            assert!(line.len() <= 998, "{}", row.id);
        }
    }
}

#[tokio::test]
async fn a_digest_is_a_mail_of_its_own_that_stays_the_same_when_tried_again() {
    let (server, mut email) = plain().await;
    let schedule: Schedule = "daily at 09:00".parse().unwrap();
    email.digest = Some(schedule.clone());
    let (digests, when) = email.digests().unwrap();
    assert_eq!(*when, schedule);
    let report = notice(NoticeKind::Open).report;
    server.plan("MAIL", "451 4.7.1 later");
    let error = digests.send(&report, "digest-soc-1").await.unwrap_err();
    assert!(retried(&error), "{error:?}");
    for _ in 0..2 {
        digests.send(&report, "digest-soc-1").await.unwrap();
    }
    let mails = server.mails();
    let parsed = mails
        .iter()
        .map(|mail| MessageParser::default().parse(&mail.raw).unwrap());
    for mail in parsed {
        assert_eq!(mail.message_id(), Some("digest-soc-1@example.com"));
        assert!(mail.in_reply_to().as_text().is_none());
        assert_eq!(mail.attachment_count(), 1);
        assert!(mail.body_html(0).unwrap().contains("<bdi>bash -c id</bdi>"));
    }
    assert_eq!(mails.len(), 2);
}
