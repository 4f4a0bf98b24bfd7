//! What chats that can edit have in common: a head that always says how the incident stands, the
//! details after it, and a line for each change.
//!
//! Each step is remembered, so that a retry goes on behind what is out and says nothing twice.

use std::future::Future;

use serde::{Deserialize, Serialize};

use super::{Notice, NoticeKind, Receipt, SendError};

/// What stands in a chat for an incident: the format of [`Receipt::remote`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Remote {
    /// The channel, room or chat that the head went to, when the chat tells it.
    pub(super) place: Option<String>,
    /// The id of the head.
    pub(super) head: String,
    /// How many messages of the first report are out, the head included.
    pub(super) posted: usize,
    /// More of the first report is to come: a send failed half-way.
    pub(super) partial: bool,
}

impl Remote {
    fn of(notice: &Notice) -> Self {
        let stored = notice.remote.as_deref();
        stored
            .and_then(|remote| serde_json::from_str(remote).ok())
            .unwrap_or_default()
    }

    fn stored(&self) -> String {
        serde_json::to_string(self).expect("text and numbers are always JSON")
    }
}

/// A message that a chat took.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) place: Option<String>,
    pub(super) id: String,
}

/// A message that a chat did not take.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The message to edit or to answer is not there any more, or cannot be edited: post anew.
    Gone,
    /// Anything else.
    Error(SendError),
}

impl From<SendError> for Refusal {
    fn from(error: SendError) -> Self {
        Self::Error(error)
    }
}

impl From<Refusal> for SendError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // The next attempt finds out by its edit, and posts anew.
            Refusal::Gone => Self::retry("the message of the incident is gone", None),
            Refusal::Error(error) => error,
        }
    }
}

/// A chat that can edit its messages.
pub(super) trait Chat: Sync {
    /// A message as the chat takes it, without where it goes.
    type Message: Send + Sync;

    /// The whole report, the head first. Never empty.
    fn report(&self, notice: &Notice) -> Vec<Self::Message>;

    /// [`Notice::news`] as a message.
    fn news(&self, notice: &Notice) -> Self::Message;

    /// Posts; below `head` when the chat has threads or answers. `key` is the same over retries.
    fn post(
        &self,
        message: &Self::Message,
        head: Option<&Remote>,
        key: &str,
    ) -> impl Future<Output = Result<Posted, Refusal>> + Send;

    /// Makes the head read like this.
    fn edit(
        &self,
        head: &Remote,
        message: &Self::Message,
        key: &str,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// Says a notice.
pub(super) async fn send<C: Chat>(chat: &C, notice: &Notice) -> Result<Receipt, SendError> {
    let known = Remote::of(notice);
    let (fresh, resumed) = (known.head.is_empty(), known.partial);
    let remote = if fresh || resumed {
        open(chat, notice, known).await?
    } else {
        known
    };
    // The same notice, tried again, has its head out as it should read.
    let (remote, detail) = if fresh || resumed && notice.kind == NoticeKind::Open {
        (remote, "posted")
    } else {
        update(chat, notice, remote).await?
    };
    Ok(Receipt {
        remote: Some(remote.stored()),
        detail: detail.to_owned(),
    })
}

/// Posts the messages of the first report that are not out yet.
async fn open<C: Chat>(chat: &C, notice: &Notice, mut remote: Remote) -> Result<Remote, SendError> {
    let messages = chat.report(notice);
    let mut again = "";
    while let Some(message) = messages.get(remote.posted) {
        let head = (remote.posted > 0).then_some(&remote);
        let key = format!("{}-{}{again}", notice.key, remote.posted);
        match chat.post(message, head, &key).await {
            Ok(posted) => {
                if remote.posted == 0 {
                    remote.place = posted.place;
                    remote.head = posted.id;
                }
                remote.posted += 1;
            }
            // The head vanished before its details were out. Under the old key it would stay so.
            Err(Refusal::Gone) if remote.posted > 0 && again.is_empty() => {
                remote = Remote::default();
                again = "-again";
            }
            Err(refusal) => {
                let error = SendError::from(refusal);
                if remote.posted == 0 {
                    return Err(error);
                }
                remote.partial = true;
                return Err(error.with_remote(remote.stored()));
            }
        }
    }
    remote.partial = false;
    Ok(remote)
}

/// Edits the head and says what is new.
async fn update<C: Chat>(
    chat: &C,
    notice: &Notice,
    remote: Remote,
) -> Result<(Remote, &'static str), SendError> {
    let key = format!("{}-edit", notice.key);
    for head in chat.report(notice).into_iter().take(1) {
        match chat.edit(&remote, &head, &key).await {
            Ok(()) => {}
            Err(Refusal::Gone) => {
                let remote = open(chat, notice, Remote::default()).await?;
                return Ok((remote, "posted anew, because the message was gone"));
            }
            Err(Refusal::Error(error)) => return Err(error.of_object()),
        }
    }
    let key = format!("{}-news", notice.key);
    chat.post(&chat.news(notice), Some(&remote), &key).await?;
    Ok((remote, "edited"))
}
