//! Gemma (2024, <https://arxiv.org/abs/2403.08295>): a llama with scaled embeddings, GELU and norms that store w − 1.

use super::{Architecture, Load, Transformer};
use crate::error::Result;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::Block;
use crate::ops::{Activation, Pairing};

pub static ARCHITECTURE: Architecture = Architecture {
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
    shape: |hyper| {
        // The first configurations say `gelu` and mean its approximation.
        hyper.activation_among(&["gelu", GELU[0], GELU[1]])?;
        Shape::read(hyper, &[], None)
    },
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

/// Names of the activation that all Gemmas have.
pub const GELU: [&str; 2] = ["gelu_pytorch_tanh", "gelu_new"];

/// Safetensors keep w − 1; GGUF's converter has added the one.
pub fn norms(loader: &Loader<'_>, hyper: &Hyper<'_>) -> Result<NormStyle> {
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    Ok(NormStyle::Rms { epsilon, offset: if loader.is_gguf() { 0.0 } else { 1.0 } })
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let hyper = loader.hyper("gemma");
    let norms = norms(loader, &hyper)?;
    let mut parts = Parts::new(loader, Shape::read(&hyper, &[], None)?, &[], norms);
    let rope = parts.rope(Pairing::HalfSplit).await?;
    let embed = parts.embedding((parts.shape.d_model as f32).sqrt())?;
    let mut blocks = parts.blocks();
    for i in 0..parts.shape.n_layers {
        blocks.push(Block {
            attn_norm: Some(parts.norm("attn.norm", i)?),
            attn: parts.attention(i, Some(rope))?,
            attn_post_norm: None,
            ffn_norm: Some(parts.norm("ffn.norm", i)?),
            ffn: parts.gated_mlp(i, Activation::GeluTanh)?,
            ffn_post_norm: None,
            parallel: false,
        });
    }
    Transformer::finish(&mut parts, embed, blocks)
}
