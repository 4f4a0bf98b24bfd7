//! Any text is a configuration or is refused with a message.
#![no_main]

use std::path::Path;

use falco_herald::config::Loaded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = Loaded::from_text(Path::new("herald.yaml"), text.to_owned()) {
        assert!(!error.to_string().is_empty());
    }
});
