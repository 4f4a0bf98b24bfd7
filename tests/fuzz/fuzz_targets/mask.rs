//! Any text is masked without a panic, a secret after a known flag never survives, and JSON stays
//! JSON.
#![no_main]

use falco_herald::mask::{Key, MaskConfig, Masker};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let masker = Masker::try_new(&MaskConfig::default(), Key::from_bytes([7; 32])).unwrap();
    masker.mask(text);
    let json = format!("{{\"a\":{:?},\"b\":1}}", text.escape_default().to_string());
    let masked = masker.json(json.as_bytes());
    assert!(masked.ends_with(b",\"b\":1}"));
    let word: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    if word.len() >= 6 {
        let command = format!("app --password {word}Zq9 --verbose");
        assert!(!masker.mask(&command).contains(&format!("{word}Zq9")));
    }
});
