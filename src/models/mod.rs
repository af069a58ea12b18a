//! Architectures: one file each, and the registry that finds them.

mod bert;
#[cfg(not(target_arch = "wasm32"))]
pub mod convert;
mod decoder;
mod encoder;
mod fills;
mod gemma;
mod gemma2;
mod gemma3;
mod gpt2;
mod gpt_neo;
mod gpt_neox;
mod granite;
mod hyper;
mod llama;
mod loader;
pub mod lora;
mod mistral;
mod modern_bert;
mod moe;
mod nomic_bert;
mod olmo2;
#[cfg(not(target_arch = "wasm32"))]
mod outline;
mod parts;
mod phi3;
mod qwen2;
mod qwen3;
mod rope;
mod shape;
mod smollm3;
mod stablelm;
mod uses;

pub use decoder::Transformer;
pub use encoder::Encoder;
pub use fills::{Fills, Progress};
pub use hyper::Hyper;
pub use loader::Loader;
pub use shape::Shape;

use crate::device::{BufferId, Pass, Tensor};
use crate::error::{Error, Result};
use crate::ops::KvCache;
use crate::weights::{Checkpoint, Kind, LocalBoxFuture};
use std::collections::BTreeSet;

/// A model whose weights are on the device.
pub trait Decoder {
    fn shape(&self) -> &Shape;

    /// Records the way from the pass's rows to what is wanted of the gathered ones; → the candidates, where logits are
    /// [`Wanted::Ranked`]. One forward for T ≥ 1 rows: prefill and decode are the same.
    fn forward(&self, pass: &mut Pass, caches: &[KvCache], wanted: Wanted) -> Result<Option<Tensor>>;

    /// What it is, but for its weights; see [`Model::outline`].
    #[cfg(not(target_arch = "wasm32"))]
    fn outline(&self) -> Vec<String>;
}

/// What a forward computes after the last block.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// Nothing: the keys and values are what is wanted.
    Cache,
    /// Logits [L, V].
    Logits(&'a Tensor),
    /// Logits [L, V], and the best of them with the requests' edits, for the sampler.
    Ranked(&'a Tensor, BufferId),
}

/// Reads an architecture's weights onto the device.
pub enum Load {
    Decoder(for<'a> fn(&'a mut Loader<'_>) -> LocalBoxFuture<'a, Result<Box<dyn Decoder>>>),
    Encoder(for<'a> fn(&'a mut Loader<'_>) -> LocalBoxFuture<'a, Result<Encoder>>),
}

/// A model whose weights are on the device: one that generates, or one that embeds.
pub enum Model {
    Decoder(Box<dyn Decoder>),
    Encoder(Encoder),
}

impl Model {
    pub fn shape(&self) -> &Shape {
        match self {
            Model::Decoder(decoder) => decoder.shape(),
            Model::Encoder(encoder) => &encoder.shape,
        }
    }
}

impl Architecture {
    pub async fn load(&self, loader: &mut Loader<'_>) -> Result<Model> {
        Ok(match self.load {
            Load::Decoder(load) => Model::Decoder(load(loader).await?),
            Load::Encoder(load) => Model::Encoder(load(loader).await?),
        })
    }

    /// Whether it makes vectors of texts instead of continuing them.
    pub fn is_encoder(&self) -> bool {
        matches!(self.load, Load::Encoder(_))
    }
}

/// A row of the registry.
pub struct Architecture {
    /// What it is called in messages.
    pub name: &'static str,
    /// `general.architecture` in GGUF; empty where no such files exist. The first row of a name reads its files.
    pub gguf: &'static [&'static str],
    /// `model_type` in config.json; empty where GGUF alone tells it apart.
    pub hf: &'static [&'static str],
    /// What config.json means by leaving a number out, if anything: as transformers' class for it has it.
    pub defaults: &'static [(&'static str, f64)],
    pub shape: fn(&Hyper) -> Result<Shape>,
    pub load: Load,
}

