//! `check`: whether a configuration works, without doing anything with it.

use anyhow::Result;

use super::{ConfigFile, print};
use crate::clock::Clock;
use crate::config::resolve;
use crate::http::Auth;

pub(super) fn run(file: &ConfigFile) -> Result<()> {
    let loaded = file.load()?;
    let resolved = resolve(&loaded, &Clock::system())?;
    for (auth, section) in [
        (&loaded.config.ingest.auth, "ingest.auth"),
        (&loaded.config.admin_auth, "admin_auth"),
    ] {
        Auth::load(auth, section).map_err(|error| loaded.locate(error.to_string()))?;
    }
    for doubt in &resolved.doubts {
        print(&format!("warning: {doubt}\n"))?;
    }
    let routes = resolved.rules.tree.routes().count();
    let destinations = resolved.setup.destinations.len();
    print(&format!(
        "ok: {routes} routes, {destinations} destinations\n"
    ))
}
