//! The configuration: one YAML file, composed of the sections that the modules own.
//!
//! Loading has two stages: as typed ([`Config`], with line and column for every mistake of form),
//! then resolved ([`Resolved`], with secrets read and conditions compiled).

mod environment;
mod key;
mod locate;
mod resolve;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::classify::ClassifyConfig;
use crate::deliver::DestinationConfig;
use crate::event::Priority;
use crate::http::{AuthConfig, IngestConfig};
use crate::mask::MaskConfig;
use crate::pipeline::SensorsConfig;
use crate::route::{InhibitConfig, RouteConfig, TimeIntervalsConfig};
use crate::store::StoreConfig;

pub use environment::from_environment;
pub use key::ensure_keys;
pub use resolve::{Resolved, resolve};

/// The destination that exists when none is configured.
pub const DEFAULT_DESTINATION: &str = "console";

/// The whole configuration file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where events are received. 2801, 2802 and 2803 are Falcosidekick, its UI and Falco Talon.
    pub listen: SocketAddr,
    /// Where metrics, health and the JSON API are served. Keep it off public networks. The API needs
    /// `admin_auth` unless this is a loopback address.
    pub admin: SocketAddr,
    /// Who may use the JSON API.
    pub admin_auth: AuthConfig,
    /// The address under which people reach Herald, for links in reports.
    pub public_url: Option<String>,
    /// How events are received.
    pub ingest: IngestConfig,
    /// Where everything is kept.
    pub store: StoreConfig,
    /// What events mean at this site, on top of the built-in catalogue; the first match wins.
    pub classify: ClassifyConfig,
    /// Who can be told, by name.
    pub destinations: BTreeMap<String, DestinationConfig>,
    /// Who is told about what: the root of the routing tree.
    pub route: RouteConfig,
    /// From which severity on a silence hides nothing, unless it was made for that.
    pub silence_ceiling: Priority,
    /// Which alerts make others superfluous, as Alertmanager's inhibit rules do.
    pub inhibit: Vec<InhibitConfig>,
    /// Times in which routes are muted or active, by name, as in Alertmanager.
    pub time_intervals: TimeIntervalsConfig,
    /// How sensors that fall silent are noticed.
    pub sensors: SensorsConfig,
    /// Which secrets in events are masked before they leave the process.
    pub mask: MaskConfig,
    /// A folder of templates that override or add to the built-in ones. Reloaded on change.
    pub templates: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 2804)),
            admin: SocketAddr::from(([127, 0, 0, 1], 2805)),
            admin_auth: AuthConfig::default(),
            public_url: None,
            ingest: IngestConfig::default(),
            store: StoreConfig::default(),
            classify: ClassifyConfig::default(),
            destinations: BTreeMap::new(),
            route: RouteConfig::default(),
            silence_ceiling: Priority::Critical,
            inhibit: Vec::new(),
            time_intervals: TimeIntervalsConfig::new(),
            sensors: SensorsConfig::default(),
            mask: MaskConfig::default(),
            templates: None,
        }
    }
}

impl Config {
    /// The host of `public_url`.
    pub fn public_host(&self) -> Option<String> {
        let url: http::Uri = self.public_url.as_deref()?.parse().ok()?;
        url.host().map(str::to_owned)
    }
}

/// What is wrong with the configuration, and where.
#[derive(Debug)]
pub struct ConfigError {
    /// The file; empty when there is none.
    file: PathBuf,
    /// Line and column, counted from 1.
    at: Option<(u64, u64)>,
    /// What is wrong and what to do.
    message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.as_os_str().is_empty() {
            write!(f, "{}:", self.file.display())?;
            if let Some((line, column)) = self.at {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

/// A configuration with the text it came from, so that later mistakes can be located too.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The sections as typed.
    pub config: Config,
    file: PathBuf,
    text: String,
}

impl Loaded {
    /// Reads a file.
    pub fn from_file(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError {
            file: file.to_owned(),
            at: None,
            message: format!("cannot read the configuration: {error}"),
        })?;
        Self::from_text(file, text)
    }

    /// Reads a text as if it stood in `file`.
    pub fn from_text(file: &Path, text: String) -> Result<Self, ConfigError> {
        let config = if locate::is_blank(&text) {
            Ok(Config::default())
        } else {
            serde_saphyr::from_str(&text)
        };
        let config = config.map_err(|error| {
            let at = error.location().map(|at| (at.line(), at.column()));
            ConfigError {
                file: file.to_owned(),
                at,
                message: error.without_snippet().to_string(),
            }
        })?;
        Ok(Self {
            config,
            file: file.to_owned(),
            text,
        })
    }

    /// A configuration without a file.
    pub fn without_file(config: Config) -> Self {
        Self {
            config,
            file: PathBuf::new(),
            text: String::new(),
        }
    }

    /// The text, to see whether a file has changed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Locates a mistake that was found after reading. `message` begins with the path of the
    /// setting, such as `route.routes[0].when: ...`.
    pub fn locate(&self, message: impl Into<String>) -> ConfigError {
        let message = message.into();
        ConfigError {
            file: self.file.clone(),
            at: locate::position(&self.text, &message),
            message,
        }
    }
}

/// The JSON Schema of the configuration file.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Config)
}
