//! The `ingest` section of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::AuthConfig;
use super::ingest::Limits;
use super::serve::ConnectionLimits;
use super::tls::TlsConfig;
use crate::units::{ByteSize, Span};

/// How events are taken in: who may send them, how, and how much.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IngestConfig {
    /// Who may send events. Anyone who reaches the port, unless set.
    pub auth: AuthConfig,
    /// TLS on the events listener, with or without client certificates.
    pub tls: Option<TlsConfig>,
    /// The largest request body. A larger one is answered 413 and kept in quarantine in part.
    pub max_body: ByteSize,
    /// The largest body after decompression.
    pub max_decoded: ByteSize,
    /// How many connections may be open at once; more are closed at once.
    #[schemars(range(min = 1))]
    pub max_connections: u32,
    /// How long a new connection may take for its TLS handshake, and then for its first request
    /// head.
    pub header_timeout: Span,
    /// How long a request body may take. Slower ones are answered 408.
    pub body_timeout: Span,
    /// How long a connection may stay open between requests. Go clients keep theirs for 90 s.
    pub idle_timeout: Span,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            auth: AuthConfig::default(),
            tls: None,
            max_body: ByteSize(2 << 20),
            max_decoded: ByteSize(8 << 20),
            max_connections: 4096,
            header_timeout: Span(Duration::from_secs(10)),
            body_timeout: Span(Duration::from_secs(30)),
            idle_timeout: Span(Duration::from_mins(2)),
        }
    }
}

impl IngestConfig {
    /// The limits of one request.
    pub fn limits(&self) -> Limits {
        let bytes = |size: ByteSize| usize::try_from(size.0).unwrap_or(usize::MAX);
        Limits {
            max_body: bytes(self.max_body),
            max_decoded: bytes(self.max_decoded),
            body_timeout: self.body_timeout.0,
        }
    }

    /// The limits of the connections.
    pub fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            max_connections: usize::try_from(self.max_connections).unwrap_or(usize::MAX),
            header_timeout: self.header_timeout.0,
            idle_timeout: self.idle_timeout.0,
            ..ConnectionLimits::default()
        }
    }

    /// Every file that the section names, for checks and watches.
    pub fn files(&self) -> Vec<&PathBuf> {
        let tls = self.tls.iter();
        tls.flat_map(|tls| {
            [
                Some(&tls.cert_file),
                Some(&tls.key_file),
                tls.client_ca_file.as_ref(),
            ]
        })
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_section_is_read() {
        let config: IngestConfig = serde_saphyr::from_str(
            "auth:\n  basic: { username: falco, password_env: HERALD_INGEST_PASSWORD }\n  \
             bearer: { token_file: /run/secrets/herald-ingest }\n\
             tls: { cert_file: tls.crt, key_file: tls.key, client_ca_file: ca.crt }\n\
             max_body: 1MiB\nbody_timeout: 5s\n",
        )
        .unwrap();
        assert_eq!(config.limits().max_body, 1 << 20);
        assert_eq!(config.limits().body_timeout, Duration::from_secs(5));
        assert_eq!(config.files().len(), 3);
    }

    #[test]
    fn an_unknown_key_is_an_error_and_an_empty_section_is_the_default() {
        assert!(serde_saphyr::from_str::<IngestConfig>("max_bodi: 1MiB\n").is_err());
        let config: IngestConfig = serde_saphyr::from_str("{}").unwrap();
        assert_eq!(config.limits().max_body, 2 << 20);
        assert!(config.connection_limits().idle_timeout > Duration::from_secs(90));
    }

    #[test]
    fn secrets_are_not_printed() {
        let config: IngestConfig =
            serde_saphyr::from_str("auth: { bearer: { token: hunter2 } }").unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
