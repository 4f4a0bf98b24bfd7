//! The `ingest` section.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::secret::Secret;
use crate::units::{ByteSize, Span};

/// How events are received.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IngestConfig {
    /// Who may post. Everybody when left out: then keep others off by network.
    pub auth: AuthConfig,
    /// Receive over TLS.
    pub tls: Option<TlsConfig>,
    /// The largest request body, as sent.
    pub max_body: ByteSize,
    /// The largest body after decompression.
    pub max_decoded: ByteSize,
    /// Connections at once; more are closed.
    pub max_connections: u32,
    /// How long a request's header may take to arrive, and how long a connection may idle between
    /// requests. Go clients keep idle connections for 90 s.
    pub header_timeout: Span,
    /// How long a request's body may take to arrive.
    pub body_timeout: Span,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            auth: AuthConfig::default(),
            tls: None,
            max_body: ByteSize(2 << 20),
            max_decoded: ByteSize(8 << 20),
            max_connections: 1_024,
            header_timeout: Span(Duration::from_mins(2)),
            body_timeout: Span(Duration::from_secs(30)),
        }
    }
}

/// Credentials that are accepted. Either is enough when both are set.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// HTTP Basic: what Falco and Falcosidekick send for `http://user:password@host`.
    pub basic: Option<BasicConfig>,
    /// `Authorization: Bearer`, for senders that can set headers.
    pub bearer: Option<BearerConfig>,
}

/// A user name and password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicConfig {
    /// The user name.
    pub username: String,
    /// The password itself.
    pub password: Option<Secret>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
}

/// A token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BearerConfig {
    /// The token itself.
    pub token: Option<Secret>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
}

/// Certificate and key of the listener, as PEM files.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate, followed by its chain.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
    /// When set, senders must present a certificate of one of these authorities.
    pub client_ca_file: Option<PathBuf>,
}
