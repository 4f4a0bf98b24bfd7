//! Reads what `falco-herald render --to slack` prints and judges every message with slackblocks.

use std::io::Read;
use std::process::ExitCode;

use serde_json::Value;
use slackblocks::WebhookMessage;

fn main() -> ExitCode {
    let mut input = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut input) {
        eprintln!("cannot read the messages: {error}");
        return ExitCode::FAILURE;
    }
    let (mut messages, mut refused) = (0, 0);
    for thread in serde_json::Deserializer::from_str(&input).into_iter::<Value>() {
        let thread = match thread {
            Ok(thread) => thread,
            Err(error) => {
                eprintln!("not JSON: {error}");
                return ExitCode::FAILURE;
            }
        };
        let details = thread["details"].as_array().into_iter().flatten();
        for message in std::iter::once(&thread["head"]).chain(details) {
            messages += 1;
            if let Err(error) = WebhookMessage::try_from(message.clone()) {
                refused += 1;
                eprintln!("message {messages}: {error}");
            }
        }
    }
    println!("{messages} messages, {refused} refused");
    if messages > 0 && refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
