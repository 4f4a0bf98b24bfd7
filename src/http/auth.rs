//! Who may post: HTTP Basic or a bearer token, compared in constant time.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::config::AuthConfig;
use crate::secret::{SecretError, SecretKeys};

/// Why the `ingest.auth` section is refused.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// A secret cannot be had.
    #[error("ingest.auth.{section}: {source}")]
    Secret {
        /// `basic` or `bearer`.
        section: &'static str,
        /// Why.
        source: SecretError,
    },
}

/// The `Authorization` headers that are accepted, as hashes: equal lengths, so that comparing them
/// takes the same time whatever was sent.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    accepted: Vec<[u8; 32]>,
}

impl Credentials {
    /// Reads the secrets of the section. Without any, everybody may post.
    pub fn from_config(config: &AuthConfig) -> Result<Self, AuthError> {
        let mut accepted = Vec::new();
        if let Some(basic) = &config.basic {
            let password = SecretKeys {
                key: "password",
                value: basic.password.as_ref(),
                env: basic.password_env.as_deref(),
                file: basic.password_file.as_deref(),
            };
            let password = password.resolve().map_err(|source| AuthError::Secret {
                section: "basic",
                source,
            })?;
            let pair = format!("{}:{}", basic.username, password.expose());
            accepted.push(hash(b"basic", STANDARD.encode(pair).as_bytes()));
        }
        if let Some(bearer) = &config.bearer {
            let token = SecretKeys {
                key: "token",
                value: bearer.token.as_ref(),
                env: bearer.token_env.as_deref(),
                file: bearer.token_file.as_deref(),
            };
            let token = token.resolve().map_err(|source| AuthError::Secret {
                section: "bearer",
                source,
            })?;
            accepted.push(hash(b"bearer", token.expose().as_bytes()));
        }
        Ok(Self { accepted })
    }

    /// Whether a request may post.
    pub fn admit(&self, headers: &HeaderMap) -> bool {
        if self.accepted.is_empty() {
            return true;
        }
        let sent = headers
            .get(AUTHORIZATION)
            .map_or(&b""[..], |value| value.as_bytes());
        let space = sent
            .iter()
            .position(|byte| *byte == b' ')
            .unwrap_or(sent.len());
        let (scheme, value) = sent.split_at(space);
        let sent = hash(&scheme.to_ascii_lowercase(), value.trim_ascii());
        let matches = self.accepted.iter().map(|accepted| accepted.ct_eq(&sent));
        matches
            .fold(subtle::Choice::from(0), |any, one| any | one)
            .into()
    }
}

fn hash(scheme: &[u8], value: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((scheme.len() as u64).to_le_bytes());
    hash.update(scheme);
    hash.update(value);
    hash.finalize().into()
}
