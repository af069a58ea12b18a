//! A file of whisper.cpp's: what opens has tensors that can be read, and perhaps a tokenizer.
#![no_main]

use cresset::tokenizer::Tokenizer;
use cresset::weights::{Checkpoint, Files, MemorySource};
use pollster::block_on;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = block_on(Checkpoint::open(Files::single(MemorySource::new("ggml-model.bin", bytes.to_vec())))) else {
        return;
    };
    for tensor in model.tensors() {
        assert_eq!(block_on(model.read_all(tensor)).expect("it is in the file").len() as u64, tensor.bytes);
    }
    let _ = Tokenizer::from_checkpoint(&model);
});
