//! The event of a critical incident as a file in its thread, for whoever investigates.
//!
//! Never a reason to fail: the alert is out, and the report holds what matters. What was not taken is
//! tried again with the next update. Steps: docs.slack.dev, "Working with files"; an upload that is
//! not completed is discarded by Slack.

use reqwest::Url;
use serde_json::{Value, json};

use super::super::client;
use super::super::{Notice, SendError};
use super::Remote;
use super::answer;
use super::bot::Bot;
use crate::event::Priority;

/// Bytes of an event that are attached at most.
const MAX_EVENT: usize = 1024 * 1024;

const NAME: &str = "event.json";

/// Whether a file is due.
pub(super) fn is_due(notice: &Notice, remote: &Remote) -> bool {
    let fits = (1..=MAX_EVENT).contains(&notice.event.len());
    fits && !remote.attached && notice.incident.severity >= Priority::Critical
}

/// Uploads the event and shares it below the head.
pub(super) async fn attach(
    bot: &Bot<'_>,
    notice: &Notice,
    remote: &Remote,
) -> Result<(), SendError> {
    let now = bot.slack.clock.now();
    let address = || SendError::pause("slack's address is not valid");
    let api = Url::parse(bot.api_url.expose()).map_err(|_| address())?;
    let mut place = api.clone();
    place
        .path_segments_mut()
        .map_err(|()| address())?
        .push("files.getUploadURLExternal");
    place
        .query_pairs_mut()
        .append_pair("filename", NAME)
        .append_pair("length", &notice.event.len().to_string());
    let request = bot.slack.client.get(place);
    let answer = client::send(request.bearer_auth(bot.token.expose())).await?;
    let given = answer::judge(&answer, now)?;
    let (upload, id) = (text(&given, "upload_url"), text(&given, "file_id"));
    let upload = Url::parse(&upload).map_err(|_| address())?;
    // The event goes nowhere but to Slack, or to the gateway that stands for it.
    if upload.scheme() != "https" && upload.origin() != api.origin() {
        return Err(SendError::fail(
            "slack names a place without TLS to upload to",
        ));
    }
    let request = bot.slack.client.post(upload).body(notice.event.clone());
    let answer = client::send(request).await?;
    if !answer.status.is_success() {
        return Err(client::judge(answer.status, &answer.headers, now));
    }
    let mut body = json!({
        "files": [{ "id": id, "title": NAME }],
        "channel_id": remote.channel,
    });
    if !remote.flat {
        body["thread_ts"] = json!(remote.ts);
    }
    bot.call_once("files.completeUploadExternal", &body).await?;
    Ok(())
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_default().to_owned()
}
