//! Qwen 2 and 2.5 (Yang et al. 2024, <https://arxiv.org/abs/2407.10671>): a llama whose queries, keys and values have
//! biases. Also what is distilled into them.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::Result;
use crate::load::names::Name;
use crate::load::{Family, Hyper, Loader, Parts};

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "qwen2",
        gguf: &["qwen2"],
        hf: &["qwen2"],
        tensors: NAMES,
        defaults: &[
            ("hidden_size", 4096.0),
            ("intermediate_size", 22_016.0),
            ("num_hidden_layers", 32.0),
            ("num_attention_heads", 32.0),
            ("num_key_value_heads", 32.0),
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

const NAMES: &[Name] = &[
    ("attn.q.bias", "blk.{i}.attn_q.bias", "model.layers.{i}.self_attn.q_proj.bias"),
    ("attn.k.bias", "blk.{i}.attn_k.bias", "model.layers.{i}.self_attn.k_proj.bias"),
    ("attn.v.bias", "blk.{i}.attn_v.bias", "model.layers.{i}.self_attn.v_proj.bias"),
];

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let mut parts = Parts::rms_silu(loader)?;
    let windows = windows(&parts.hyper, parts.shape.n_layers)?;
    let rope = Some(parts.rope().await?);
    let embed = parts.embedding(1.0)?;
    Transformer::build(&mut parts, embed, |parts, i| {
        let mut block = parts.block(i, rope)?;
        block.attn.scores.window = windows[i];
        Ok(block)
    })
}

/// Each layer's window: where there is one, from the layer `max_window_layers` on.
pub(super) fn windows(hyper: &Hyper, n_layers: usize) -> Result<Vec<Option<u32>>> {
    let first = hyper.optional_integer("", "max_window_layers", 0)?.unwrap_or(n_layers);
    hyper.switched_windows(n_layers, |i| i >= first)
}
