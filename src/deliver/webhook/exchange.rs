//! The requests of a preset: what stands there is changed, what does not is looked for and created.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::super::client::{self, Answer};
use super::super::{Notice, NoticeKind, Receipt, SendError, paging};
use super::Webhook;
use super::preset::{Call, Preset, at};

impl Webhook {
    pub(super) async fn exchange(
        &self,
        preset: &Preset,
        notice: &Notice,
    ) -> Result<Receipt, SendError> {
        let mut remote = notice.remote.clone();
        // A crash leaves no trace of a request that it cut off, so this is asked before the first
        // attempt too.
        if remote.is_none()
            && let Some(find) = &preset.find
        {
            remote = self.find(preset, find, notice).await?;
        }
        let known = if preset.create.id.is_some() {
            remote.is_some()
        } else {
            // Nothing to find again: each notice is a message of its own.
            notice.kind != NoticeKind::Open
        };
        if known {
            let told = self.change(preset, notice, remote.as_deref()).await;
            match told {
                Ok(status) => return Ok(receipt(remote, status)),
                // Deleted there: begin anew, unless there is nothing to tell any more.
                Err((error, gone)) if !gone || paging::is_over(notice) => return Err(error),
                Err(_) => {}
            }
        }
        let answer = self.call(preset, &preset.create, notice, None).await?;
        self.judge(preset, &preset.create, &answer)?;
        let Some(place) = &preset.create.id else {
            return Ok(receipt(None, answer.status));
        };
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let id = at(&body, place).and_then(identifier);
        let missing = "the destination took it, but its answer holds no id to find it by";
        let id = id.ok_or_else(|| SendError::fail(missing))?;
        if paging::is_over(notice) && preset.close.is_some() {
            let closed = self.change(preset, notice, Some(&id)).await;
            closed.map_err(|(error, _)| error.with_remote(id.clone()))?;
        }
        Ok(receipt(Some(id), answer.status))
    }

    /// Says what changed. With an error, whether it is because what was to be changed is gone.
    async fn change(
        &self,
        preset: &Preset,
        notice: &Notice,
        remote: Option<&str>,
    ) -> Result<StatusCode, (SendError, bool)> {
        let close = preset.close.as_ref().filter(|_| paging::is_over(notice));
        let call = close.or(preset.update.as_ref()).unwrap_or(&preset.create);
        let answer = self.call(preset, call, notice, remote).await;
        let answer = answer.map_err(|error| (error, false))?;
        let gone = matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE);
        self.judge(preset, call, &answer)
            .map_err(|error| match remote {
                Some(_) => (error.of_object(), gone),
                None => (error, false),
            })?;
        Ok(answer.status)
    }

    async fn find(
        &self,
        preset: &Preset,
        find: &Call,
        notice: &Notice,
    ) -> Result<Option<String>, SendError> {
        let answer = self.call(preset, find, notice, None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.judge(preset, find, &answer)?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let uid = notice.incident.uid.to_string();
        let place = |path: &Option<String>| at(&body, path.as_deref()?);
        let same = place(&find.contains)
            .and_then(Value::as_str)
            .is_some_and(|text| text.contains(&uid));
        Ok(place(&find.id).filter(|_| same).and_then(identifier))
    }

    async fn call(
        &self,
        preset: &Preset,
        call: &Call,
        notice: &Notice,
        remote: Option<&str>,
    ) -> Result<Answer, SendError> {
        let path = preset
            .path(call, notice, remote)
            .map_err(|_| SendError::fail("the preset's path failed"))?;
        let url = address(self.url.expose(), &path);
        let mut request = self.client.request(call.method.clone(), url);
        let body = preset.body(call, notice, remote)?;
        request = self.identified(request, notice, body.as_deref().unwrap_or_default());
        request = request
            .headers(preset.headers.clone())
            .headers(self.headers.clone());
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        client::send(request).await
    }

    fn judge(&self, preset: &Preset, call: &Call, answer: &Answer) -> Result<(), SendError> {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let statuses = &call.success.statuses;
        let taken =
            statuses.contains(&answer.status) || statuses.is_empty() && answer.status.is_success();
        if taken && call.success.reads(&body) != Some(false) {
            return Ok(());
        }
        let now = self.clock.now();
        let status = answer.status.as_u16();
        let retry = &preset.retry;
        if retry.statuses.contains(&answer.status) || retry.reads(&body) == Some(true) {
            let after = client::retry_after(&answer.headers, now);
            return Err(SendError::retry(
                format!("the destination answered {status}"),
                after,
            ));
        }
        if taken {
            let reason = format!("the destination answered {status}, but did not do it");
            return Err(SendError::unacceptable(reason));
        }
        Err(client::judge(answer.status, &answer.headers, now))
    }
}

fn receipt(remote: Option<String>, status: StatusCode) -> Receipt {
    Receipt {
        remote,
        detail: format!("answered {}", status.as_u16()),
    }
}

/// The site's address with the preset's path behind its path and the query behind its query.
fn address(base: &str, path: &str) -> String {
    let (place, query) = base.split_once('?').unwrap_or((base, ""));
    let (path, further) = path.split_once('?').unwrap_or((path, ""));
    let place = if path.is_empty() {
        place
    } else {
        place.trim_end_matches('/')
    };
    let queries: Vec<_> = [query, further]
        .into_iter()
        .filter(|query| !query.is_empty())
        .collect();
    let mark = if queries.is_empty() { "" } else { "?" };
    format!("{place}{path}{mark}{}", queries.join("&"))
}

/// An id that is stored and becomes part of addresses: no answer can make it more than that.
fn identifier(value: &Value) -> Option<String> {
    let id = match value {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
    ((1..=200).contains(&id.len()) && id.bytes().all(plain)).then_some(id)
}

#[cfg(test)]
mod tests;
