//! The services that are compared: this one, and one that another commit made.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What is measured.
#[derive(Debug)]
pub(crate) struct Subjects {
    other: Option<(String, PathBuf)>,
}

impl Subjects {
    /// This one, and what `HERALD_BENCH_AGAINST` names: a commit, which is built, or a program.
    pub(crate) fn from_environment() -> Self {
        let given = std::env::var("HERALD_BENCH_AGAINST").ok();
        let other = given.map(|given| {
            let program = Path::new(&given);
            let program = if program.is_file() {
                program.to_owned()
            } else {
                build(&given)
            };
            (format!(" ({given})"), program)
        });
        Self { other }
    }

    /// What to put behind a name, and the program.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Path)> {
        let this = ("", Path::new(env!("CARGO_BIN_EXE_falco-herald")));
        let other = self.other.as_ref();
        let other = other.map(|(name, program)| (name.as_str(), program.as_path()));
        std::iter::once(this).chain(other)
    }
}

/// Builds a commit in a work tree of its own.
fn build(commit: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tree = here.join("target/bench-against").join(commit);
    let run = |command: &mut Command| {
        let status = command.current_dir(here).status().unwrap();
        assert!(status.success(), "{command:?} failed");
    };
    if !tree.exists() {
        run(Command::new("git")
            .args(["worktree", "add", "--detach"])
            .arg(&tree)
            .arg(commit));
    }
    let target = here.join("target/bench-against/target");
    run(Command::new("cargo")
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(tree.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target));
    let program = target.join("release/falco-herald");
    let kept = tree.join("falco-herald");
    std::fs::copy(program, &kept).unwrap();
    kept
}
