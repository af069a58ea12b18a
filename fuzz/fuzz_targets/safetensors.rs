//! A config.json and a safetensors file.
#![no_main]

use cresset_fuzz::{file, halves, read};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (config, weights) = halves(bytes);
    read(vec![file("config.json", config), file("model.safetensors", weights)]);
});
