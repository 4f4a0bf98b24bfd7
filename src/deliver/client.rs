//! The HTTP client of the destinations: no redirects, time-outs, capped answers, no URL in errors.

use std::error::Error;
use std::time::Duration;

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use jiff::Timestamp;
use reqwest::{Client, Response, redirect};

use super::guard::{Guarded, is_forbidden_host};
use super::kinds::BuildError;
use super::{SendError, Verdict};

/// How much of an answer is read, in bytes.
const ANSWER: usize = 64 * 1024;

/// How the reasons of requests that took too long end.
pub(super) const TIMED_OUT: &str = "did not answer in time";

const CONNECT: Duration = Duration::from_secs(5);

/// A client. Redirects are off: a destination's address comes from the configuration alone.
pub(super) fn client(timeout: Duration) -> Result<Client, BuildError> {
    // Installed twice is as good as once.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .redirect(redirect::Policy::none())
        .dns_resolver(Guarded::default())
        .connect_timeout(CONNECT)
        .timeout(timeout)
        .user_agent(concat!("falco-herald/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| BuildError::Setting("the HTTP client cannot start".to_owned()))
}

/// Refuses what is no web address, and addresses that no destination has. `key` names the setting.
pub(super) fn check_url(text: &str, key: &str) -> Result<(), BuildError> {
    let url = reqwest::Url::parse(text);
    let Some(url) = url
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
    else {
        return Err(BuildError::Setting(format!(
            "{key} must be an http or https address"
        )));
    };
    if url.host_str().is_some_and(is_forbidden_host) {
        let wrong = "leads to a link-local address or a metadata service, which is no destination";
        return Err(BuildError::Setting(format!("{key} {wrong}")));
    }
    Ok(())
}

/// What is read of an answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Sends a request and reads its answer up to the cap.
pub(super) async fn send(request: reqwest::RequestBuilder) -> Result<Answer, SendError> {
    send_up_to(request, ANSWER).await
}

/// The same with a cap of its own, in bytes.
pub(super) async fn send_up_to(
    request: reqwest::RequestBuilder,
    cap: usize,
) -> Result<Answer, SendError> {
    let mut response: Response = request.send().await.map_err(|error| failed(&error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        let room = cap.saturating_sub(body.len());
        body.extend(chunk.iter().take(room));
        if body.len() >= cap {
            break;
        }
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// The error of a request that got no answer. reqwest's own text holds the URL, which is a secret.
fn failed(error: &reqwest::Error) -> SendError {
    let reason = if error.is_timeout() {
        "the destination did not answer in time"
    } else if let Some(reason) = tls_reason(error) {
        reason
    } else if error.is_connect() {
        "cannot connect to the destination"
    } else if error.is_builder() {
        return SendError::pause("the destination's address is not valid");
    } else {
        "the connection to the destination broke"
    };
    SendError::retry(reason, None)
}

/// What went wrong with TLS, when it was TLS that went wrong.
pub(super) fn tls_reason(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        match error.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(_)) => {
                return Some("the destination's TLS certificate is not trusted");
            }
            Some(_) => return Some("the TLS handshake with the destination failed"),
            None => {}
        }
        // An I/O error passes over the error it holds when asked for its source.
        next = match error.downcast_ref::<std::io::Error>() {
            Some(error) => error.get_ref().map(|held| held as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// What follows from a status that is not 2xx.
pub(super) fn judge(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> SendError {
    let reason = format!("the destination answered {}", status.as_u16());
    let again = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    let of_content = matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
    );
    if again {
        SendError::retry(reason, retry_after(headers, now))
    } else if of_content {
        SendError::unacceptable(reason)
    } else if let Some(verdict) = refusal(status) {
        SendError {
            verdict,
            ..SendError::fail(reason)
        }
    } else {
        SendError::fail(reason)
    }
}

/// What refuses us altogether, or may. A redirect is not followed; most often it leads to a login.
fn refusal(status: StatusCode) -> Option<Verdict> {
    Some(match status {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Verdict::Pause { sure: true }
        }
        StatusCode::FORBIDDEN => Verdict::Forbidden,
        StatusCode::NOT_FOUND | StatusCode::GONE => Verdict::Pause { sure: false },
        status if status.is_redirection() => Verdict::Pause { sure: true },
        _ => return None,
    })
}

/// `Retry-After` in seconds or as an HTTP date.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Duration::try_from(at.duration_since(now)).ok()
}

impl SendError {
    /// Trying again may help.
    pub fn retry(reason: impl Into<String>, after: Option<Duration>) -> Self {
        Self {
            verdict: Verdict::Retry { after },
            reason: reason.into(),
            remote: None,
        }
    }

    /// Saying it more plainly may help.
    pub fn unacceptable(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Unacceptable,
            reason: reason.into(),
            remote: None,
        }
    }

    /// Trying again cannot help.
    pub fn fail(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            reason: reason.into(),
            remote: None,
        }
    }

    /// Nothing gets through until somebody mends it.
    pub fn pause(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Pause { sure: true },
            reason: reason.into(),
            remote: None,
        }
    }

    /// The same as the answer to a request about one message or ticket that stands at the
    /// destination: what may speak of that alone does.
    #[must_use]
    pub(super) fn of_object(mut self) -> Self {
        if let Verdict::Pause { sure: false } | Verdict::Forbidden = self.verdict {
            self.verdict = Verdict::Fail;
        }
        self
    }

    /// The same, with the wait in seconds that the peer's own answer asks for, when it does.
    #[must_use]
    pub(super) fn wait_for(mut self, seconds: Option<f64>) -> Self {
        let wait = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if let (Verdict::Retry { after }, Some(wait)) = (&mut self.verdict, wait) {
            *after = Some(after.map_or(wait, |header| header.max(wait)));
        }
        self
    }

    /// The same, with what already stands at the destination.
    #[must_use]
    pub fn with_remote(mut self, remote: String) -> Self {
        self.remote = Some(remote);
        self
    }
}

#[cfg(test)]
mod tests;
