//! Who may send events: HTTP Basic (all that Falco can send, in the URL) or a bearer token.

use std::fmt;
use std::path::PathBuf;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::secret::{Secret, SecretError, SecretKeys};

/// Credentials of the senders. With both kinds set, either is enough.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// A user name and password, as in `http://falco:password@herald:2804/`.
    pub basic: Option<BasicConfig>,
    /// A token, sent as `Authorization: Bearer ...`.
    pub bearer: Option<BearerConfig>,
}

/// A user name and its password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicConfig {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Option<Secret>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
}

/// A bearer token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BearerConfig {
    /// The token.
    pub token: Option<Secret>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
}

/// Why a section with credentials is refused.
#[derive(Debug, thiserror::Error)]
#[error("{section}.{kind}: {source}")]
pub struct AuthError {
    section: &'static str,
    kind: &'static str,
    source: SecretError,
}

impl BasicConfig {
    /// `username:password`.
    fn pair(&self) -> Result<Secret, SecretError> {
        let password = SecretKeys {
            key: "password",
            value: self.password.as_ref(),
            env: self.password_env.as_deref(),
            file: self.password_file.as_deref(),
        };
        let password = password.resolve()?;
        Ok(Secret::new(format!(
            "{}:{}",
            self.username,
            password.expose()
        )))
    }
}

impl BearerConfig {
    fn token(&self) -> Result<Secret, SecretError> {
        let token = SecretKeys {
            key: "token",
            value: self.token.as_ref(),
            env: self.token_env.as_deref(),
            file: self.token_file.as_deref(),
        };
        token.resolve()
    }
}

impl AuthConfig {
    /// The `Authorization` header that these credentials let pass; none when nobody is asked.
    pub fn authorization(&self) -> Result<Option<Secret>, SecretError> {
        match (&self.bearer, &self.basic) {
            (Some(bearer), _) => {
                let token = bearer.token()?;
                Ok(Some(Secret::new(format!("Bearer {}", token.expose()))))
            }
            (None, Some(basic)) => {
                let pair = STANDARD.encode(basic.pair()?.expose());
                Ok(Some(Secret::new(format!("Basic {pair}"))))
            }
            (None, None) => Ok(None),
        }
    }
}

/// The credentials that are accepted, as hashes: comparing takes the same time for all input, and
/// no secret stays in memory.
#[derive(Clone, Default)]
pub struct Auth {
    basic: Option<Hash>,
    bearer: Option<Hash>,
}

type Hash = [u8; 32];

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("basic", &self.basic.is_some())
            .field("bearer", &self.bearer.is_some())
            .finish()
    }
}

impl Auth {
    /// Reads the secrets. `section` is the section's path, for errors.
    pub fn load(config: &AuthConfig, section: &'static str) -> Result<Self, AuthError> {
        let refused = |kind| {
            move |source| AuthError {
                section,
                kind,
                source,
            }
        };
        let basic = config.basic.as_ref().map(|basic| {
            let pair = basic.pair().map_err(refused("basic"))?;
            Ok(hash(pair.expose().as_bytes()))
        });
        let bearer = config.bearer.as_ref().map(|bearer| {
            let token = bearer.token().map_err(refused("bearer"))?;
            Ok(hash(token.expose().as_bytes()))
        });
        Ok(Self {
            basic: basic.transpose()?,
            bearer: bearer.transpose()?,
        })
    }

    /// Whether nobody is asked for credentials.
    pub fn is_open(&self) -> bool {
        self.basic.is_none() && self.bearer.is_none()
    }

    /// Whether a request with these headers may pass.
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        if self.is_open() {
            return true;
        }
        let mut values = headers.get_all(AUTHORIZATION).iter();
        // With two headers it would depend on the reader which one counts.
        let (Some(value), None) = (values.next(), values.next()) else {
            return false;
        };
        let Some((scheme, credentials)) = split(value.as_bytes()) else {
            return false;
        };
        if scheme.eq_ignore_ascii_case(b"basic") {
            let credentials = STANDARD.decode(credentials).unwrap_or_default();
            matches(self.basic.as_ref(), &credentials)
        } else if scheme.eq_ignore_ascii_case(b"bearer") {
            matches(self.bearer.as_ref(), credentials)
        } else {
            false
        }
    }

    /// The values of `WWW-Authenticate`: one per kind of credentials that is accepted.
    pub fn challenges(&self) -> impl Iterator<Item = HeaderValue> {
        let basic = self
            .basic
            .map(|_| r#"Basic realm="falco-herald", charset="UTF-8""#);
        let bearer = self.bearer.map(|_| r#"Bearer realm="falco-herald""#);
        basic
            .into_iter()
            .chain(bearer)
            .map(HeaderValue::from_static)
    }
}

/// The scheme and the credentials of an `Authorization` value.
fn split(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at(space);
    Some((scheme, rest.trim_ascii()))
}

fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

fn matches(expected: Option<&Hash>, given: &[u8]) -> bool {
    let given = hash(given);
    expected.is_some_and(|expected| expected.ct_eq(&given).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth() -> Auth {
        let config = serde_saphyr::from_str(
            "basic: { username: falco, password: \"a:b\" }\nbearer: { token: t0ken }",
        )
        .unwrap();
        Auth::load(&config, "ingest.auth").unwrap()
    }

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (AUTHORIZATION, value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_the_exact_credentials_pass() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for good in [
            basic("falco:a:b"),
            basic("falco:a:b").replace("Basic", "bAsIc "),
            "Bearer t0ken".into(),
        ] {
            assert!(auth().allows(&headers(&[&good])), "{good}");
        }
        for bad in [
            basic("falco:a"),
            basic("falcO:a:b"),
            basic(":"),
            "Basic !!!".into(),
            "Basic".into(),
            "Bearer".into(),
            "Bearer ".into(),
            "Bearer t0ken2".into(),
            "Digest t0ken".into(),
            String::new(),
        ] {
            assert!(!auth().allows(&headers(&[&bad])), "{bad}");
        }
        assert!(!auth().allows(&headers(&[])));
        assert!(!auth().allows(&headers(&["Bearer t0ken", "Bearer t0ken"])));
    }

    #[test]
    fn nothing_is_asked_for_when_nothing_is_configured() {
        assert!(Auth::default().allows(&headers(&[])));
        assert_eq!(Auth::default().challenges().count(), 0);
        assert_eq!(auth().challenges().count(), 2);
    }

    #[test]
    fn a_kind_that_is_not_configured_is_refused() {
        let only_basic = Auth {
            bearer: None,
            ..auth()
        };
        assert!(!only_basic.allows(&headers(&["Bearer t0ken"])));
        assert!(!only_basic.allows(&headers(&["Bearer "])));
    }

    #[test]
    fn debug_shows_no_hash() {
        assert_eq!(
            format!("{:?}", auth()),
            "Auth { basic: true, bearer: true }"
        );
    }
}
