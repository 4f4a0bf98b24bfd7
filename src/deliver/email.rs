//! Email: one thread an incident, text and HTML.
//!
//! The Message-ID of the first mail is derived from the incident, so that later mails find their
//! thread even when everything else is lost, and a retry repeats the same mail.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{Error, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use schemars::JsonSchema;
use serde::Deserialize;

use super::kinds::BuildError;
use super::{Destination, Notice, NoticeKind, Pace, Receipt, SendError};
use crate::markup::document::Document;
use crate::markup::html::html_page;
use crate::markup::text::plain_text;
use crate::secret::{Secret, SecretKeys};

/// Sends mail.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The SMTP server.
    pub host: String,
    /// Its port: 587 for `starttls`, 465 for `implicit`.
    pub port: u16,
    /// How the connection is secured.
    #[serde(default)]
    pub tls: EmailTls,
    /// The user, when the server wants one.
    pub username: Option<String>,
    /// The password itself.
    pub password: Option<Secret>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
    /// The sender's address.
    pub from: String,
    /// The recipients' addresses.
    pub to: Vec<String>,
    /// Authorities that are trusted beside the system's, as a PEM file.
    pub ca_file: Option<PathBuf>,
}

/// How the connection is secured. Never downgraded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EmailTls {
    /// STARTTLS, required.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// No TLS: for a relay on this machine only, and without a password.
    None,
}

pub(super) struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Email")
            .field("to", &self.to.len())
            .finish_non_exhaustive()
    }
}

impl Email {
    pub(super) fn from_config(config: &EmailConfig, timeout: Duration) -> Result<Self, BuildError> {
        let address = |text: &String, key: &str| {
            text.parse::<Mailbox>()
                .map_err(|_| BuildError::Setting(format!("email: `{key}` holds no mail address")))
        };
        let to: Vec<_> = config
            .to
            .iter()
            .map(|to| address(to, "to"))
            .collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err(BuildError::Setting("email: `to` is empty".to_owned()));
        }
        let password = SecretKeys {
            key: "password",
            value: config.password.as_ref(),
            env: config.password_env.as_deref(),
            file: config.password_file.as_deref(),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port)
            .timeout(Some(timeout))
            .tls(tls(config)?)
            .pool_config(PoolConfig::new().max_size(2));
        if let Some(username) = &config.username {
            if config.tls == EmailTls::None {
                let wrong = "email: a password needs `tls: starttls` or `tls: implicit`";
                return Err(BuildError::Setting(wrong.to_owned()));
            }
            let password = password.resolve()?.expose().to_owned();
            builder = builder.credentials(Credentials::new(username.clone(), password));
        }
        Ok(Self {
            transport: builder.build(),
            from: address(&config.from, "from")?,
            to,
        })
    }
}

fn tls(config: &EmailConfig) -> Result<Tls, BuildError> {
    if config.tls == EmailTls::None {
        let local = matches!(config.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        let wrong = "email: `tls: none` is for a relay on this machine only";
        return local
            .then_some(Tls::None)
            .ok_or_else(|| BuildError::Setting(wrong.to_owned()));
    }
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.ca_file {
        let unusable = || BuildError::Setting(format!("email: cannot use {}", path.display()));
        let pem = std::fs::read(path).map_err(|_| unusable())?;
        parameters =
            parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(|_| unusable())?);
    }
    let parameters = parameters
        .build_rustls()
        .map_err(|_| BuildError::Setting("email: TLS cannot start".to_owned()))?;
    Ok(match config.tls {
        EmailTls::Implicit => Tls::Wrapper(parameters),
        _ => Tls::Required(parameters),
    })
}

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

impl Email {
    /// The subject stays the same over the incident's life: clients thread by it.
    fn request(&self, notice: &Notice) -> Result<Message, lettre::error::Error> {
        let (incident, report) = (&notice.incident, &notice.report);
        let domain = self.from.email.domain();
        let root = format!("<{}.0@{domain}>", incident.uid);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(format!("[Falco] {}", report.title))
            .header(AutoSubmitted("auto-generated".to_owned()))
            .header(AutoResponseSuppress("All".to_owned()))
            .header(ListId(format!("<falco.{domain}>")))
            .header(FalcoPriority(incident.severity.name().to_owned()))
            .header(FalcoCount(incident.count.to_string()));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder = match notice.kind {
            NoticeKind::Open => builder.message_id(Some(root)),
            NoticeKind::Update | NoticeKind::Close => builder
                .message_id(Some(format!("<{}@{domain}>", notice.key)))
                .in_reply_to(root.clone())
                .references(root),
        };
        let document = Document::parse(&report.markdown);
        let text = SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .body(plain_text(&document));
        let html = SinglePart::builder()
            .header(ContentType::TEXT_HTML)
            .body(html_page(&report.title, &document));
        builder.multipart(MultiPart::alternative().singlepart(text).singlepart(html))
    }
}

/// Replies in the 4xx range pass, those in the 5xx range do not.
fn judge(error: &Error) -> SendError {
    if let Some(code) = error.status() {
        let reason = format!("the mail server answered {code}");
        return if error.is_permanent() {
            SendError::fail(reason)
        } else {
            SendError::retry(reason, None)
        };
    }
    if error.is_client() {
        return SendError::fail(
            "the mail server does not offer what is configured (STARTTLS, AUTH)",
        );
    }
    let reason = if error.is_timeout() {
        "the mail server did not answer in time"
    } else if error.is_tls() {
        "the TLS handshake with the mail server failed"
    } else {
        "the connection to the mail server failed"
    };
    SendError::retry(reason, None)
}

impl Destination for Email {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            let mail = self
                .request(notice)
                .map_err(|_| SendError::fail("the mail cannot be written"))?;
            match self.transport.send(mail).await {
                Ok(_) => Ok(Receipt {
                    remote: None,
                    detail: format!("mailed to {} addresses", self.to.len()),
                }),
                Err(error) => Err(judge(&error)),
            }
        })
    }

    fn pace(&self) -> Pace {
        Pace {
            concurrency: 2,
            interval: Duration::ZERO,
        }
    }
}
