//! A pattern that a tokenizer.json splits by, and a text: what is taken ends, however the pattern turns.
#![no_main]

use cresset::tokenizer::Tokenizer;
use cresset_fuzz::{encode, halves};
use serde_json::json;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (pattern, text) = halves(bytes);
    let pattern = String::from_utf8_lossy(pattern);
    let file = json!({
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "é": 2, "ab": 3, "<unk>": 4}, "merges": [["a", "b"]], "unk_token": "<unk>"},
    });
    if let Ok(tokenizer) = Tokenizer::from_json(&file.to_string(), None, None, None) {
        encode(&tokenizer, &"a a\tab é1 ".repeat(1000));
        encode(&tokenizer, &String::from_utf8_lossy(text).repeat(100));
    }
});
