//! LoRA adapters: against `peft` (`tests/golden/lora.py`), switched from request to request, and files that fit no
//! model. What runs a model runs on the CPU and on the GPU.

use crate::support::variant::Variant;
use crate::support::{Case, close, cpu, golden, gpu, ids};
use cresset::Error;
use cresset::device::KvFormat;
use cresset::engine::{AdapterOptions, Engine, LoadOptions, never_yield};
use cresset::quant::Format;
use cresset::weights::{Checkpoint, Files, MemorySource, Source, open_path};
use pollster::block_on;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

macro_rules! on_both_devices {
    ($($test:ident),* $(,)?) => {
        mod on_the_cpu {
            $(#[test] fn $test() { super::$test(super::cpu()); })*
        }
        mod on_the_gpu {
            $(#[test] fn $test() { if let Some(case) = super::gpu() { super::$test(case) } })*
        }
    };
}

mod peft;
mod switching;
mod wrong;

/// `tests/golden/lora/{path}`.
fn path(path: &str) -> PathBuf {
    Path::new("tests/golden/lora").join(path)
}

fn base(name: &str, file: &str, device: Case) -> Engine {
    crate::support::open(&Path::new("tests/golden").join(name).join(file), device, KvFormat::F32)
}

fn llama(device: Case) -> Engine {
    base("llama-gqa", "f32.gguf", device)
}

fn open_adapter(file: &str) -> Checkpoint {
    block_on(Checkpoint::open(open_path(path(file)).expect("an adapter's files"))).expect("an adapter")
}

fn add(engine: &mut Engine, name: &str, adapter: &Checkpoint) -> Result<(), Error> {
    block_on(engine.load_adapter(name, adapter, &AdapterOptions::default()))
}

fn add_default(engine: &mut Engine, name: &str, file: &str) {
    let options = AdapterOptions { default: true, ..AdapterOptions::default() };
    block_on(engine.load_adapter(name, &open_adapter(file), &options)).unwrap_or_else(|e| panic!("{file}: {e}"));
}

/// Logits of every position, with the default adapter.
fn all_logits(engine: &mut Engine, ids: &[u32]) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    block_on(engine.logits(ids, true, &mut |row| rows.push(row.to_vec()), &never_yield)).expect("logits");
    rows
}

/// Safetensors of f32 in memory.
fn safetensors(tensors: &[(&str, [usize; 2], Vec<f32>)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend_from_slice(bytemuck::cast_slice(values));
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert((*name).to_string(), entry);
    }
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

/// An adapter of these weights and, where there is one, this adapter_config.json.
fn peft_files(weights: Vec<u8>, config: Option<Value>) -> Result<Checkpoint, Error> {
    let mut sources: Vec<Box<dyn Source>> = vec![Box::new(MemorySource::new("adapter_model.safetensors", weights))];
    if let Some(config) = config {
        sources.push(Box::new(MemorySource::new("adapter_config.json", config.to_string())));
    }
    block_on(Checkpoint::open(Files::new(sources)))
}
