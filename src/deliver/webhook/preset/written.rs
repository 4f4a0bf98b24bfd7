//! Presets as they are written, in this binary and in files of the site.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use http::Method;
use rust_embed::RustEmbed;
use serde::Deserialize;
use serde_json::Value;

use super::super::text::Format;
use crate::units::ByteSize;

/// A preset.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Written {
    /// Whether the site gives a `token`, for `headers`.
    #[serde(default)]
    pub(super) token: Need,
    /// What the site may give, with defaults; null: must give.
    #[serde(default)]
    pub(super) params: BTreeMap<String, Option<String>>,
    /// Templates of headers.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// What `report.text` is written in.
    #[serde(default)]
    pub(super) format: Format,
    /// Whether `report.text` begins with the title.
    #[serde(default)]
    pub(super) heading: bool,
    /// The most characters of `report.text`.
    #[serde(default = "max_text")]
    pub(super) max_text: usize,
    /// The most bytes of a body. The report is shortened until the body fits.
    #[serde(default = "max_bytes")]
    pub(super) max_bytes: ByteSize,
    /// When a request is tried again, beside 408, 425, 429 and 5xx.
    #[serde(default)]
    pub(super) retry: Answers,
    /// Says that there is an incident.
    pub(super) create: WrittenRequest,
    /// Says what changed; default: as `create`.
    pub(super) update: Option<WrittenRequest>,
    /// Says that it ended; default: as `update`.
    pub(super) close: Option<WrittenRequest>,
    /// Looks for what a lost attempt may have created.
    pub(super) find: Option<WrittenRequest>,
}

/// One request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct WrittenRequest {
    #[serde(default)]
    pub(super) method: PresetMethod,
    /// A template of what follows the site's address.
    #[serde(default)]
    pub(super) path: String,
    /// A template of the JSON to send.
    pub(super) body: Option<String>,
    /// When it has worked; default: 200 to 299.
    #[serde(default)]
    pub(super) success: Answers,
    /// Where the answer holds the remote id.
    pub(super) id: Option<String>,
    /// Where the answer of a `find` must hold the incident's uid: searches find look-alikes.
    pub(super) contains: Option<String>,
}

/// Which answers are meant.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Answers {
    /// Those with one of these statuses.
    #[serde(default)]
    pub(super) statuses: Vec<u16>,
    /// A place in the answer, such as `data.issue.id` or `0.id`, where something stands.
    pub(super) path: Option<String>,
    /// What must stand there.
    pub(super) value: Option<Value>,
}

/// Whether the site gives something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Need {
    /// There is no use for it.
    #[default]
    None,
    /// It may.
    Optional,
    /// It must.
    Required,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(in super::super) enum PresetMethod {
    Get,
    #[default]
    Post,
    Put,
    Patch,
}

impl From<PresetMethod> for Method {
    fn from(method: PresetMethod) -> Self {
        match method {
            PresetMethod::Get => Self::GET,
            PresetMethod::Post => Self::POST,
            PresetMethod::Put => Self::PUT,
            PresetMethod::Patch => Self::PATCH,
        }
    }
}

/// A page or two: more is no message.
fn max_text() -> usize {
    10_000
}

fn max_bytes() -> ByteSize {
    ByteSize(64 * 1024)
}

/// The presets of this binary.
#[derive(RustEmbed)]
#[folder = "templates/presets/"]
#[include = "*.yaml"]
struct Builtin;

/// Their names.
pub(in super::super) fn builtin_names() -> Vec<String> {
    let name = |file: Cow<'static, str>| file.strip_suffix(".yaml").map(str::to_owned);
    let mut names: Vec<_> = Builtin::iter().filter_map(name).collect();
    names.sort();
    names
}

/// A preset of this binary.
pub(in super::super) fn builtin(name: &str) -> Result<Written, String> {
    let file = Builtin::get(&format!("{name}.yaml"));
    let Some(file) = file else {
        return Err(format!(
            "there is none; there are {}",
            builtin_names().join(", ")
        ));
    };
    parse(&String::from_utf8_lossy(&file.data))
}

/// More than any preset needs.
const MAX_FILE: u64 = 64 * 1024;

/// A preset of the site.
pub(in super::super) fn read(path: &Path) -> Result<Written, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
        return Err("is larger than 64 KiB".to_owned());
    }
    parse(&std::fs::read_to_string(path).map_err(failed)?)
}

fn parse(text: &str) -> Result<Written, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}
