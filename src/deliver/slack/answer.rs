//! What Slack answers, and what follows. Names of errors: docs.slack.dev, `chat.postMessage`,
//! `chat.update` and incoming webhooks.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::client::{self, Answer};
use super::super::{SendError, Verdict};

/// A message that Slack did not take.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) class: Class,
    pub(super) error: SendError,
}

/// What a refusal calls for, beyond its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Slack does not like the blocks: text alone still brings the alert.
    Blocks,
    /// The message to edit is gone or closed: post anew.
    Gone,
    /// No replies there: post at the top level.
    Thread,
    /// Only the verdict counts.
    Other,
}

impl From<SendError> for Refusal {
    fn from(error: SendError) -> Self {
        let class = Class::Other;
        Self { class, error }
    }
}

impl From<Refusal> for SendError {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

const BLOCKS: [&str; 6] = [
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_blocks_too_long",
    "invalid_arguments",
    "invalid_payload",
    "too_many_attachments",
];

const GONE: [&str; 3] = [
    "message_not_found",
    "cant_update_message",
    "edit_window_closed",
];

const THREAD: [&str; 4] = [
    "cannot_reply_to_message",
    "restricted_action_thread_locked",
    "restricted_action_non_threadable_channel",
    "thread_not_found",
];

/// Both spellings of the rate limit occur.
const TRANSIENT: [&str; 8] = [
    "ratelimited",
    "rate_limited",
    "message_limit_exceeded",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
];

fn class(word: &str) -> Class {
    if BLOCKS.contains(&word) {
        Class::Blocks
    } else if GONE.contains(&word) {
        Class::Gone
    } else if THREAD.contains(&word) {
        Class::Thread
    } else {
        Class::Other
    }
}

/// The Web API answers 200 with `ok: false`.
pub(super) fn judge(answer: &Answer, now: Timestamp) -> Result<Value, Refusal> {
    if !answer.status.is_success() {
        return Err(client::judge(answer.status, &answer.headers, now).into());
    }
    let body: Value = serde_json::from_slice(&answer.body).map_err(|_| {
        SendError::retry(
            "slack answered something else than JSON; check `api_url`",
            None,
        )
    })?;
    if body["ok"] == json!(true) {
        return Ok(body);
    }
    let word = identifier(body["error"].as_str().unwrap_or_default());
    let verdict = if TRANSIENT.contains(&word) {
        let after = client::retry_after(&answer.headers, now);
        Verdict::Retry { after }
    } else if class(word) == Class::Blocks || matches!(word, "msg_too_long" | "no_text") {
        Verdict::Unacceptable
    } else if hint(word).is_some() || REFUSED.contains(&word) {
        Verdict::Pause { sure: true }
    } else {
        Verdict::Fail
    };
    Err(Refusal {
        class: class(word),
        error: SendError {
            verdict,
            reason: match hint(word) {
                Some(hint) => format!("slack answered {word}: {hint}"),
                None => format!("slack answered {word}"),
            },
            remote: None,
        },
    })
}

/// What refuses the app or the channel, beside what has a hint; also words of webhooks.
const REFUSED: [&str; 16] = [
    "access_denied",
    "action_prohibited",
    "channel_is_archived",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "invalid_token",
    "no_permission",
    "no_service",
    "no_service_id",
    "no_team",
    "org_login_required",
    "posting_to_general_channel_denied",
    "restricted_action",
    "restricted_action_read_only_channel",
    "team_access_not_granted",
    "team_disabled",
];

/// What mends a refusal that only a change of the settings mends.
fn hint(word: &str) -> Option<&'static str> {
    Some(match word {
        "not_in_channel" => "invite the bot to the channel",
        "channel_not_found" => {
            "check `channel`; into a private channel the bot must be invited first"
        }
        "is_archived" => "the channel is archived, choose another",
        "missing_scope" => "add the scope (chat:write, files:write for files) and install anew",
        "invalid_auth" | "not_authed" => "check the token, it begins with xoxb-",
        "token_revoked" | "token_expired" | "account_inactive" => "install the app anew",
        _ => return None,
    })
}

/// A webhook answers with a word and a status.
pub(super) fn judge_webhook(answer: &Answer, now: Timestamp) -> Result<(), Refusal> {
    if answer.status.is_success() {
        return Ok(());
    }
    let mut error = client::judge(answer.status, &answer.headers, now);
    let text = String::from_utf8_lossy(&answer.body);
    let word = identifier(&text);
    error.reason = format!("slack answered {} {word}", answer.status.as_u16());
    if hint(word).is_some() || REFUSED.contains(&word) {
        error.verdict = Verdict::Pause { sure: true };
    }
    Err(Refusal {
        class: class(word),
        error,
    })
}

/// Only Slack's own identifiers are shown: an answer may come from anything between.
fn identifier(text: &str) -> &str {
    let word = text.trim();
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if (1..=64).contains(&word.len()) && word.bytes().all(letters) {
        word
    } else {
        "an unknown error"
    }
}
