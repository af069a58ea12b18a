//! Helpers that several fuzz targets share.

use cresset::tokenizer::Tokenizer;
use cresset::weights::{Checkpoint, Files, MemorySource, Source};
use pollster::block_on;

/// A file of a model.
pub fn file(name: &str, bytes: impl Into<Vec<u8>>) -> Box<dyn Source> {
    Box::new(MemorySource::new(name, bytes.into()))
}

/// An input of two files, apart by its first zero byte.
pub fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let cut = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    (&bytes[..cut], bytes.get(cut + 1..).unwrap_or_default())
}

/// Opens a checkpoint; every tensor of one that opens must be readable. Its tokenizer is built if it has one.
pub fn read(files: Vec<Box<dyn Source>>) {
    let Ok(model) = block_on(Checkpoint::open(Files::new(files))) else { return };
    for tensor in model.tensors() {
        assert_eq!(block_on(model.read_all(tensor)).expect("it is in the file").len() as u64, tensor.bytes);
    }
    let _ = Tokenizer::from_checkpoint(&model);
}

/// Encodes a text, and asserts that the ids can be decoded.
pub fn encode(tokenizer: &Tokenizer, text: &str) {
    if let Ok(ids) = tokenizer.encode(text, true, true) {
        assert!(tokenizer.decode(&ids, false).is_ok(), "what was encoded can be decoded");
    }
}
