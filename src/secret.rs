//! Secrets of the configuration: given inline, by environment variable or by file; never printed.
//!
//! A section that takes a secret `x` has three keys: `x`, `x_env` and `x_file`. Exactly one is set.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// A secret value. `Debug` and `Display` print a mark; [`Secret::expose`] is the only way out.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(#[schemars(with = "String")] SecretString);

impl Secret {
    /// Wraps a value that is already in memory.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value, for the one place that sends it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Why a secret could not be had. Names the keys, never the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// None of the three keys is set.
    #[error("set one of `{key}`, `{key}_env` or `{key}_file`")]
    Missing {
        /// The key without suffix.
        key: &'static str,
    },
    /// More than one of the three keys is set.
    #[error("set only one of `{key}`, `{key}_env` and `{key}_file`")]
    Ambiguous {
        /// The key without suffix.
        key: &'static str,
    },
    /// The environment variable is unset, empty or not UTF-8.
    #[error("`{key}_env`: the environment variable {variable} is not set")]
    Environment {
        /// The key without suffix.
        key: &'static str,
        /// The variable's name.
        variable: String,
    },
    /// The file cannot be read.
    #[error("`{key}_file`: cannot read {}", path.display())]
    File {
        /// The key without suffix.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The three keys of one secret, as they stand in a config section.
#[derive(Clone, Copy, Debug)]
pub struct SecretKeys<'a> {
    /// The key without suffix, for messages.
    pub key: &'static str,
    /// The value given inline.
    pub value: Option<&'a Secret>,
    /// The name of an environment variable.
    pub env: Option<&'a str>,
    /// The path of a file; trailing newlines are trimmed.
    pub file: Option<&'a Path>,
}

impl SecretKeys<'_> {
    /// The secret, or `None` when no key is set.
    pub fn resolve_optional(&self) -> Result<Option<Secret>, SecretError> {
        let key = self.key;
        match (self.value, self.env, self.file) {
            (None, None, None) => Ok(None),
            (Some(value), None, None) => Ok(Some(value.clone())),
            (None, Some(variable), None) => from_env(key, variable).map(Some),
            (None, None, Some(path)) => from_file(key, path).map(Some),
            _ => Err(SecretError::Ambiguous { key }),
        }
    }

    /// The secret; it is an error when no key is set.
    pub fn resolve(&self) -> Result<Secret, SecretError> {
        self.resolve_optional()?
            .ok_or(SecretError::Missing { key: self.key })
    }
}

/// The [`SecretKeys`] of a section's three fields: `secret_keys!(section, token, token_env, token_file)`.
macro_rules! secret_keys {
    ($section:expr, $value:ident, $env:ident, $file:ident) => {
        $crate::secret::SecretKeys {
            key: stringify!($value),
            value: $section.$value.as_ref(),
            env: $section.$env.as_deref(),
            file: $section.$file.as_deref(),
        }
    };
}
pub(crate) use secret_keys;

fn from_env(key: &'static str, variable: &str) -> Result<Secret, SecretError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "secrets may be given by environment"
    )]
    match std::env::var(variable) {
        Ok(value) if !value.is_empty() => Ok(Secret::new(value)),
        _ => Err(SecretError::Environment {
            key,
            variable: variable.to_owned(),
        }),
    }
}

fn from_file(key: &'static str, path: &Path) -> Result<Secret, SecretError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Secret::new(text.trim_end_matches(['\r', '\n']))),
        Err(source) => Err(SecretError::File {
            key,
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys<'a>(
        value: Option<&'a Secret>,
        env: Option<&'a str>,
        file: Option<&'a Path>,
    ) -> SecretKeys<'a> {
        SecretKeys {
            key: "token",
            value,
            env,
            file,
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
    }

    #[test]
    fn a_secret_file_loses_its_trailing_newline() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "hunter2\n").unwrap();
        assert_eq!(
            keys(None, None, Some(&path)).resolve().unwrap().expose(),
            "hunter2"
        );
    }

    #[test]
    fn errors_name_the_keys_and_not_the_value() {
        let inline = Secret::new("hunter2");
        let both = keys(Some(&inline), Some("X"), None).resolve().unwrap_err();
        assert_eq!(
            both.to_string(),
            "set only one of `token`, `token_env` and `token_file`"
        );
        let none = keys(None, None, None).resolve().unwrap_err();
        assert_eq!(
            none.to_string(),
            "set one of `token`, `token_env` or `token_file`"
        );
        let unset = keys(None, Some("HERALD_SURELY_UNSET"), None)
            .resolve()
            .unwrap_err();
        assert!(unset.to_string().contains("HERALD_SURELY_UNSET"));
    }
}
