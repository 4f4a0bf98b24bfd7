//! The mail itself: headers that thread, text and HTML.

use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{Attachment, Body, Mailbox, Message, MessageBuilder, MultiPart, SinglePart};

use super::super::{Notice, NoticeKind};
use crate::markup::document::Document;
use crate::markup::html::html_page;
use crate::markup::text::plain_text;
use crate::markup::visible::{one_line, truncate};
use crate::report::Report;

/// The report as written, per RFC 7763.
const MARKDOWN: &str = "text/markdown; charset=utf-8; variant=CommonMark";

/// Bytes of an event that are attached at most.
const MAX_EVENT: usize = 256 * 1024;

/// Characters of a title in a subject.
const MAX_SUBJECT: usize = 200;

macro_rules! header {
    ($type:ident, $name:literal) => {
        #[derive(Clone)]
        struct $type(String);

        impl Header for $type {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($name)
            }

            fn parse(value: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
                Ok(Self(value.to_owned()))
            }

            fn display(&self) -> HeaderValue {
                HeaderValue::new(Self::name(), self.0.clone())
            }
        }
    };
}

header!(AutoSubmitted, "Auto-Submitted");
header!(AutoResponseSuppress, "X-Auto-Response-Suppress");
header!(ListId, "List-Id");
header!(FalcoPriority, "X-Falco-Priority");
header!(FalcoCount, "X-Falco-Count");

/// The subject stays the same over the incident's life: clients thread by it.
pub(super) fn request(
    from: &Mailbox,
    to: &[Mailbox],
    notice: &Notice,
) -> Result<Message, lettre::error::Error> {
    let (incident, report) = (&notice.incident, &notice.report);
    let domain = from.email.domain();
    let root = format!("<{}.0@{domain}>", incident.uid);
    let builder = head(from, to, &report.title)
        .header(FalcoPriority(incident.severity.name().to_owned()))
        .header(FalcoCount(incident.count.to_string()));
    let builder = match notice.kind {
        NoticeKind::Open => builder.message_id(Some(root)),
        NoticeKind::Update | NoticeKind::Close => builder
            .message_id(Some(format!("<{}@{domain}>", id(&notice.key))))
            .in_reply_to(root.clone())
            .references(root),
    };
    let mail = readable(report);
    builder.multipart(match evidence(&notice.event) {
        Some(event) => mail.singlepart(event),
        None => mail,
    })
}

/// A digest: a mail that stands for itself.
pub(super) fn digest(
    from: &Mailbox,
    to: &[Mailbox],
    report: &Report,
    key: &str,
) -> Result<Message, lettre::error::Error> {
    let domain = from.email.domain();
    head(from, to, &report.title)
        .message_id(Some(format!("<{}@{domain}>", id(key))))
        .multipart(readable(report))
}

/// What every mail begins with.
fn head(from: &Mailbox, to: &[Mailbox], title: &str) -> MessageBuilder {
    let builder = Message::builder()
        .from(from.clone())
        .subject(subject(title))
        .header(AutoSubmitted("auto-generated".to_owned()))
        .header(AutoResponseSuppress("All".to_owned()))
        .header(ListId(format!("<falco.{}>", from.email.domain())));
    to.iter()
        .fold(builder, |builder, to| builder.to(to.clone()))
}

/// The report as text, as HTML and as it was written.
fn readable(report: &Report) -> MultiPart {
    let document = Document::parse(&report.markdown);
    let text = SinglePart::builder()
        .header(ContentType::TEXT_PLAIN)
        .body(plain_text(&document));
    let html = SinglePart::builder()
        .header(ContentType::TEXT_HTML)
        .body(html_page(&report.title, &document));
    let read = MultiPart::alternative().singlepart(text).singlepart(html);
    MultiPart::mixed().multipart(read).singlepart(attached(
        "report.md",
        MARKDOWN,
        report.markdown.clone().into_bytes(),
    ))
}

/// The event as posted, where it is not so large that a server might refuse the mail for it.
fn evidence(event: &[u8]) -> Option<SinglePart> {
    let fits = !event.is_empty() && event.len() <= MAX_EVENT;
    fits.then(|| attached("event.json", "application/json", event.to_vec()))
}

fn attached(name: &str, kind: &str, content: Vec<u8>) -> SinglePart {
    let kind = ContentType::parse(kind).unwrap_or(ContentType::TEXT_PLAIN);
    // Its own choice would send line ends as they are, and a bare one can end the mail early.
    let body = Body::new_with_encoding(content, ContentTransferEncoding::Base64)
        .expect("base64 holds any bytes");
    Attachment::new(name.to_owned()).body(body, kind)
}

/// A title never holds a line break or hidden character; a subject must not even if one does.
fn subject(title: &str) -> String {
    // A title that looks like an encoded word would be decoded by the reader's mail program.
    let title = one_line(title).replace("=?", "\\u{3D}?");
    format!("[Falco] {}", truncate(&title, MAX_SUBJECT))
}

/// A key as the left side of a Message-ID.
fn id(key: &str) -> String {
    let keep = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    key.chars().filter(keep).take(200).collect()
}

/// Whether the text can stand in a greeting.
pub(super) fn is_domain(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=255).contains(&text.len()) && text.bytes().all(known)
}
