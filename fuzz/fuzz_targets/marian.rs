//! Marian's vocab.json and source.spm.
#![no_main]

use cresset::tokenizer::Tokenizer;
use cresset_fuzz::{encode, halves};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (ids, pieces) = halves(bytes);
    let Ok(ids) = serde_json::from_slice(ids) else { return };
    if let Ok(tokenizer) = Tokenizer::from_marian(pieces, &ids) {
        encode(&tokenizer, "Hello, wörld!  1234\n\n  😀 <s>x</s>");
    }
});
