//! Where templates come from: this binary, and a directory of the site.

use std::fs;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use super::RenderError;

/// The templates of this binary.
#[derive(RustEmbed)]
#[folder = "templates/"]
#[include = "*.md"]
struct Builtin;

/// A template of this binary.
pub(super) fn builtin(name: &str) -> Option<String> {
    let file = Builtin::get(name)?;
    String::from_utf8(file.data.into_owned()).ok()
}

/// The names of the templates of this binary.
#[cfg(test)]
pub(super) fn builtin_names() -> impl Iterator<Item = std::borrow::Cow<'static, str>> {
    Builtin::iter()
}

const MAX_FILE: u64 = 256 * 1024;
const MAX_FILES: usize = 1_000;
/// `runbooks/families/x.md` and `report/parts/x.md` are the deepest names.
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
