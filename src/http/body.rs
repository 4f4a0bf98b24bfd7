//! Reading a request body under limits of size, expansion and time.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;

/// The limits of one body.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    /// Bytes as sent.
    pub(super) max_body: usize,
    /// Bytes after decompression.
    pub(super) max_decoded: usize,
    /// Until the last byte.
    pub(super) timeout: Duration,
}

/// Why there is no body.
#[derive(Debug)]
pub(super) enum BodyError {
    /// Over the limit; what was read of it, and its length as far as known.
    TooLarge { read: Vec<u8>, size: u64 },
    /// Not whole in time.
    TimedOut,
    /// The sender went away, or its framing is wrong.
    Broken,
    /// A compression that we do not speak.
    Encoding,
    /// Not gzip although it says so.
    NotGzip { read: Vec<u8> },
}

/// Reads and decompresses a body.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: BodyLimits,
) -> Result<Vec<u8>, BodyError> {
    let encoding = Encoding::of(headers).ok_or(BodyError::Encoding)?;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let mut body = body;
    let sent = tokio::time::timeout(limits.timeout, collect(&mut body, limits.max_body))
        .await
        .map_err(|_| BodyError::TimedOut)?;
    let sent = match sent {
        Err(BodyError::TooLarge { read, size }) => {
            linger(body).await;
            let size = announced.unwrap_or(size);
            return Err(BodyError::TooLarge { read, size });
        }
        sent => sent?,
    };
    match encoding {
        Encoding::Identity => Ok(sent),
        Encoding::Gzip => gunzip(sent, limits.max_decoded),
    }
}

/// Lets a sender finish, within bounds: closing at once resets the connection under its hands, and it
/// never sees the answer.
async fn linger(mut body: Body) {
    const PATIENCE: Duration = Duration::from_secs(1);
    const MOST: usize = 16 << 20;
    let rest = async {
        let mut passed = 0;
        while let Some(Ok(frame)) = body.frame().await {
            passed += frame.data_ref().map_or(0, |data| data.as_ref().len());
            if passed > MOST {
                return;
            }
        }
    };
    // Out of patience: the answer goes out anyway.
    tokio::time::timeout(PATIENCE, rest).await.unwrap_or(());
}

async fn collect(body: &mut Body, max: usize) -> Result<Vec<u8>, BodyError> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        if let Ok(data) = frame.into_data() {
            if read.len() + data.len() > max {
                let size = (read.len() + data.len()) as u64;
                return Err(BodyError::TooLarge { read, size });
            }
            read.extend_from_slice(&data);
        }
    }
    Ok(read)
}

fn gunzip(sent: Vec<u8>, max: usize) -> Result<Vec<u8>, BodyError> {
    let mut decoded = Vec::new();
    // One byte more than allowed tells "too large" from "just fits".
    let mut reader = MultiGzDecoder::new(sent.as_slice()).take(max as u64 + 1);
    if reader.read_to_end(&mut decoded).is_err() {
        return Err(BodyError::NotGzip { read: sent });
    }
    if decoded.len() > max {
        let size = decoded.len() as u64;
        return Err(BodyError::TooLarge { read: sent, size });
    }
    Ok(decoded)
}

enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let Some(encoding) = headers.get(CONTENT_ENCODING) else {
            return Some(Self::Identity);
        };
        let encoding = encoding.to_str().ok()?.trim();
        if encoding.is_empty() || encoding.eq_ignore_ascii_case("identity") {
            Some(Self::Identity)
        } else if encoding.eq_ignore_ascii_case("gzip") || encoding.eq_ignore_ascii_case("x-gzip") {
            Some(Self::Gzip)
        } else {
            None
        }
    }
}
