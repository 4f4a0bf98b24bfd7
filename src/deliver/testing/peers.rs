//! Programs of others that judge our fakes and what we send. `tests/peers/install` brings them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::CANARY;
use super::http::Peer;
use crate::markup::judges::required;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What the programs end with where their packages are not here.
const MISSING: i32 = 77;

/// Drives a vendor's official client against a fake. Whether it is here; a client that does not
/// understand an answer fails the test.
pub(in crate::deliver) async fn client(vendor: &'static str, url: &str) -> bool {
    match drive(vendor, url).await {
        Some(Err(said)) => panic!("{vendor}: {said}"),
        driven => driven.is_some(),
    }
}

async fn drive(vendor: &'static str, url: &str) -> Option<Result<String, String>> {
    let url = url.to_owned();
    let run = move || {
        let mut command = Command::new(Path::new(ROOT).join("target/peers/bin/python"));
        command.arg(Path::new(ROOT).join("tests/peers/clients.py"));
        command.args([vendor, &url, CANARY]);
        run(command, vendor, "")
    };
    // The fake answers on this thread meanwhile.
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// A vendor's own validator or types take every payload, and none of the broken ones.
pub(in crate::deliver) fn takes(kind: &str, payloads: &[Value], broken: &[Value]) {
    let root = Path::new(ROOT);
    let mut command = Command::new("node");
    command.arg(root.join("tests/peers/oracles/judge.mjs"));
    command.arg(kind).arg(root.join("target/peers/oracles"));
    let lines = payloads
        .iter()
        .chain(broken)
        .map(|payload| format!("{payload}\n"));
    let Some(said) = run(command, kind, &lines.collect::<String>()) else {
        return;
    };
    let said = said.unwrap_or_else(|said| panic!("{kind}: {said}"));
    let verdicts: Vec<Option<String>> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(verdicts.len(), payloads.len() + broken.len());
    for (payload, verdict) in payloads.iter().zip(&verdicts) {
        assert_eq!(*verdict, None, "{kind}: {payload}");
    }
    for (payload, verdict) in broken.iter().zip(&verdicts[payloads.len()..]) {
        println!("{kind}: {verdict:?}");
        assert!(verdict.is_some(), "{kind} takes what is broken: {payload}");
    }
}

/// The payload with the value at that place; null takes it away.
pub(in crate::deliver) fn broken(payload: &Value, place: &str, value: Value) -> Value {
    let mut payload = payload.clone();
    let (parent, key) = place.rsplit_once('/').unwrap();
    let parent = payload
        .pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap();
    if value.is_null() {
        parent.remove(key).unwrap();
    } else {
        parent.insert(key.to_owned(), value);
    }
    payload
}

/// The standard output of a program, or its standard error when it fails, unless it is not here.
fn run(mut command: Command, name: &str, input: &str) -> Option<Result<String, String>> {
    let output = output(&mut command, input).filter(|ended| ended.status.code() != Some(MISSING));
    let Some(output) = output else {
        assert!(!required(), "{name}: run tests/peers/install first");
        println!("skipped {name}: tests/peers/install brings it");
        return None;
    };
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Some(if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    })
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

#[tokio::test]
async fn no_client_understands_a_fake_that_answers_nothing() {
    let fake = Peer::answering(|_| "{}".to_owned()).await;
    for vendor in [
        "slack",
        "github",
        "gitlab",
        "jira-cloud",
        "jira-center",
        "redmine",
        "rt",
        "pagerduty",
    ] {
        if let Some(driven) = drive(vendor, &fake.url).await {
            let said = driven.expect_err(vendor);
            // By what it makes of the answer, and not by a mistake of the script.
            assert!(!said.contains("ImportError"), "{said}");
            println!("{vendor}: {}", said.lines().last().unwrap_or_default());
        }
    }
}
