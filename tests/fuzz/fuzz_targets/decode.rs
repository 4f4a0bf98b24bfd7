//! Any body is split and decoded without a panic, and what was accepted can be read again.
#![no_main]

use falco_herald::event::{self, Sender};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    for sender in [Sender::Falco, Sender::Other] {
        for raw in event::split(body, sender).unwrap_or_default() {
            event::decode(raw).expect("what is accepted can be decoded");
        }
    }
});
