//! Model files: real ones, round trips through the writer, and a grid of broken ones.

use std::path::PathBuf;

use cresset::weights::{Checkpoint, Files, Kind, open_path};
use cresset::{Error, Result};
use pollster::block_on;

/// A file of the shared data, or `None`, said aloud, where that is absent.
fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CRESSET_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let file = root.join("data").join(path);
    if !file.exists() {
        eprintln!("SKIPPED: {path} is not there (set CRESSET_SHARED to the shared folder)");
        return None;
    }
    Some(file)
}

fn open(files: Result<Files>) -> Result<Checkpoint> {
    block_on(Checkpoint::open(files?))
}

fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

#[test]
fn stories_gguf() {
    let Some(path) = shared("weights/stories260K/stories260K.gguf") else {
        return;
    };
    let model = open(open_path(path)).unwrap();
    assert_eq!(model.kind(), Kind::Gguf { version: 3 });
    assert_eq!(model.name(), "stories260K.gguf");
    assert_eq!(model.file_bytes(), 1_185_376);
    assert_eq!(model.tensors().len(), 48);
    let meta = model.metadata();
    assert_eq!(meta.str("general.architecture").unwrap(), Some("llama"));
    assert_eq!(meta.u64("llama.attention.head_count_kv").unwrap(), Some(4));
    assert_eq!(meta.strings("tokenizer.ggml.tokens").unwrap().unwrap()[1], "<s>");
    assert_eq!(meta.f32s("tokenizer.ggml.scores").unwrap().unwrap().len(), 512);
    assert_eq!(meta.i32s("tokenizer.ggml.token_type").unwrap().unwrap()[..3], [2, 3, 3]);
    let down = model.tensor("blk.4.ffn_down.weight").unwrap();
    assert_eq!(down.shape, [64, 172]);
    let all = block_on(model.read_all(down)).unwrap();
    let some = block_on(model.read_rows(down, 10..12)).unwrap();
    assert_eq!(some, all[10 * 172 * 4..12 * 172 * 4]);
    assert!(f32s(&all).iter().all(|w| w.abs() < 8.0));
}

#[test]
fn odd_files() {
    let Some(path) = shared("weights/odd/nanochat-q8_0-step800.gguf") else {
        return;
    };
    let model = open(open_path(&path)).unwrap();
    assert_eq!(model.metadata().u64("general.alignment").unwrap(), Some(1));
    assert_eq!(model.tensors().len(), 105);
    for tensor in model.tensors() {
        assert_eq!(block_on(model.read_all(tensor)).unwrap().len() as u64, tensor.bytes);
    }

    let mnist = open(open_path(path.with_file_name("mnist-cnn.safetensors"))).unwrap();
    assert_eq!(mnist.kind(), Kind::Safetensors);
    let scalar = mnist.tensor("norm1.num_batches_tracked").unwrap();
    assert_eq!((scalar.shape.len(), scalar.bytes, scalar.dtype.to_string()), (0, 8, "I64".into()));

    let lora = open(open_path(path.with_file_name("discollama-adapters.safetensors"))).unwrap();
    assert_eq!(lora.tensor("model.layers.30.self_attn.q_proj.lora_a").unwrap().shape, [4096, 8]);

    assert!(matches!(open(open_path(path.with_file_name("none.gguf"))), Err(Error::ModelNotFound { .. })));
}
