mod life;

use mail_parser::{HeaderValue, MessageParser, MimeHeaders};

use super::*;
use crate::deliver::NoticeKind;
use crate::deliver::testing::smtp::{FakeSmtp, Security};
use crate::deliver::testing::{CANARY, HOSTILE, IMPATIENT, TIMEOUT, notice, retried, send, titled};

fn config(server: &FakeSmtp, tls: EmailTls) -> EmailConfig {
    EmailConfig {
        host: "localhost".to_owned(),
        port: server.port,
        tls,
        username: None,
        password: None,
        password_env: None,
        password_file: None,
        auth: EmailAuth::Password,
        from: "Falco <herald@example.com>".to_owned(),
        to: vec!["a@example.com".to_owned(), "b@example.com".to_owned()],
        ca_file: None,
        helo: None,
        digest: None,
    }
}

async fn plain() -> (FakeSmtp, Email) {
    let server = FakeSmtp::start(Security::Plain).await;
    let email = Email::from_config(&config(&server, EmailTls::None), TIMEOUT).unwrap();
    (server, email)
}

/// An account on a server whose certificate is trusted.
fn account(server: &FakeSmtp, tls: EmailTls, folder: &tempfile::TempDir) -> EmailConfig {
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, &server.certificate).unwrap();
    EmailConfig {
        username: Some("herald".to_owned()),
        password: Some(Secret::new(CANARY)),
        ca_file: Some(ca_file),
        ..config(server, tls)
    }
}

#[tokio::test]
async fn a_mail_is_text_and_html_with_the_headers_of_a_machine() {
    let (server, email) = plain().await;
    let receipt = send(&email, &notice(NoticeKind::Open)).await.unwrap();
    assert_eq!(receipt.detail, "mailed to 2 addresses");
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].from, "herald@example.com");
    assert_eq!(mails[0].to, ["a@example.com", "b@example.com"]);
    let mail = MessageParser::default().parse(&mails[0].raw).unwrap();
    assert_eq!(
        mail.subject(),
        Some("[Falco] Terminal shell in container on node-1")
    );
    assert!(mail.body_text(0).unwrap().contains("`bash -c id`"));
    assert!(mail.body_html(0).unwrap().contains("<bdi>bash -c id</bdi>"));
    let attached: Vec<_> = mail
        .attachments()
        .map(|part| (part.attachment_name().unwrap(), part.contents()))
        .collect();
    let said = notice(NoticeKind::Open);
    let report = ("report.md", said.report.markdown.as_bytes());
    assert_eq!(attached, [report, ("event.json", &said.event[..])]);
    assert!(mail.date().is_some());
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("X-Falco-Priority", "Critical"),
        ("X-Falco-Count", "2"),
    ] {
        assert_eq!(
            mail.header(name).and_then(HeaderValue::as_text),
            Some(value),
            "{name}"
        );
    }
    assert!(mails[0].raw.contains("List-Id: <falco.example.com>"));
}

#[tokio::test]
async fn later_mails_answer_the_first_under_the_same_subject() {
    let (server, email) = plain().await;
    for kind in [NoticeKind::Open, NoticeKind::Update, NoticeKind::Close] {
        send(&email, &notice(kind)).await.unwrap();
        // Lets the connection go back to the pool.
        tokio::task::yield_now().await;
    }
    let mails = server.mails();
    let parser = MessageParser::default();
    let mails: Vec<_> = mails
        .iter()
        .map(|mail| parser.parse(&mail.raw).unwrap())
        .collect();
    let root = mails[0].message_id().unwrap();
    for mail in &mails[1..] {
        assert_eq!(mail.in_reply_to().as_text(), Some(root));
        assert_eq!(mail.references().as_text(), Some(root));
        assert_eq!(mail.subject(), mails[0].subject());
        assert_ne!(mail.message_id(), Some(root));
    }
    assert_ne!(mails[1].message_id(), mails[2].message_id());
    // One connection is used for all.
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_retry_repeats_the_message_id() {
    for kind in [NoticeKind::Open, NoticeKind::Update] {
        let (server, email) = plain().await;
        server.plan(".", "DROP");
        assert!(retried(&send(&email, &notice(kind)).await.unwrap_err()));
        send(&email, &notice(kind)).await.unwrap();
        send(&email, &notice(kind)).await.unwrap();
        let mails = server.mails();
        let parser = MessageParser::default();
        let ids = mails.iter().map(|mail| parser.parse(&mail.raw).unwrap());
        let ids: Vec<_> = ids
            .map(|mail| mail.message_id().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0], ids[1]);
    }
}

