//! Real files of the shared data: written by others, each in its own habits.

use std::path::PathBuf;

use cresset::weights::{Checkpoint, FileFormat, open_path};
use pollster::block_on;

use super::code;

/// Opens a file of the shared data, or gives `None`, said aloud, where that is absent.
fn shared(path: &str) -> Option<Checkpoint> {
    Some(block_on(Checkpoint::open(open_path(crate::support::shared::shared(path)?).unwrap())).unwrap())
}

#[test]
fn stories() {
    let Some(model) = shared("weights/stories260K/stories260K.gguf") else { return };
    assert_eq!(model.file_format(), FileFormat::Gguf { version: 3 });
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
    assert_eq!(down.dtype.to_string(), "f32");
    let all = block_on(model.read_all(down)).unwrap();
    let two = block_on(model.read_rows(down, 10..12)).unwrap();
    assert_eq!(two, all[10 * 172 * 4..12 * 172 * 4]);
    // A wrong offset would read other bytes as floats, which are seldom all small.
    assert!(all.as_chunks().0.iter().all(|&bytes| f32::from_le_bytes(bytes).abs() < 8.0));
}

/// Alignment 1, metadata and tensors in random order, U32 token types, F16 and Q8_0.
#[test]
fn nanochat() {
    let Some(model) = shared("weights/odd/nanochat-q8_0-step800.gguf") else { return };
    assert_eq!(model.metadata().u64("general.alignment").unwrap(), Some(1));
    assert_eq!(model.metadata().i32s("tokenizer.ggml.token_type").unwrap().unwrap().len(), 489);
    assert_eq!(model.tensors().len(), 105);
    for tensor in model.tensors() {
        assert_eq!(block_on(model.read_all(tensor)).unwrap().len() as u64, tensor.bytes);
    }
    let bias = model.tensor("blk.7.mlp_proj.bias").unwrap();
    assert_eq!((bias.dtype.to_string(), bias.bytes), ("q8_0".into(), 68));
}

/// Scalars of a type that is no weight format.
#[test]
fn mnist() {
    let Some(model) = shared("weights/odd/mnist-cnn.safetensors") else { return };
    assert_eq!(model.file_format(), FileFormat::Safetensors);
    assert!(model.metadata().is_empty());
    let scalar = model.tensor("norm1.num_batches_tracked").unwrap();
    assert_eq!((scalar.shape.as_slice(), scalar.dtype.to_string()), (&[][..], "I64".into()));
    assert_eq!((scalar.rows(), scalar.columns(), scalar.elements(), scalar.row_bytes()), (1, 1, 1, 8));
    assert_eq!(block_on(model.read_rows(scalar, 0..1)).unwrap().len(), 8);
    let kernel = model.tensor("conv1.weight").unwrap();
    assert_eq!((kernel.shape.as_slice(), kernel.rows(), kernel.row_bytes()), (&[8, 1, 3, 3][..], 24, 12));
    assert_eq!(block_on(model.read_rows(kernel, 5..5)).unwrap().len(), 0);
    #[expect(clippy::reversed_empty_ranges, reason = "one of the ranges that must be refused")]
    for rows in [24..25, 3..2, 0..usize::MAX] {
        assert_eq!(code(block_on(model.read_rows(kernel, rows))), Some("INTERNAL"));
    }
}

/// `__metadata__` is null.
#[test]
fn adapter() {
    let Some(model) = shared("weights/odd/discollama-adapters.safetensors") else { return };
    assert_eq!(model.tensor("model.layers.30.self_attn.q_proj.lora_a").unwrap().shape, [4096, 8]);
}

/// Headers larger than the first read, no tensors.
#[test]
fn vocabularies() {
    for (name, n_tokens) in [("gpt-2", 50_257), ("llama-spm", 32_000), ("phi-3", 32_064), ("bert-bge", 30_522)] {
        let Some(model) = shared(&format!("tokenizers/ggml-vocab-{name}.gguf")) else { return };
        assert_eq!(model.metadata().strings("tokenizer.ggml.tokens").unwrap().unwrap().len(), n_tokens);
        assert_eq!(model.tensors().len(), 0);
    }
}

/// The bundled models travel with the repository.
#[test]
fn bundled() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("www/models");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let models: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|e| e == "gguf")).collect();
    assert!(!models.is_empty());
    for path in models {
        let model = block_on(Checkpoint::open(open_path(&path).unwrap())).unwrap();
        assert_eq!(model.metadata().str("general.architecture").unwrap(), Some("llama"), "{path:?}");
        for tensor in model.tensors() {
            assert!(tensor.dtype.format().is_some(), "{path:?}: {}", tensor.name);
            assert_eq!(block_on(model.read_all(tensor)).unwrap().len() as u64, tensor.bytes);
        }
    }
}
