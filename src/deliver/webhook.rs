//! Webhook: JSON to any HTTP endpoint, signed as Standard Webhooks 1.0 asks; or the requests of a
//! preset, which says as data how some product is told.

mod body;
mod exchange;
mod preset;
mod sample;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use reqwest::Client;
use reqwest::RequestBuilder;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::Sha256;

use super::kinds::{BuildError, Kind};
use super::{Destination, Notice, Pace, Receipt, SendError, client};
use crate::clock::Clock;
use crate::secret::{Secret, SecretKeys};
use preset::{Preset, Site};

/// Posts JSON.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    /// Where to post.
    pub url: Option<Secret>,
    /// The environment variable that holds the address.
    pub url_env: Option<String>,
    /// The file that holds the address.
    pub url_file: Option<PathBuf>,
    /// `POST` (default) or `PUT`.
    pub method: WebhookMethod,
    /// Headers to send, such as `Authorization`. Treated as secrets.
    pub headers: BTreeMap<String, Secret>,
    /// A minijinja template of the body. Every value is inserted as JSON, so write
    /// `{"title": {{ report.title }}}` without quotes around it. Default: everything.
    pub body: Option<String>,
    /// Signs requests (Standard Webhooks): `whsec_` and base64, or any text.
    pub secret: Option<Secret>,
    /// The environment variable that holds the signing secret.
    pub secret_env: Option<String>,
    /// The file that holds the signing secret.
    pub secret_file: Option<PathBuf>,
    /// Statuses that mean success; default: 200 to 299. Redirects are never followed.
    pub success: Vec<u16>,
    /// Tells a product in its own way, in place of `method`, `body` and `success`: `apprise`,
    /// `gotify`, `linear`, `ntfy`, `rocketchat` or `zammad`.
    pub preset: Option<String>,
    /// A preset of your own: a file of the same form as the built-in ones.
    pub preset_file: Option<PathBuf>,
    /// What the preset asks for. Treated as secrets.
    pub params: BTreeMap<String, Secret>,
    /// The token, when the preset wants one.
    pub token: Option<Secret>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
}

/// The method of a webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum WebhookMethod {
    /// POST.
    #[default]
    Post,
    /// PUT.
    Put,
}

#[derive(Debug)]
pub(super) struct Webhook {
    client: Client,
    clock: Clock,
    url: Secret,
    method: Method,
    headers: HeaderMap,
    template: Option<Environment<'static>>,
    signing_key: Option<SigningKey>,
    success: Vec<StatusCode>,
    preset: Option<Preset>,
}

impl Kind for WebhookConfig {
    fn build(&self, timeout: Duration, clock: &Clock) -> Result<Arc<dyn Destination>, BuildError> {
        Ok(Arc::new(Webhook::from_config(
            self,
            timeout,
            clock.clone(),
        )?))
    }
}

