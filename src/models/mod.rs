//! Architectures: one file each, and the registry that finds them.

mod gpt2;
mod hyper;
mod llama;
mod loader;
mod transformer;

pub use hyper::Hyper;
pub use loader::{Loader, Progress};
pub use transformer::Transformer;

use crate::device::{Pass, Tensor};
use crate::error::{Error, Result};
use crate::ops::KvCache;
use crate::weights::{Checkpoint, Kind, LocalBoxFuture};
use serde::Serialize;

/// What every decoder says about itself before a weight is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    pub architecture: &'static str,
    pub d_model: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_dim: usize,
    pub d_ffn: usize,
    pub vocabulary: usize,
    /// Positions the model was made for.
    pub context: usize,
}

/// A model whose weights are on the device.
pub trait Decoder {
    fn shape(&self) -> &Shape;

    /// Records the way from the pass's rows to the logits [L, V] of the gathered ones. One forward for T ≥ 1 rows:
    /// prefill and decode are the same.
    fn forward(&self, pass: &mut Pass, caches: &[KvCache], logits: Option<&Tensor>) -> Result<()>;
}

/// Reads an architecture's weights onto the device.
pub type Load = for<'a> fn(&'a mut Loader<'_>) -> LocalBoxFuture<'a, Result<Box<dyn Decoder>>>;

/// A row of the registry.
pub struct Architecture {
    /// `general.architecture` in GGUF.
    pub gguf: &'static str,
    /// `model_type` in config.json.
    pub hf: &'static str,
    pub shape: fn(&Hyper) -> Result<Shape>,
    pub load: Load,
}

/// Every architecture this build runs.
pub static REGISTRY: &[&Architecture] = &[&llama::ARCHITECTURE, &gpt2::ARCHITECTURE];

/// The architecture a checkpoint names. Error: `MODEL_UNSUPPORTED` with its name, or `MODEL_FORMAT` if it has none.
pub fn architecture_of(checkpoint: &Checkpoint) -> Result<&'static Architecture> {
    let (name, found) = match checkpoint.config() {
        Some(config) => {
            let name = config["model_type"].as_str().unwrap_or_default();
            (name, REGISTRY.iter().find(|a| a.hf == name))
        }
        None => {
            let name = checkpoint.metadata().str("general.architecture")?.unwrap_or_default();
            (name, REGISTRY.iter().find(|a| a.gguf == name))
        }
    };
    if name.is_empty() {
        let reason = match (checkpoint.kind(), checkpoint.config()) {
            (Kind::Safetensors, None) => "there is no config.json beside it, which would name the architecture",
            (Kind::Safetensors, Some(_)) => "config.json has no model_type, which would name the architecture",
            (Kind::Gguf { .. }, _) => "there is no general.architecture in the metadata",
        };
        return Err(Error::format(checkpoint.name(), reason));
    }
    let known = || REGISTRY.iter().map(|a| a.hf).collect::<Vec<_>>().join(", ");
    found.copied().ok_or_else(|| Error::Unsupported {
        what: format!("the architecture {name}"),
        hint: format!("; this build runs {}", known()).into(),
    })
}
