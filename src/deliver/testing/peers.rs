//! Programs of others that judge our fakes and what we send. `tests/peers/install` brings them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::CANARY;
use crate::markup::judges::required;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What the programs end with where their packages are not here.
const MISSING: i32 = 77;

/// Drives a vendor's official client against a fake. Whether it is here; a client that does not
/// understand an answer fails the test.
pub(in crate::deliver) async fn client(vendor: &'static str, url: &str) -> bool {
    let url = url.to_owned();
    let run = move || {
        let mut command = Command::new(Path::new(ROOT).join("target/peers/bin/python"));
        command.arg(Path::new(ROOT).join("tests/peers/clients.py"));
        command.args([vendor, &url, CANARY]);
        run(command, vendor, "")
    };
    // The fake answers on this thread meanwhile.
    tokio::task::spawn_blocking(run).await.unwrap().is_some()
}

/// The standard output of a program, unless it is not here.
fn run(mut command: Command, name: &str, input: &str) -> Option<String> {
    let output = output(&mut command, input).filter(|ended| ended.status.code() != Some(MISSING));
    let Some(output) = output else {
        assert!(!required(), "{name}: run tests/peers/install first");
        println!("skipped {name}: tests/peers/install brings it");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn output(command: &mut Command, input: &str) -> Option<Output> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().ok()?;
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // Whoever ends early says why on its standard error.
        scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
        child.wait_with_output().ok()
    })
}
