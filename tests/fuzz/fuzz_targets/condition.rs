//! Any text parses or is refused, and what parses prints to a text with the same meaning.
#![no_main]

use falco_herald::route::condition::Condition;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(condition) = text.parse::<Condition>() {
        let printed = condition.to_string();
        let again: Condition = printed.parse().expect("what was printed parses");
        assert_eq!(again.to_string(), printed);
    }
});
