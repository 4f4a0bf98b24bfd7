//! Imports point down the layers of `src/lib.rs`, never up.

use std::path::{Path, PathBuf};

/// Layer by module; a module may use its own layer and those below.
const LAYERS: [(&str, u32); 23] = [
    ("cli", 6),
    ("app", 6),
    ("config", 6),
    ("http", 5),
    ("pipeline", 4),
    ("deliver", 4),
    ("store", 3),
    ("report", 3),
    ("markup", 3),
    ("classify", 2),
    ("route", 2),
    ("incident", 2),
    ("falco", 2),
    ("mask", 2),
    ("event", 1),
    ("clock", 0),
    ("backoff", 0),
    ("secret", 0),
    ("link", 0),
    ("units", 0),
    ("metrics", 0),
    ("lifecycle", 0),
    ("telemetry", 0),
];

fn layer(module: &str) -> u32 {
    let known = LAYERS.iter().find(|(name, _)| *name == module);
    known
        .unwrap_or_else(|| panic!("module {module} has no layer"))
        .1
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn imports_point_down() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 50);
    let mut seen = 0;
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let first = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let module = first.trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for used in text.split("crate::").skip(1) {
            let used: String = used
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            // `crate::{...}` is not used in this project.
            assert!(
                !used.is_empty(),
                "{}: name one module after crate::",
                inside.display()
            );
            assert!(
                layer(&used) <= layer(module),
                "{}: {module} must not use {used}",
                inside.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}
