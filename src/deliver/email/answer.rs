//! What a mail server answers, and what follows.

use lettre::transport::smtp::Error;

use super::super::{SendError, client};
use super::transport::Trouble;

/// Whether a reply may speak of one mailbox only. Logins (530, 534, 535) are never tried again and
/// again: that would lock the account.
pub(super) fn is_of_recipient(error: &Error) -> bool {
    let code = error.status().map(u16::from);
    matches!(code, Some(450..=452 | 550..=554))
}

pub(super) fn is_bad_login(error: &Error) -> bool {
    error.status().map(u16::from) == Some(535)
}

/// 552 may also speak of a full mailbox; 5.3.4 is RFC 3463's word for the mail itself.
pub(super) fn is_too_large(error: &Error) -> bool {
    error.status().map(u16::from) == Some(552) && error.to_string().contains("5.3.4")
}

/// Replies in the 4xx range pass, those in the 5xx range do not.
pub(super) fn judge(trouble: &Trouble) -> SendError {
    let Trouble::Smtp(error) = trouble else {
        return SendError::retry("the mail server did not answer in time", None);
    };
    if let Some(code) = error.status() {
        let reason = match u16::from(code) {
            530 | 534 | 535 => format!("the mail server refuses the login ({code})"),
            _ if is_too_large(error) => {
                format!("the mail is too large for the mail server ({code})")
            }
            _ => format!("the mail server answered {code}"),
        };
        return if matches!(u16::from(code), 530 | 534 | 535) {
            SendError::pause(reason)
        } else if error.is_permanent() {
            SendError::fail(reason)
        } else {
            SendError::retry(reason, None)
        };
    }
    if error.is_client() {
        return SendError::pause(
            "the mail server does not offer what is configured (STARTTLS, AUTH)",
        );
    }
    let reason = if error.is_timeout() {
        "the mail server did not answer in time"
    } else {
        client::tls_reason(error).unwrap_or("the connection to the mail server failed")
    };
    SendError::retry(reason, None)
}
