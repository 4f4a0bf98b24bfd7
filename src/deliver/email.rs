//! Email: one thread an incident, text and HTML, with the report as Markdown and the event attached.
//!
//! The Message-ID of the first mail is derived from the incident, so that later mails find their
//! thread even when everything else is lost, and a retry repeats the same mail.

mod answer;
mod letter;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, Tokio1Executor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kinds::{BuildError, Kind};
use super::{Destination, Digests, Notice, Pace, Receipt, Schedule, SendError};
use crate::clock::Clock;
use crate::report::Report;
use crate::secret::{Secret, SecretKeys};
use answer::{is_bad_login, is_of_recipient, is_too_large, judge};
use transport::{Login, Transport, Trouble};

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
    /// How the user logs in.
    #[serde(default)]
    pub auth: EmailAuth,
    /// The password itself; for `xoauth2` the access token.
    pub password: Option<Secret>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// The file that holds the password. For `xoauth2` it is read before each mail: tokens are renewed
    /// from outside.
    pub password_file: Option<PathBuf>,
    /// The sender's address.
    pub from: String,
    /// The recipients' addresses.
    pub to: Vec<String>,
    /// Authorities that are trusted beside the system's, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// The name to greet the server with; default: this machine's.
    pub helo: Option<String>,
    /// Instead of a mail for each incident, one at these times that hands over all that happened:
    /// `daily at 09:00 Europe/Berlin`.
    pub digest: Option<Schedule>,
}

/// How the user logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EmailAuth {
    /// PLAIN, or LOGIN where the server offers nothing else.
    #[default]
    Password,
    /// XOAUTH2, as Exchange Online and Gmail want it.
    Xoauth2,
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
    transport: Transport,
    from: Mailbox,
    to: Vec<Mailbox>,
    digest: Option<Schedule>,
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Email")
            .field("to", &self.to.len())
            .finish_non_exhaustive()
    }
}

