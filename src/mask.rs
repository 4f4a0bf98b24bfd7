//! Secrets in event text: found and replaced before anything leaves the process.
//!
//! Command lines, URLs and environment variables carry passwords, and a report travels further than
//! a log. A secret becomes a mark with a short keyed hash, so that equal secrets can still be
//! matched. Masking runs on the value as posted, before it is escaped or cut: a cut must not leave
//! half a secret that no pattern knows. It will never find all; figures are in the tests.

mod command;
mod event;
mod shapes;

use std::borrow::Cow;
use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::Sha256;

/// The `mask` section.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MaskConfig {
    /// Mask what is known: token shapes, secret-like flags and variables, credentials in URLs.
    pub defaults: bool,
    /// Further regular expressions. What their first group matches is masked, or the whole match
    /// when there is no group. Try them with `falco-herald render`.
    pub patterns: Vec<String>,
}

impl Default for MaskConfig {
    fn default() -> Self {
        Self {
            defaults: true,
            patterns: Vec::new(),
        }
    }
}

/// A pattern of the configuration is no regular expression.
#[derive(Debug, thiserror::Error)]
#[error("mask.patterns[{index}]: {source}")]
pub struct MaskError {
    index: usize,
    #[source]
    source: Box<regex::Error>,
}

/// Finds secrets and replaces them.
#[derive(Clone)]
pub struct Masker {
    defaults: bool,
    patterns: Vec<Regex>,
    key: Key,
}

/// The key of the marks' hashes: without it, a mark tells nothing of a guessed secret.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// A key from its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key of this process: marks of different processes do not match.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masker")
            .field("defaults", &self.defaults)
            .field("patterns", &self.patterns.len())
            .finish_non_exhaustive()
    }
}

/// Values longer than this are searched up to here, and the rest is left out.
const MAX_VALUE: usize = 256 * 1024;

impl Masker {
    /// Compiles the patterns.
    pub fn try_new(config: &MaskConfig, key: Key) -> Result<Self, MaskError> {
        let compile = |(index, pattern): (usize, &String)| {
            Regex::new(pattern).map_err(|source| MaskError {
                index,
                source: Box::new(source),
            })
        };
        Ok(Self {
            defaults: config.defaults,
            patterns: config
                .patterns
                .iter()
                .enumerate()
                .map(compile)
                .collect::<Result<_, _>>()?,
            key,
        })
    }

    /// The text with every secret replaced by its mark.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let cut = text.len() > MAX_VALUE;
        let searched = if cut {
            text.get(..text.floor_char_boundary(MAX_VALUE))
                .unwrap_or_default()
        } else {
            text
        };
        let found = self.find(searched);
        if found.is_empty() && !cut {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(searched.len());
        let mut at = 0;
        for range in found {
            out.push_str(searched.get(at..range.start).unwrap_or_default());
            out.push_str(&self.mark(searched.get(range.clone()).unwrap_or_default()));
            at = range.end;
        }
        out.push_str(searched.get(at..).unwrap_or_default());
        if cut {
            out.push_str(" [... not searched for secrets, left out]");
        }
        Cow::Owned(out)
    }

    /// Where secrets stand, in order and without overlap.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if self.defaults {
            shapes::find(text, &mut found);
            command::find(text, &mut found);
        }
        for pattern in &self.patterns {
            for captures in pattern.captures_iter(text) {
                found.extend(
                    captures
                        .get(1)
                        .or_else(|| captures.get(0))
                        .map(|found| found.range()),
                );
            }
        }
        found.retain(|range| !range.is_empty());
        found.sort_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        merged
    }

    /// `[masked 3f9a2c]`: the same for equal secrets under one key.
    fn mark(&self, secret: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key.0).expect("HMAC takes any key");
        mac.update(secret.as_bytes());
        let hash = mac.finalize().into_bytes();
        let number = hash
            .iter()
            .take(3)
            .fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        format!("[masked {number:06x}]")
    }
}

#[cfg(test)]
mod tests;
