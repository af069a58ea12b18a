//! Tokenizers against published ids, against the `tokenizers` crate, and against themselves.

mod shared;

use cresset::tokenizer::Tokenizer;
use cresset::weights::{Checkpoint, Files, MemorySource};
use shared::{read, shared};

/// The tokenizer of a GGUF file in the shared data.
fn gguf(path: &str) -> Option<Tokenizer> {
    let bytes = std::fs::read(shared(path)?).expect("a readable file");
    let files = Files::single(MemorySource::new("test.gguf", bytes));
    let checkpoint = pollster::block_on(Checkpoint::open(files)).expect("a GGUF file");
    Some(Tokenizer::from_checkpoint(&checkpoint).expect("a tokenizer").expect("a vocabulary"))
}

/// The 47 strings of llama.cpp's vocabulary tests and the ids expected for each, no BOS, no EOS.
fn suite(name: &str) -> Option<Vec<(String, Vec<u32>)>> {
    let texts = read(&format!("tokenizers/ggml-vocab-{name}.gguf.inp"))?;
    let ids = read(&format!("tokenizers/ggml-vocab-{name}.gguf.out"))?;
    let texts: Vec<_> = texts.split("\n__ggml_vocab_test__\n").map(str::to_owned).collect();
    let ids: Vec<Vec<u32>> =
        ids.lines().map(|line| line.split_whitespace().map(|id| id.parse().expect("an id")).collect()).collect();
    assert_eq!(texts.len(), 47);
    // The last string is empty, and so is its line.
    assert!(texts[46].is_empty() && (ids.len() == 46 || ids[46].is_empty()));
    Some(texts.into_iter().zip(ids.into_iter().chain([vec![]])).collect())
}

fn check_suite(name: &str, tokenizer: &Tokenizer) {
    let Some(suite) = suite(name) else { return };
    let wrong: Vec<_> = suite
        .iter()
        .map(|(text, want)| (text, want, tokenizer.encode(text, false, false).expect("encodes")))
        .filter(|(_, want, got)| *want != got)
        .collect();
    assert!(wrong.is_empty(), "{name}: {} of {} texts differ: {wrong:#?}", wrong.len(), suite.len());
}

#[test]
fn published_ids() {
    for name in ["gpt-2", "llama-spm", "bert-bge", "phi-3"] {
        let Some(tokenizer) = gguf(&format!("tokenizers/ggml-vocab-{name}.gguf")) else { return };
        check_suite(name, &tokenizer);
    }
}
