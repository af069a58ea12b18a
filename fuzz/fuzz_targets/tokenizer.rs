//! A tokenizer.json, and a text for it, which lie in one input, apart by the first zero byte.
#![no_main]

use cresset::tokenizer::Tokenizer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let input = String::from_utf8_lossy(bytes);
    let (file, text) = input.split_once('\0').unwrap_or((&input, "Hello, wörld!  1234\n\n  😀 <s>x</s>"));
    let Ok(tokenizer) = Tokenizer::from_json(file, None, None, None) else { return };
    if let Ok(ids) = tokenizer.encode(text, true, true) {
        assert!(tokenizer.decode(&ids, false).is_ok(), "what was encoded can be decoded");
    }
});
