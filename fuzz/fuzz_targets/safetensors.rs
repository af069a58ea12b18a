//! A safetensors file beside a config.json, which lie in one input, apart by the first zero byte.
#![no_main]

use cresset::weights::{Checkpoint, Files, MemorySource, Source};
use pollster::block_on;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let cut = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (config, weights) = (&bytes[..cut], bytes.get(cut + 1..).unwrap_or_default());
    let file = |name: &str, bytes: &[u8]| Box::new(MemorySource::new(name, bytes.to_vec())) as Box<dyn Source>;
    let files = Files::new(vec![file("config.json", config), file("model.safetensors", weights)]);
    let Ok(model) = block_on(Checkpoint::open(files)) else { return };
    for tensor in model.tensors() {
        assert_eq!(block_on(model.read_all(tensor)).expect("it is in the file").len() as u64, tensor.bytes);
    }
});