/// Every architecture this build runs.
pub static REGISTRY: &[&Architecture] = &[
    &llama::ARCHITECTURE,
    &mistral::ARCHITECTURE,
    &smollm3::ARCHITECTURE,
    &granite::ARCHITECTURE,
    &qwen2::ARCHITECTURE,
    &qwen3::ARCHITECTURE,
    &phi3::ARCHITECTURE,
    &stablelm::ARCHITECTURE,
    &gemma::ARCHITECTURE,
    &gemma2::ARCHITECTURE,
    &gemma3::ARCHITECTURE,
    &olmo2::ARCHITECTURE,
    &olmo2::OLMO3,
    &gpt2::ARCHITECTURE,
    &gpt_neo::ARCHITECTURE,
    &gpt_neox::ARCHITECTURE,
    &moe::OLMOE,
    &moe::QWEN3_MOE,
    &bert::ARCHITECTURE,
    &nomic_bert::ARCHITECTURE,
    &modern_bert::ARCHITECTURE,
];

/// The architecture a checkpoint names. Error: `MODEL_UNSUPPORTED` with its name, or with the method that its weights
/// are packed by; `MODEL_FORMAT` if it names none.
pub fn architecture_of(checkpoint: &Checkpoint) -> Result<&'static Architecture> {
    if lora::is_adapter(checkpoint) {
        let reason = "this is an adapter, not a model; load the model it was trained on, and this as its adapter";
        return Err(Error::format(checkpoint.name(), reason));
    }
    if checkpoint.tensors().len() == 0 {
        let what =
            if checkpoint.metadata().get("tokenizer.ggml.tokens").is_some() { "a vocabulary" } else { "headers" };
        return Err(Error::format(
            checkpoint.name(),
            format!("the file has no tensors: this is {what} without weights"),
        ));
    }
    let name = architecture_name(checkpoint)?.unwrap_or_default();
    if name.is_empty() {
        let reason = match (checkpoint.kind(), checkpoint.config()) {
            (Kind::Safetensors, None) => "there is no config.json beside it, which would name the architecture",
            (Kind::Safetensors, Some(_)) => "config.json has no model_type, which would name the architecture",
            (Kind::Gguf { .. }, _) => "there is no general.architecture in the metadata",
        };
        return Err(Error::format(checkpoint.name(), reason));
    }
    let names = |a: &Architecture| if checkpoint.config().is_some() { a.hf } else { a.gguf };
    let known = || REGISTRY.iter().flat_map(|a| names(a)).copied().collect::<BTreeSet<_>>();
    let architecture = REGISTRY.iter().find(|a| names(a).contains(&name)).copied();
    let architecture = architecture.ok_or_else(|| Error::Unsupported {
        what: format!("the architecture {name}"),
        hint: format!("; this build runs {}", known().into_iter().collect::<Vec<_>>().join(", ")).into(),
    })?;
    match packed_by(checkpoint) {
        None => Ok(architecture),
        Some(method) => Err(Error::Unsupported {
            what: format!("a model quantised by {method}"),
            hint: "; use a GGUF file of it, or its unquantised safetensors, which can be quantised while loading"
                .into(),
        }),
    }
}

/// What packed the weights of a Hugging Face folder into numbers of its own, some of which are no floats: GPTQ, AWQ,
/// bitsandbytes, MLX, … A configuration that still speaks of it beside plain weights means nothing.
fn packed_by(checkpoint: &Checkpoint) -> Option<String> {
    let config = checkpoint.config()?;
    checkpoint.tensors().any(|tensor| tensor.dtype.format().is_none()).then_some(())?;
    let sections = [config, &config["text_config"]];
    let said = sections.iter().find_map(|section| section["quantization_config"]["quant_method"].as_str());
    match said {
        Some(method @ ("gptq" | "awq" | "hqq" | "aqlm" | "fp8" | "mxfp4")) => Some(method.to_uppercase()),
        Some(method) => Some(method.to_string()),
        None if sections.iter().any(|section| section["quantization"]["bits"].is_u64()) => Some("MLX".into()),
        // AutoGPTQ's first folders have a file of their own for what config.json says today.
        None if checkpoint.tensors().any(|tensor| tensor.name.ends_with(".qweight")) => Some("GPTQ or AWQ".into()),
        None => None,
    }
}

/// What the file calls its architecture, if it says.
pub fn architecture_name(checkpoint: &Checkpoint) -> Result<Option<&str>> {
    match checkpoint.config() {
        Some(config) => Ok(config["model_type"].as_str()),
        None => checkpoint.metadata().str("general.architecture"),
    }
}
