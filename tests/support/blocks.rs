//! `tests/golden/quant.safetensors`: blocks of every format and what the `gguf` package reads in them.
#![allow(dead_code, reason = "each test binary uses its part")]

use cresset::quant::Format;
use cresset::weights::{Checkpoint, Files, MemorySource};
use pollster::block_on;

const FILE: &[u8] = include_bytes!("../golden/quant.safetensors");

pub struct Blocks {
    /// ggml's number of the type.
    pub ggml_type: u32,
    /// Blocks whose weights are not much above 1; 32 weights each where the format has no blocks.
    pub blocks: Vec<Vec<u8>>,
    /// Blocks with unusual scales and codes, or numbers.
    pub edges: Vec<Vec<u8>>,
    /// The weights of `blocks`, then of `edges`.
    pub values: Vec<f32>,
    /// What [`input`] becomes in this format, where the package can write it.
    pub quantized: Option<Vec<u8>>,
}

fn tensor(name: &str) -> Option<Vec<Vec<u8>>> {
    let files = Files::new(vec![Box::new(MemorySource::new("quant.safetensors", FILE))]);
    let checkpoint = block_on(Checkpoint::open(files)).expect("the fixture");
    let info = checkpoint.tensor(name)?;
    let bytes = block_on(checkpoint.read_all(info)).expect("the fixture");
    Some(bytes.chunks_exact(info.row_bytes() as usize).map(<[u8]>::to_vec).collect())
}

fn floats(name: &str) -> Option<Vec<f32>> {
    Some(tensor(name)?.concat().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// Blocks of 32 weights to quantise.
pub fn input() -> Vec<f32> {
    floats("input").expect("the fixture")
}

impl Blocks {
    pub fn of(format: Format) -> Blocks {
        let name = |part: &str| format!("{}.{part}", format.name());
        let named = |part: &str| tensor(&name(part)).unwrap_or_else(|| panic!("the fixture has no {}", name(part)));
        Blocks {
            ggml_type: named("type").concat()[0].into(),
            blocks: named("blocks"),
            edges: named("edges"),
            values: floats(&name("values")).expect("the fixture"),
            quantized: tensor(&name("quantized")).map(|rows| rows.concat()),
        }
    }

    /// Weights in each of the blocks.
    pub fn block_len(&self) -> usize {
        self.values.len() / (self.blocks.len() + self.edges.len())
    }
}
