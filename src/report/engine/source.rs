//! Where templates come from: this binary, and a directory of the site.

use std::fs;
use std::path::{Path, PathBuf};

use super::RenderError;

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../templates/", $name)))),*]
    };
}

const BUILTIN: &[(&str, &str)] = builtin![
    "report/incident.md",
    "report/parts/look.md",
    "report/parts/contain.md",
    "report/parts/tune.md",
    "report/parts/load.md",
    "report/container_drift.md",
    "report/shell_execution.md",
    "report/credential_access.md",
    "report/privilege_escalation.md",
    "report/persistence.md",
    "report/defense_evasion.md",
    "report/network_c2.md",
    "report/crypto_mining.md",
    "report/reconnaissance.md",
    "report/data_exfil_impact.md",
    "report/k8s_control_plane.md",
    "report/cloud_saas_control_plane.md",
    "report/falco_health.md",
];

/// The templates of this binary, by name.
pub(super) fn builtin() -> Vec<(String, String)> {
    BUILTIN
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

const MAX_FILE: u64 = 256 * 1024;
const MAX_FILES: usize = 1_000;
/// `runbooks/x.md` and `report/parts/x.md` are the deepest names.
const MAX_DEPTH: usize = 3;

/// The `.md` files under a directory, by their path inside it.
pub(super) fn read(dir: &Path) -> Result<Vec<(String, String)>, RenderError> {
    let mut templates = Vec::new();
    walk(dir, "", 0, &mut templates)?;
    Ok(templates)
}

fn walk(
    dir: &Path,
    prefix: &str,
    depth: usize,
    templates: &mut Vec<(String, String)>,
) -> Result<(), RenderError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RenderError::Read { path, source }
    };
    let entries = fs::read_dir(dir).map_err(failed(dir))?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(failed(dir))?.path());
    }
    paths.sort();
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        // A ConfigMap is mounted as links into `..data`, so links are followed and dot names are not.
        let kind = fs::metadata(&path).map_err(failed(&path))?;
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{name}");
        if kind.is_dir() && depth + 1 < MAX_DEPTH {
            walk(&path, &format!("{name}/"), depth + 1, templates)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "md") {
            if kind.len() > MAX_FILE || templates.len() >= MAX_FILES {
                return Err(RenderError::TooLarge { path });
            }
            let text = fs::read_to_string(&path).map_err(failed(&path))?;
            templates.push((name, text));
        }
    }
    Ok(())
}
