//! Golden Hugging Face folders with something changed, in memory.

use cresset::Result;
use cresset::weights::{Checkpoint, Files, MemorySource, Source, open_path};
use pollster::block_on;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A folder's configuration and tensors, and the other files as they are.
#[derive(Clone)]
pub struct Folder {
    pub config: Value,
    /// By name: shape, safetensors' name of the type, bytes.
    pub tensors: BTreeMap<String, (Vec<usize>, String, Vec<u8>)>,
    /// By name, what stands beside them.
    pub beside: BTreeMap<&'static str, Vec<u8>>,
}

impl Folder {
    /// `tests/golden/{path}`.
    pub fn of(path: &str) -> Folder {
        let folder = super::at_root("tests/golden").join(path);
        let first = ["model.safetensors.index.json", "model.safetensors"].map(|name| folder.join(name));
        let first = first.into_iter().find(|path| path.exists()).expect("safetensors");
        let checkpoint = block_on(Checkpoint::open(open_path(first).expect("a golden folder"))).expect("a model");
        let tensors = checkpoint.tensors().map(|t| {
            let bytes = block_on(checkpoint.read_all(t)).expect("bytes");
            (t.name.clone(), (t.shape.clone(), t.dtype.to_string().to_uppercase(), bytes))
        });
        let beside = ["tokenizer.json", "1_Pooling/config.json"].into_iter();
        Folder {
            config: super::json(&folder.join("config.json")),
            tensors: tensors.collect(),
            beside: beside.filter_map(|name| Some((name, std::fs::read(folder.join(name)).ok()?))).collect(),
        }
    }

    pub fn set(mut self, key: &str, value: Value) -> Folder {
        self.config[key] = value;
        self
    }

    pub fn without(mut self, key: &str) -> Folder {
        self.config.as_object_mut().expect("an object").remove(key).unwrap_or_else(|| panic!("no key {key}"));
        self
    }

    pub fn without_tensor(mut self, name: &str) -> Folder {
        self.tensors.remove(name).unwrap_or_else(|| panic!("no tensor {name}"));
        self
    }

    /// The weights' file.
    pub fn safetensors(&self) -> Vec<u8> {
        let (mut header, mut data) = (Map::new(), Vec::new());
        for (name, (shape, dtype, bytes)) in &self.tensors {
            let offsets = [data.len(), data.len() + bytes.len()];
            header.insert(name.clone(), json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets }));
            data.extend_from_slice(bytes);
        }
        let header = Value::Object(header).to_string();
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
    }

    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let file = |name: &str, bytes: Vec<u8>| Box::new(MemorySource::new(name, bytes)) as Box<dyn Source>;
        let mut files = vec![
            file("config.json", self.config.to_string().into_bytes()),
            file("model.safetensors", self.safetensors()),
        ];
        files.extend(self.beside.iter().map(|(name, bytes)| file(name, bytes.clone())));
        block_on(Checkpoint::open(Files::new(files)))
    }
}
