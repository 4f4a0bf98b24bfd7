//! A preset: how a product is told, as data. The built-in ones are in `templates/presets`; a site's
//! own is a file of the same form.
//!
//! Event text reaches the body alone, where every value is inserted as JSON. Paths see only the
//! site's parameters, the incident's uid and the remote id, each percent-encoded; headers only
//! the site's parameters.

mod written;

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value as Templated};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::super::{Notice, SendError};
use super::text::Format;
use super::{FUEL, body, sample, text};
use crate::markup::document::Document;
use crate::markup::inert;
use crate::secret::Secret;
use written::{Answers, Need, Written, WrittenRequest};

pub(super) use written::{builtin, read};

/// What the site says beside the name of the preset.
pub(super) struct Site<'a> {
    pub(super) params: &'a BTreeMap<String, Secret>,
    pub(super) token: Option<Secret>,
}

/// A preset that was tried on sample notices.
pub(super) struct Preset {
    environment: Environment<'static>,
    params: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    format: Format,
    heading: bool,
    max_text: usize,
    max_bytes: usize,
    pub(super) retry: Rule,
    pub(super) create: Call,
    pub(super) update: Option<Call>,
    pub(super) close: Option<Call>,
    pub(super) find: Option<Call>,
}

impl std::fmt::Debug for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Preset")
    }
}

/// Which answers are meant.
pub(super) struct Rule {
    pub(super) statuses: Vec<StatusCode>,
    path: Option<String>,
    value: Option<Value>,
}

impl Rule {
    /// Whether the answer reads as the rule says; `None` when the rule says nothing of that.
    pub(super) fn reads(&self, body: &Value) -> Option<bool> {
        let found = at(body, self.path.as_deref()?).filter(|found| !found.is_null());
        Some(match &self.value {
            Some(value) => found == Some(value),
            None => found.is_some(),
        })
    }
}

/// The value at `a.b.0.c`.
pub(super) fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => value.get(key),
    })
}

/// One request of a preset.
pub(super) struct Call {
    step: &'static str,
    pub(super) method: Method,
    has_body: bool,
    pub(super) success: Rule,
    /// Where the answer holds the remote id.
    pub(super) id: Option<String>,
    /// Where the answer must repeat the incident's uid.
    pub(super) contains: Option<String>,
}

/// How often a body is written before it fits; the last time without the report.
const SHORTENINGS: u32 = 6;

/// Characters of a title: the least that any product takes.
const LINE: usize = 250;

impl Preset {
    /// Compiles what was written. The error names the place, without values of the site.
    pub(super) fn try_new(written: Written, site: &Site<'_>) -> Result<Self, String> {
        let params = params(&written, site.params)?;
        let token = match (written.token, &site.token) {
            (Need::Required, None) => return Err("it needs a `token`".to_owned()),
            (Need::None, Some(_)) => return Err("it has no use for a `token`".to_owned()),
            (_, token) => token.as_ref(),
        };
        let mut environment = environment();
        let mut call = |step: &'static str, request: WrittenRequest| {
            let mut add = |part: &str, template: String| {
                environment
                    .add_template_owned(format!("{step}/{part}"), template)
                    .map_err(|error| format!("{step}.{part}: {error}"))
            };
            if !(request.path.is_empty() || request.path.starts_with(['/', '?'])) {
                return Err(format!("{step}.path: begins with `/` or `?`, or is empty"));
            }
            let has_body = request.body.is_some();
            add("path", request.path)?;
            add("body", request.body.unwrap_or_default())?;
            Ok(Call {
                step,
                method: request.method.into(),
                has_body,
                success: rule(request.success, &format!("{step}.success"))?,
                id: request.id,
                contains: request.contains,
            })
        };
        let create = call("create", written.create)?;
        let mut optional = |step, request: Option<WrittenRequest>| {
            request.map(|request| call(step, request)).transpose()
        };
        let preset = Self {
            create,
            update: optional("update", written.update)?,
            close: optional("close", written.close)?,
            find: optional("find", written.find)?,
            headers: headers(&written.headers, &params, token)?,
            environment,
            params,
            format: written.format,
            heading: written.heading,
            max_text: written.max_text,
            max_bytes: usize::try_from(written.max_bytes.0).unwrap_or(usize::MAX),
            retry: rule(written.retry, "retry")?,
        };
        preset.try_out()?;
        Ok(preset)
    }

    /// Renders everything once, so that a mistake is found before an incident finds it.
    fn try_out(&self) -> Result<(), String> {
        if let Some(find) = &self.find
            && (find.id.is_none() || find.contains.is_none() || self.create.id.is_none())
        {
            return Err("find: needs `id` and `contains`, and `create` needs `id`".to_owned());
        }
        let calls = [
            Some(&self.create),
            self.update.as_ref(),
            self.close.as_ref(),
            self.find.as_ref(),
        ];
        for call in calls.into_iter().flatten() {
            let step = call.step;
            // A create has no id yet, and a find looks for one.
            let knows = matches!(step, "update" | "close") && self.create.id.is_some();
            let remote = knows.then_some("1");
            if matches!(step, "update" | "close") && (call.id.is_some() || call.contains.is_some())
            {
                return Err(format!("{step}: only `create` and `find` have an `id`"));
            }
            for notice in sample::notices() {
                let failed = |part: &str, why: String| format!("{step}.{part}: {why}");
                self.path(call, &notice, remote)
                    .map_err(|error| failed("path", error.to_string()))?;
                if call.has_body {
                    let rendered = self
                        .render(call, &self.context(&notice, remote, self.max_text).0)
                        .map_err(|error| failed("body", error.to_string()))?;
                    serde_json::from_str::<IgnoredAny>(&rendered)
                        .map_err(|error| failed("body", format!("does not give JSON: {error}")))?;
                }
            }
        }
        Ok(())
    }

    /// What is appended to the address of the site.
    pub(super) fn path(
        &self,
        call: &Call,
        notice: &Notice,
        remote: Option<&str>,
    ) -> Result<String, minijinja::Error> {
        let context = json!({
            "params": self.params, "uid": notice.incident.uid, "remote": remote,
        });
        let template = self
            .environment
            .get_template(&format!("{}/path", call.step))?;
        template.render(Serde(&context))
    }

    /// The body, with a report as long as the product takes. `None` when the request has none.
    pub(super) fn body(
        &self,
        call: &Call,
        notice: &Notice,
        remote: Option<&str>,
    ) -> Result<Option<Vec<u8>>, SendError> {
        if !call.has_body {
            return Ok(None);
        }
        let mut room = self.max_text;
        for attempt in 1..=SHORTENINGS {
            let (context, length) = self.context(notice, remote, room);
            let rendered = self.render(call, &context).map_err(|error| {
                SendError::fail(format!("the preset's template failed: {:?}", error.kind()))
            })?;
            serde_json::from_str::<IgnoredAny>(&rendered)
                .map_err(|_| SendError::fail("the preset's template did not give JSON"))?;
            if rendered.len() <= self.max_bytes {
                return Ok(Some(rendered.into_bytes()));
            }
            // A character is one byte or six, so what is left over tells only roughly how many have
            // room.
            room = if attempt + 1 < SHORTENINGS {
                length.saturating_mul(self.max_bytes) / rendered.len() * 9 / 10
            } else {
                0
            };
        }
        let reason = "the message is too long even without its report";
        Err(SendError::unacceptable(reason))
    }

    fn render(&self, call: &Call, context: &Value) -> Result<String, minijinja::Error> {
        let template = self
            .environment
            .get_template(&format!("{}/body", call.step))?;
        template.render(Serde(context))
    }

    /// What a body template sees, and the length of its `report.text`.
    fn context(&self, notice: &Notice, remote: Option<&str>, room: usize) -> (Value, usize) {
        let mut document = Document::parse(&notice.report.markdown);
        if !self.heading {
            document.blocks = document.body().to_vec();
        }
        let text = text::write(&document, self.format, room);
        let length = text.chars().count();
        let mut context = body::context(notice);
        let line = inert::line(notice.report.title.trim(), LINE);
        let line = if line.is_empty() {
            "A Falco alert".to_owned()
        } else {
            line
        };
        context["report"]["line"] = json!(line);
        context["report"]["text"] = json!(text);
        context["params"] = json!(self.params);
        context["remote"] = json!(remote);
        context["link"] = json!(notice.link);
        (context, length)
    }
}

