//! A tokenizer.json and a text for it.
#![no_main]

use cresset::tokenizer::Tokenizer;
use cresset_fuzz::{encode, halves};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (json, text) = halves(bytes);
    if let Ok(tokenizer) = Tokenizer::from_json(&String::from_utf8_lossy(json), None, None, None) {
        encode(&tokenizer, "Hello, wörld!  1234\n\n  😀 <s>x</s>");
        encode(&tokenizer, &String::from_utf8_lossy(text));
    }
});
