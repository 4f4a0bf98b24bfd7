//! Request bodies, read and decompressed within limits.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::store::QUARANTINE_BODY_CAP;

/// Real batches of alerts shrink about tenfold, repetitive ones a hundredfold.
const MAX_RATIO: usize = 200;

/// Below this size the ratio says nothing.
const RATIO_FLOOR: usize = 1 << 20;

/// A body that did not come in whole.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) why: Why,
    /// What had come so far.
    pub(super) prefix: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    TooLarge,
    TooSlow,
    /// The sender went away, or broke the framing.
    Broken,
}

/// Reads a body of up to `max` bytes within `limit`.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    max: usize,
    limit: Duration,
) -> Result<Vec<u8>, Cut> {
    let deadline = Instant::now() + limit;
    let declared = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        .map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    let is_too_large = declared.is_some_and(|length| length > max);
    // The sender waits for `100 Continue`, which the first read would send.
    if is_too_large && headers.contains_key(EXPECT) {
        return Err(Cut {
            why: Why::TooLarge,
            prefix: Vec::new(),
        });
    }
    // What is known to be too large is read as far as the quarantine keeps it.
    let max = if is_too_large {
        max.min(QUARANTINE_BODY_CAP)
    } else {
        max
    };
    // The declared length is a claim: memory is taken as bytes come.
    let mut whole = Vec::with_capacity(declared.unwrap_or(0).min(max).min(16 * 1024));
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => {
                return Err(Cut {
                    why: Why::TooSlow,
                    prefix: whole,
                });
            }
            Ok(Some(Err(_))) => {
                return Err(Cut {
                    why: Why::Broken,
                    prefix: whole,
                });
            }
            Ok(None) => return Ok(whole),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers carry nothing that we use.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let room = max - whole.len();
        whole.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            return Err(Cut {
                why: Why::TooLarge,
                prefix: whole,
            });
        }
    }
}

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Unknown,
}

/// What `Content-Encoding` says.
pub(super) fn encoding(headers: &HeaderMap) -> Encoding {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let encoding = match values.next().map(|value| value.as_bytes().trim_ascii()) {
        None | Some(b"") => Encoding::Identity,
        Some(name) if name.eq_ignore_ascii_case(b"identity") => Encoding::Identity,
        Some(name) if name.eq_ignore_ascii_case(b"gzip") => Encoding::Gzip,
        Some(name) if name.eq_ignore_ascii_case(b"x-gzip") => Encoding::Gzip,
        Some(_) => Encoding::Unknown,
    };
    // Two headers mean two encodings, one around the other.
    if values.next().is_some() {
        Encoding::Unknown
    } else {
        encoding
    }
}

/// Why a body could not be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InflateError {
    TooLarge,
    Corrupt,
}

/// Decompresses gzip, up to `max` bytes and [`MAX_RATIO`].
pub(super) fn inflate(compressed: &[u8], max: usize) -> Result<Vec<u8>, InflateError> {
    let cap = max.min(compressed.len().saturating_mul(MAX_RATIO).max(RATIO_FLOOR));
    let beyond = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    let mut body = Vec::new();
    MultiGzDecoder::new(compressed)
        .take(beyond)
        .read_to_end(&mut body)
        .map_err(|_| InflateError::Corrupt)?;
    if body.len() > cap {
        Err(InflateError::TooLarge)
    } else {
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_comes_back_up_to_the_limit_and_not_beyond() {
        let compressed = gzip(&[b'x'; 1000]);
        assert_eq!(inflate(&compressed, 1000), Ok(vec![b'x'; 1000]));
        assert_eq!(inflate(&compressed, 999), Err(InflateError::TooLarge));
    }

    #[test]
    fn several_members_are_one_body() {
        assert_eq!(
            inflate(&[gzip(b"a"), gzip(b"b")].concat(), 10),
            Ok(b"ab".to_vec())
        );
    }

    #[test]
    fn a_ratio_that_no_alerts_have_is_refused() {
        assert_eq!(
            inflate(&gzip(&vec![0; 4 << 20]), 8 << 20),
            Err(InflateError::TooLarge)
        );
    }

    #[test]
    fn damaged_gzip_is_corrupt() {
        let whole = gzip(b"hello");
        for body in [&b""[..], b"{}", whole.get(..15).unwrap()] {
            assert_eq!(inflate(body, 10), Err(InflateError::Corrupt), "{body:?}");
        }
    }

    #[test]
    fn encodings_are_told_apart() {
        let of = |values: &[&str]| {
            let headers = values
                .iter()
                .map(|value| (CONTENT_ENCODING, value.parse().unwrap()));
            encoding(&headers.collect())
        };
        assert_eq!(of(&[]), Encoding::Identity);
        assert_eq!(of(&["Identity"]), Encoding::Identity);
        assert_eq!(of(&["GZIP"]), Encoding::Gzip);
        for other in [
            &["zstd"][..],
            &["gzip, gzip"],
            &["gzip", "gzip"],
            &["identity", "br"],
        ] {
            assert_eq!(of(other), Encoding::Unknown, "{other:?}");
        }
    }
}