#[tokio::test]
async fn a_hostile_title_makes_no_header_and_hides_nothing() {
    let long = "é".repeat(5_000);
    for title in HOSTILE.into_iter().chain([long.as_str()]) {
        let (server, email) = plain().await;
        send(&email, &titled(NoticeKind::Open, title))
            .await
            .unwrap();
        let mails = server.mails();
        let mail = MessageParser::default().parse(&mails[0].raw).unwrap();
        let subject = mail.subject().unwrap();
        assert!(!subject.contains(|c: char| c.is_control()), "{subject:?}");
        assert!(
            !subject.contains(['\u{202e}', '\u{2066}', '\u{200b}']),
            "{subject:?}"
        );
        assert!(subject.chars().count() < 220, "{subject:?}");
        assert!(mail.bcc().is_none());
        assert!(!mail.body_html(0).unwrap().contains("<b>x</b>"));
    }
}

#[tokio::test]
async fn replies_from_400_are_retried_and_from_500_fail() {
    for (command, reply, again) in [
        ("MAIL", "421 4.3.2 closing", true),
        ("MAIL", "450 4.7.1 later", true),
        ("RCPT", "451 4.7.1 greylisted", true),
        (".", "451 4.3.0 later", true),
        (".", "554 5.7.1 spam", false),
        ("EHLO", "421 4.3.2 busy", true),
        ("MAIL", "DROP", true),
        ("RCPT", "DROP", true),
        (".", "DROP", true),
    ] {
        let server = FakeSmtp::start(Security::Plain).await;
        let mut config = config(&server, EmailTls::None);
        config.to.truncate(1);
        let email = Email::from_config(&config, TIMEOUT).unwrap();
        server.plan(command, reply);
        let error = send(&email, &notice(NoticeKind::Open)).await.unwrap_err();
        assert_eq!(retried(&error), again, "{command} {reply}: {error}");
        // The connection is not left in the middle of a mail.
        send(&email, &notice(NoticeKind::Open)).await.unwrap();
    }
}

#[tokio::test]
async fn one_bad_mailbox_does_not_keep_the_mail_from_the_others() {
    let (server, email) = plain().await;
    server.refuse("b@example.com", "550 5.1.1 unknown");
    let receipt = send(&email, &notice(NoticeKind::Open)).await.unwrap();
    insta::assert_snapshot!(receipt.detail, @"mailed to 1 of 2 addresses; refused: b@example.com (550)");
    server.refuse("a@example.com", "550 5.1.1 unknown");
    let error = send(&email, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(!retried(&error));
    insta::assert_snapshot!(error, @"the mail server refused every address: a@example.com (550), b@example.com (550)");
    // What is too large is so for everybody.
    server.plan("MAIL", "552 5.3.4 too big");
    let error = send(&email, &notice(NoticeKind::Open)).await.unwrap_err();
    insta::assert_snapshot!(error, @"the mail is too large for the mail server (552)");
}

#[tokio::test]
async fn a_mail_that_is_put_off_once_goes_to_all_together() {
    let (server, email) = plain().await;
    server.plan("RCPT", "451 4.7.1 greylisted");
    let mut notice = notice(NoticeKind::Open);
    let error = send(&email, &notice).await.unwrap_err();
    assert!(retried(&error));
    notice.remote = error.remote;
    send(&email, &notice).await.unwrap();
    assert_eq!(server.mails().len(), 1);
    assert_eq!(server.mails()[0].to.len(), 2);
}

#[tokio::test]
async fn a_mailbox_that_is_put_off_again_gets_its_mail_and_the_others_no_second() {
    let (server, email) = plain().await;
    server.refuse("b@example.com", "451 4.7.1 greylisted");
    let mut notice = notice(NoticeKind::Open);
    for reason in [
        "the mail server answered 451",
        "the mail server answered 451; 1 of 2 addresses have the mail",
    ] {
        let error = send(&email, &notice).await.unwrap_err();
        assert!(retried(&error));
        assert_eq!(error.reason, reason);
        notice.remote = error.remote;
    }
    server.forgive();
    send(&email, &notice).await.unwrap();
    let to: Vec<_> = server.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [["a@example.com"], ["b@example.com"]]);
    // What is remembered is of that mail only.
    notice.key = "next".to_owned();
    send(&email, &notice).await.unwrap();
    assert_eq!(server.mails()[2].to.len(), 2);
}