fn environment() -> Environment<'static> {
    // No filters at all: nothing in reach of a template can turn the JSON escaping off.
    let mut environment = Environment::empty();
    // What may be missing can be asked for, but not inserted.
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|name| {
        if name.ends_with("/body") {
            AutoEscape::Json
        } else {
            AutoEscape::None
        }
    });
    environment.set_formatter(
        |out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Templated| {
            if state.name().ends_with("/path") {
                return out
                    .write_str(&encoded(&value.to_string()))
                    .map_err(minijinja::Error::from);
            }
            minijinja::escape_formatter(out, state, value)
        },
    );
    environment
}

/// Percent-encoded, so that a value stays one part of a path or of a query.
fn encoded(text: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'.');
    let encode = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

fn params(
    written: &Written,
    given: &BTreeMap<String, Secret>,
) -> Result<BTreeMap<String, String>, String> {
    if let Some(unknown) = given
        .keys()
        .find(|name| !written.params.contains_key(*name))
    {
        let known: Vec<_> = written.params.keys().map(String::as_str).collect();
        return Err(format!(
            "it has no `params.{unknown}`; it knows: {}",
            known.join(", ")
        ));
    }
    let value = |(name, default): (&String, &Option<String>)| {
        let given = given.get(name).map(|value| value.expose().to_owned());
        let value = given.or_else(|| default.clone());
        let value = value.ok_or_else(|| format!("it needs `params.{name}`"))?;
        Ok((name.clone(), value))
    };
    written.params.iter().map(value).collect()
}

fn headers(
    written: &BTreeMap<String, String>,
    params: &BTreeMap<String, String>,
    token: Option<&Secret>,
) -> Result<HeaderMap, String> {
    let context = json!({ "params": params, "token": token.map(Secret::expose) });
    let mut headers = HeaderMap::new();
    for (name, template) in written {
        let wrong = |why: &str| format!("headers.{name}: {why}");
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("no header"))?;
        let value = environment()
            .render_str(template, Serde(&context))
            .map_err(|error| wrong(&error.to_string()))?;
        let value = HeaderValue::from_str(&value);
        let mut value = value.map_err(|_| wrong("a value of the site does not fit a header"))?;
        if value.is_empty() {
            continue;
        }
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

fn rule(written: Answers, place: &str) -> Result<Rule, String> {
    let status = |code: &u16| {
        let status = StatusCode::from_u16(*code).ok();
        let known = status.filter(|status| !status.is_informational() && !status.is_redirection());
        known.ok_or_else(|| format!("{place}.statuses: {code} cannot be one"))
    };
    if written.value.is_some() && written.path.is_none() {
        return Err(format!("{place}: a `value` needs a `path`"));
    }
    Ok(Rule {
        statuses: written
            .statuses
            .iter()
            .map(status)
            .collect::<Result<_, _>>()?,
        path: written.path,
        value: written.value,
    })
}

#[cfg(test)]
mod tests;
