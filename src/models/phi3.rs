//! Phi 3, 3.5, 4 and 4-mini (Abdin et al. 2024, <https://arxiv.org/abs/2404.14219>): a llama with fused projections;
//! some with a sliding window, with rotary positions on a part of each head, stretched by LongRoPE.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::Result;
use crate::load::names::Name;
use crate::load::rows::consecutive;
use crate::load::{Family, Loader, Parts, pre_norm};

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "phi3",
        gguf: &["phi3"],
        hf: &["phi3"],
        tensors: NAMES,
        defaults: &[
            ("hidden_size", 3072.0),
            ("intermediate_size", 8192.0),
            ("num_hidden_layers", 32.0),
            ("num_attention_heads", 32.0),
            ("max_position_embeddings", 4096.0),
            ("original_max_position_embeddings", 4096.0),
            ("rms_norm_eps", 1e-5),
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
    ("attn.qkv", "blk.{i}.attn_qkv.weight", "model.layers.{i}.self_attn.qkv_proj.weight"),
    ("ffn.gate_up", "blk.{i}.ffn_up.weight", "model.layers.{i}.mlp.gate_up_proj.weight"),
    // LongRoPE's divisors; config.json has them in Hugging Face's files.
    ("rope_long", "rope_factors_long.weight", ""),
    ("rope_short", "rope_factors_short.weight", ""),
];

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let mut parts = Parts::rms_silu(loader)?;
    let window = parts.hyper.window()?;
    let rope = Some(parts.rope().await?);
    let embed = parts.embedding(1.0)?;
    Transformer::build(&mut parts, embed, |parts, i| {
        let (q_dim, kv_dim) = (parts.shape.q_dim(i), parts.shape.kv_dim(i));
        let mut block = pre_norm(
            parts.norm("attn.norm", i)?,
            parts.fused_attention(i, consecutive([q_dim, kv_dim, kv_dim]), rope)?,
            parts.norm("ffn.norm", i)?,
            parts.fused_mlp(i)?,
        );
        block.attn.scores.window = window;
        Ok(block)
    })
}
