//! Golden GGUF files with something changed, in memory.

use cresset::Result;
use cresset::quant::Format;
use cresset::weights::{Checkpoint, Files, GgufWriter, MemorySource, Value, open_path};
use pollster::block_on;
use std::collections::BTreeMap;

/// Everything a GGUF file holds, to be changed and written again.
#[derive(Clone)]
pub struct Variant {
    pub metadata: BTreeMap<String, Value>,
    /// By name: shape, format, bytes.
    pub tensors: BTreeMap<String, (Vec<usize>, Format, Vec<u8>)>,
}

impl Variant {
    /// `tests/golden/{path}`.
    pub fn of(path: &str) -> Variant {
        let files = open_path(super::at_root("tests/golden").join(path)).expect("a golden file");
        let checkpoint = block_on(Checkpoint::open(files)).expect("a golden file");
        let metadata = checkpoint.metadata().iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
        let tensors = checkpoint.tensors().map(|t| {
            let bytes = block_on(checkpoint.read_all(t)).expect("bytes");
            (t.name.clone(), (t.shape.clone(), t.dtype.format().expect("a known format"), bytes))
        });
        Variant { metadata, tensors: tensors.collect() }
    }

    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Variant {
        self.metadata.insert(key.into(), value.into());
        self
    }

    pub fn without(mut self, key: &str) -> Variant {
        self.metadata.remove(key).unwrap_or_else(|| panic!("no key {key}"));
        self
    }

    pub fn without_tensor(mut self, name: &str) -> Variant {
        self.tensors.remove(name).unwrap_or_else(|| panic!("no tensor {name}"));
        self
    }

    /// Replaces or adds a tensor of zeros.
    pub fn zeros(mut self, name: &str, shape: &[usize], format: Format) -> Variant {
        let rows: usize = shape[..shape.len() - 1].iter().product();
        let bytes = vec![0; rows * format.row_bytes(shape[shape.len() - 1]).expect("whole blocks")];
        self.tensors.insert(name.into(), (shape.to_vec(), format, bytes));
        self
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut writer = GgufWriter::new();
        for (key, value) in &self.metadata {
            writer = writer.set(key, value.clone());
        }
        for (name, (shape, format, bytes)) in &self.tensors {
            writer = writer.tensor(name, shape, *format, &bytes[..]);
        }
        let mut out = Vec::new();
        writer.write(&mut out).expect("a file in memory");
        out
    }

    pub fn checkpoint(&self) -> Result<Checkpoint> {
        checkpoint("variant.gguf", self.bytes())
    }
}

/// A model file of one name and these bytes.
pub fn checkpoint(name: &str, bytes: Vec<u8>) -> Result<Checkpoint> {
    block_on(Checkpoint::open(Files::new(vec![Box::new(MemorySource::new(name, bytes))])))
}