impl Kind for EmailConfig {
    fn build(&self, timeout: Duration, _: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        Ok(Arc::new(Email::from_config(self, timeout)?))
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
        let mut login = None;
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
        if let Some(helo) = &config.helo {
            if !letter::is_domain(helo) {
                return Err(BuildError::Setting(
                    "email: `helo` is no host name".to_owned(),
                ));
            }
            builder = builder.hello_name(ClientId::Domain(helo.clone()));
        }
        match (&config.username, password.resolve_optional()?) {
            (Some(_), Some(_)) if config.tls == EmailTls::None => {
                let wrong = "email: a password needs `tls: starttls` or `tls: implicit`";
                return Err(BuildError::Setting(wrong.to_owned()));
            }
            (Some(username), Some(password)) => {
                if config.auth == EmailAuth::Xoauth2 {
                    builder = builder.authentication(vec![Mechanism::Xoauth2]);
                }
                let renewed = config.password_file.clone();
                login = Some(Login {
                    username: username.clone(),
                    password,
                    renewed: renewed.filter(|_| config.auth == EmailAuth::Xoauth2),
                });
            }
            (None, None) => {}
            _ => {
                let wrong = "email: set `username` and a password, or neither";
                return Err(BuildError::Setting(wrong.to_owned()));
            }
        }
        Ok(Self {
            transport: Transport::new(builder, login, timeout),
            from: address(&config.from, "from")?,
            to,
            digest: config.digest.clone(),
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

/// Where a mail stands that not all recipients have.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Remote {
    /// The notice it speaks of.
    key: String,
    /// Who has it already.
    done: Vec<String>,
    /// It was put off before.
    again: bool,
}

impl Remote {
    fn of(key: &str, stored: Option<&str>) -> Self {
        stored
            .and_then(|stored| serde_json::from_str(stored).ok())
            .filter(|known: &Self| known.key == key)
            .unwrap_or_else(|| Self {
                key: key.to_owned(),
                ..Self::default()
            })
    }

    fn stored(&self) -> String {
        serde_json::to_string(self).expect("text and booleans are always JSON")
    }
}

impl Email {
    async fn tell(&self, notice: &Notice) -> Result<Receipt, SendError> {
        let mail = letter::request(&self.from, &self.to, notice).map_err(unwritten)?;
        let known = Remote::of(&notice.key, notice.remote.as_deref());
        self.deliver(&mail.formatted(), known).await
    }

    /// A digest has no place to remember who has it already: what one recipient missed is sent to
    /// all again, as the same mail.
    async fn hand_over_shift(&self, report: &Report, key: &str) -> Result<Receipt, SendError> {
        let mail = letter::digest(&self.from, &self.to, report, key).map_err(unwritten)?;
        self.deliver(&mail.formatted(), Remote::of(key, None)).await
    }

    /// Sends to all at once; one by one when the server refuses some for good, or puts the mail off
    /// a second time, so that one bad mailbox does not keep the mail from the others.
    async fn deliver(&self, mail: &[u8], known: Remote) -> Result<Receipt, SendError> {
        let left: Vec<_> = self
            .to
            .iter()
            .map(|to| to.email.clone())
            .filter(|to| !known.done.contains(&to.to_string()))
            .collect();
        let Err(trouble) = self.hand_over(left.clone(), mail).await else {
            return Ok(Receipt {
                remote: None,
                detail: format!("mailed to {} addresses", self.to.len()),
            });
        };
        match &trouble {
            Trouble::Smtp(error)
                if self.to.len() > 1 && is_of_recipient(error) && !is_too_large(error) =>
            {
                if error.is_permanent() || known.again {
                    return self.one_by_one(left, mail, known).await;
                }
                let again = true;
                let remote = Remote { again, ..known };
                Err(judge(&trouble).with_remote(remote.stored()))
            }
            Trouble::Smtp(error) if self.transport.is_renewed() && is_bad_login(error) => {
                let why =
                    "the mail server refused the access token; it is read again for the next try";
                Err(SendError::retry(why, None))
            }
            _ => Err(judge(&trouble)),
        }
    }

    async fn one_by_one(
        &self,
        left: Vec<Address>,
        mail: &[u8],
        mut remote: Remote,
    ) -> Result<Receipt, SendError> {
        let mut refused = Vec::new();
        let mut passing = None;
        for to in left {
            match self.hand_over(vec![to.clone()], mail).await {
                Ok(()) => remote.done.push(to.to_string()),
                Err(Trouble::Smtp(error)) if error.is_permanent() => {
                    let code = error.status().map(|code| code.to_string());
                    refused.push(format!("{to} ({})", code.unwrap_or_default()));
                }
                Err(trouble) => passing = Some(trouble),
            }
        }
        let (served, of) = (remote.done.len(), self.to.len());
        if let Some(trouble) = passing {
            let mut error = judge(&trouble).with_remote(remote.stored());
            error.reason = format!("{}; {served} of {of} addresses have the mail", error.reason);
            return Err(error);
        }
        let refused = refused.join(", ");
        if served == 0 {
            let reason = format!("the mail server refused every address: {refused}");
            return Err(SendError::fail(reason));
        }
        Ok(Receipt {
            remote: None,
            detail: format!("mailed to {served} of {of} addresses; refused: {refused}"),
        })
    }

    async fn hand_over(&self, to: Vec<Address>, mail: &[u8]) -> Result<(), Trouble> {
        match Envelope::new(Some(self.from.email.clone()), to) {
            Ok(envelope) => self.transport.send(&envelope, mail).await,
            // Nobody is left.
            Err(_) => Ok(()),
        }
    }
}

fn unwritten(_: lettre::error::Error) -> SendError {
    SendError::fail("the mail cannot be written")
}

impl Destination for Email {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(self.tell(notice))
    }

    fn probe(&self) -> Option<BoxFuture<'_, Result<String, SendError>>> {
        Some(Box::pin(async move {
            match self.transport.probe().await {
                Ok(()) => Ok("the mail server takes the connection and the login".to_owned()),
                Err(trouble) => Err(judge(&trouble)),
            }
        }))
    }

    fn pace(&self) -> Pace {
        Pace {
            concurrency: 2,
            interval: Duration::ZERO,
        }
    }

    fn digests(&self) -> Option<(&dyn Digests, &Schedule)> {
        self.digest
            .as_ref()
            .map(|schedule| (self as &dyn Digests, schedule))
    }
}

impl Digests for Email {
    fn send<'a>(
        &'a self,
        report: &'a Report,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(self.hand_over_shift(report, key))
    }
}

#[cfg(test)]
mod tests;
