//! Gemma (2024, <https://arxiv.org/abs/2403.08295>): a llama with scaled embeddings, GELU and norms that store w − 1.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::Result;
use crate::load::{Family, Loader, NormStyle, Parts};
use crate::ops::Activation;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "gemma",
        gguf: &["gemma"],
        hf: &["gemma"],
        defaults: &[
            ("hidden_size", 3072.0),
            ("intermediate_size", 24_576.0),
            ("num_hidden_layers", 28.0),
            ("num_attention_heads", 16.0),
            ("num_key_value_heads", 16.0),
            ("head_dim", 256.0),
            ("max_position_embeddings", 8192.0),
            ("rms_norm_eps", 1e-6),
        ],
        ..Family::PLAIN
    },
    shape: |hyper| {
        // The first configurations say `gelu` and mean its approximation.
        hyper.activation_among(&["gelu", GELU[0], GELU[1]])?;
        hyper.shape()
    },
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

/// Names of the activation that all Gemmas have.
pub const GELU: [&str; 2] = ["gelu_pytorch_tanh", "gelu_new"];

/// The parts that all Gemmas share. Safetensors keep the norms' w − 1; GGUF's converter has added the one.
pub fn gemma_parts<'p, 'a>(loader: &'p mut Loader<'a>) -> Result<Parts<'p, 'a>> {
    let epsilon = loader.hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    let offset = if loader.tensors.is_gguf() { 0.0 } else { 1.0 };
    Ok(Parts::new(loader, NormStyle::Rms { epsilon, offset }, Activation::GeluTanh))
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let mut parts = gemma_parts(loader)?;
    let rope = Some(parts.rope().await?);
    let embed = parts.embedding((parts.shape.d_model as f32).sqrt())?;
    Transformer::build(&mut parts, embed, |parts, i| parts.block(i, rope))
}
