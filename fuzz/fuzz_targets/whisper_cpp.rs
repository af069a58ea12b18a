//! A file of whisper.cpp's.
#![no_main]

use cresset_fuzz::{file, read};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read(vec![file("ggml-model.bin", bytes)]));