/// The bytes that sign.
struct SigningKey(Vec<u8>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

const TEMPLATE: &str = "body";

/// Steps that a body template may take.
const FUEL: u64 = 100_000;

impl Webhook {
    pub(super) fn from_config(
        config: &WebhookConfig,
        timeout: Duration,
        clock: Clock,
    ) -> Result<Self, BuildError> {
        let url = SecretKeys {
            key: "url",
            value: config.url.as_ref(),
            env: config.url_env.as_deref(),
            file: config.url_file.as_deref(),
        };
        let secret = SecretKeys {
            key: "secret",
            value: config.secret.as_ref(),
            env: config.secret_env.as_deref(),
            file: config.secret_file.as_deref(),
        };
        let url = url.resolve()?;
        client::check_url(url.expose(), "webhook: `url`")?;
        Ok(Self {
            client: client::client(timeout)?,
            clock,
            url,
            method: match config.method {
                WebhookMethod::Post => Method::POST,
                WebhookMethod::Put => Method::PUT,
            },
            headers: headers(&config.headers)?,
            template: config.body.clone().map(template).transpose()?,
            signing_key: secret
                .resolve_optional()?
                .map(|secret| signing_key(&secret))
                .transpose()?,
            success: success(&config.success)?,
            preset: preset(config)?,
        })
    }
}

fn preset(config: &WebhookConfig) -> Result<Option<Preset>, BuildError> {
    let token = SecretKeys {
        key: "token",
        value: config.token.as_ref(),
        env: config.token_env.as_deref(),
        file: config.token_file.as_deref(),
    };
    let token = token.resolve_optional()?;
    let wrong = |wrong: &str| Err(BuildError::Setting(format!("webhook: {wrong}")));
    let (name, written) = match (&config.preset, &config.preset_file) {
        (Some(_), Some(_)) => return wrong("set only one of `preset` and `preset_file`"),
        (Some(name), None) => (format!("preset `{name}`"), preset::builtin(name)),
        (None, Some(file)) => (
            format!("preset_file {}", file.display()),
            preset::read(file),
        ),
        (None, None) if token.is_some() || !config.params.is_empty() => {
            return wrong("`params` and `token` are for a `preset`");
        }
        (None, None) => return Ok(None),
    };
    let own = config.body.is_some() || !config.success.is_empty();
    if own || config.method != WebhookMethod::Post {
        return wrong("a preset has its own `method`, `body` and `success`");
    }
    let params = &config.params;
    written
        .and_then(|written| Preset::try_new(written, &Site { params, token }))
        .map(Some)
        .map_err(|error| BuildError::Setting(format!("webhook: {name}: {error}")))
}

/// `whsec_` and base64, or the text itself.
fn signing_key(secret: &Secret) -> Result<SigningKey, BuildError> {
    let Some(encoded) = secret.expose().strip_prefix("whsec_") else {
        return Ok(SigningKey(secret.expose().as_bytes().to_vec()));
    };
    let wrong = "webhook: what follows `whsec_` in `secret` must be base64";
    STANDARD
        .decode(encoded)
        .map(SigningKey)
        .map_err(|_| BuildError::Setting(wrong.to_owned()))
}

fn success(config: &[u16]) -> Result<Vec<StatusCode>, BuildError> {
    let status = |code: &u16| {
        let wrong = || BuildError::Setting(format!("webhook: `success`: {code} cannot be one"));
        let status = StatusCode::from_u16(*code).map_err(|_| wrong())?;
        let possible = status.is_success() || status.is_client_error();
        possible.then_some(status).ok_or_else(wrong)
    };
    config.iter().map(status).collect()
}

fn headers(config: &BTreeMap<String, Secret>) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    for (name, value) in config {
        let wrong = || BuildError::Setting(format!("webhook: header `{name}` is not valid"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

/// No filters at all: nothing in reach of a template can turn the JSON escaping off.
fn template(body: String) -> Result<Environment<'static>, BuildError> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| AutoEscape::Json);
    environment
        .add_template_owned(TEMPLATE, body)
        .map_err(|error| BuildError::Setting(format!("webhook: `body`: {error}")))?;
    Ok(environment)
}

impl Webhook {
    fn request(&self, notice: &Notice, now: &str) -> Result<Vec<u8>, SendError> {
        let Some(template) = &self.template else {
            return body::body(notice, now)
                .map_err(|_| SendError::fail("the body cannot be written as JSON"));
        };
        let rendered = template
            .get_template(TEMPLATE)
            .and_then(|template| template.render(minijinja::value::Serde(&body::context(notice))))
            .map_err(|error| {
                SendError::fail(format!("the body template failed: {:?}", error.kind()))
            })?;
        // Sent as rendered: parsing into numbers would round them.
        serde_json::from_str::<IgnoredAny>(&rendered)
            .map_err(|_| SendError::fail("the body template did not give JSON"))?;
        Ok(rendered.into_bytes())
    }

    /// `webhook-id` stays the same over retries: the receiver's key against duplicates.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
        let signing_key = self.signing_key.as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&signing_key.0).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!(
            "v1,{}",
            STANDARD.encode(mac.finalize().into_bytes())
        ))
    }
}

/// The key without dots: `id.timestamp.body` is what is signed.
fn id(key: &str) -> String {
    let keep = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    key.chars().filter(keep).take(200).collect()
}

impl Webhook {
    /// The headers by which the receiver knows a repetition and us.
    fn identified(&self, request: RequestBuilder, notice: &Notice, body: &[u8]) -> RequestBuilder {
        let id = id(&notice.key);
        let timestamp = self.clock.now().as_second();
        let request = request
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp);
        match self.sign(&id, timestamp, body) {
            Some(signature) => request.header("webhook-signature", signature),
            None => request,
        }
    }
}

impl Destination for Webhook {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(async move {
            if let Some(preset) = &self.preset {
                return self.exchange(preset, notice).await;
            }
            let now = self.clock.now();
            let body = self.request(notice, &now.to_string())?;
            let request = self
                .client
                .request(self.method.clone(), self.url.expose())
                .header(CONTENT_TYPE, "application/json");
            let request = self.identified(request, notice, &body);
            let request = request.headers(self.headers.clone()).body(body);
            let answer = client::send(request).await?;
            let success = if self.success.is_empty() {
                answer.status.is_success()
            } else {
                self.success.contains(&answer.status)
            };
            if success {
                Ok(Receipt {
                    remote: None,
                    detail: format!("answered {}", answer.status.as_u16()),
                })
            } else {
                Err(client::judge(answer.status, &answer.headers, now))
            }
        })
    }

    fn pace(&self) -> Pace {
        Pace {
            concurrency: 4,
            interval: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests;