#[tokio::test]
async fn a_password_goes_only_through_tls() {
    for (security, tls) in [
        (Security::StartTls, EmailTls::Starttls),
        (Security::Implicit, EmailTls::Implicit),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = FakeSmtp::start(security).await;
        let email = Email::from_config(&account(&server, tls, &folder), TIMEOUT).unwrap();
        send(&email, &notice(NoticeKind::Open)).await.unwrap();
        let mails = server.mails();
        assert!(mails[0].tls);
        assert_eq!(mails[0].user.as_deref(), Some("herald"));
    }
}

#[tokio::test]
async fn an_access_token_is_read_again_when_it_is_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeSmtp::start(Security::StartTls).await;
    let token = folder.path().join("token");
    std::fs::write(&token, "expired").unwrap();
    let mut config = account(&server, EmailTls::Starttls, &folder);
    config.auth = EmailAuth::Xoauth2;
    config.password = None;
    config.password_file = Some(token.clone());
    let email = Email::from_config(&config, TIMEOUT).unwrap();
    let error = send(&email, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(retried(&error), "{error}");
    std::fs::write(&token, format!("{CANARY}\n")).unwrap();
    send(&email, &notice(NoticeKind::Open)).await.unwrap();
    assert_eq!(server.mails()[0].user.as_deref(), Some("herald"));
    assert_eq!(server.logins(), 2);
}

#[tokio::test]
async fn a_wrong_password_fails_after_one_login() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeSmtp::start(Security::StartTls).await;
    let mut config = account(&server, EmailTls::Starttls, &folder);
    config.password = Some(Secret::new("wrong"));
    let email = Email::from_config(&config, TIMEOUT).unwrap();
    let error = send(&email, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(!retried(&error));
    insta::assert_snapshot!(error, @"the mail server refuses the login (535)");
    assert_eq!(server.logins(), 1);
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_mail() {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeSmtp::start(Security::Plain).await;
    let config = account(&server, EmailTls::Starttls, &folder);
    let email = Email::from_config(&config, TIMEOUT).unwrap();
    let error = send(&email, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(!retried(&error));
    insta::assert_snapshot!(error, @"the mail server does not offer what is configured (STARTTLS, AUTH)");
    assert_eq!((server.mails().len(), server.logins()), (0, 0));
}

#[tokio::test]
async fn a_certificate_of_nobody_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (security, tls) in [
        (Security::StartTls, EmailTls::Starttls),
        (Security::Implicit, EmailTls::Implicit),
    ] {
        let server = FakeSmtp::start(security).await;
        let mut config = account(&server, tls, &folder);
        config.ca_file = None;
        let email = Email::from_config(&config, TIMEOUT).unwrap();
        let error = send(&email, &notice(NoticeKind::Open)).await.unwrap_err();
        assert!(retried(&error));
        assert_eq!(
            error.reason,
            "the destination's TLS certificate is not trusted"
        );
        assert_eq!(server.logins(), 0);
    }
}

#[tokio::test]
async fn no_listener_is_retried() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (server, _) = plain().await;
    let mut config = config(&server, EmailTls::None);
    config.port = free.local_addr().unwrap().port();
    drop(free);
    let email = Email::from_config(&config, TIMEOUT).unwrap();
    let error = send(&email, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(retried(&error));
    insta::assert_snapshot!(error, @"the connection to the mail server failed");
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left_and_its_late_replies_count_for_nothing() {
    let server = FakeSmtp::start(Security::Plain).await;
    // Between the silences a whole mail must get through, on a loaded machine too.
    let timeout = 4 * IMPATIENT;
    let email = Email::from_config(&config(&server, EmailTls::None), timeout).unwrap();
    for command in ["EHLO", "MAIL", "RCPT", "DATA", "."] {
        server.plan(command, "HANG");
        let error = send(&email, &notice(NoticeKind::Open)).await.unwrap_err();
        assert!(retried(&error));
        assert_eq!(
            error.reason, "the mail server did not answer in time",
            "{command}"
        );
        let connections = server.connections();
        tokio::task::yield_now().await;
        send(&email, &notice(NoticeKind::Open)).await.unwrap();
        assert_eq!(server.connections(), connections + 1, "{command}");
    }
    assert_eq!(server.mails().len(), 5);
}
