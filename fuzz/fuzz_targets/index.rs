//! The index of a checkpoint in two files.
#![no_main]

use cresset_fuzz::{file, read};

/// Two tensors, `.a` of 2 × 4 f32 and `.b` of 3 bf16.
fn shard(name: &str) -> Vec<u8> {
    let header = format!(
        r#"{{"{name}.a":{{"dtype":"F32","shape":[2,4],"data_offsets":[0,32]}},"{name}.b":{{"dtype":"BF16","shape":[3],"data_offsets":[32,38]}}}}"#
    );
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[7; 38]].concat()
}

libfuzzer_sys::fuzz_target!(|index: &[u8]| {
    read(vec![
        file("model.safetensors.index.json", index),
        file("1.safetensors", shard("x")),
        file("2.safetensors", shard("y")),
        file("config.json", r#"{"model_type":"llama","hidden_size":64}"#),
    ]);
});
