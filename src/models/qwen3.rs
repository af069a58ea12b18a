//! Qwen 3 (Yang et al. 2025, <https://arxiv.org/abs/2505.09388>): a llama whose queries and keys are normalised.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use super::qwen2::windows;
use crate::error::Result;
use crate::load::{Family, Loader, Parts};
use crate::nn::NormOver;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "qwen3",
        gguf: &["qwen3"],
        hf: &["qwen3"],
        defaults: &[
            ("hidden_size", 4096.0),
            ("intermediate_size", 22_016.0),
            ("num_hidden_layers", 32.0),
            ("num_attention_heads", 32.0),
            ("num_key_value_heads", 32.0),
            ("head_dim", 128.0),
            ("max_position_embeddings", 32_768.0),
            ("sliding_window", 4096.0),
            ("max_window_layers", 28.0),
            ("rms_norm_eps", 1e-6),
        ],
        ..Family::PLAIN
    },
    shape: |hyper| {
        hyper.activation_is("silu")?;
        hyper.shape()
    },
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let mut parts = Parts::rms_silu(loader)?;
    let windows = windows(&parts.hyper, parts.shape.n_layers)?;
    let rope = Some(parts.rope().await?);
    let embed = parts.embedding(1.0)?;
    Transformer::build(&mut parts, embed, |parts, i| {
        let mut block = parts.block(i, rope)?;
        block.attn.qk_norm = Some(parts.qk_norm(i, NormOver::Head)?);
        block.attn.scores.window = windows[i];
        Ok(block)
    })
}
