//! Phi 3, 3.5, 4 and 4-mini (Abdin et al. 2024, <https://arxiv.org/abs/2404.14219>): a llama with fused projections;
//! some with a sliding window, with rotary positions on a part of each head, stretched by LongRoPE.

use super::{Architecture, Load, Transformer};
use crate::error::Result;
use crate::load::names::Name;
use crate::load::rows::consecutive;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{Attention, Block, FeedForward, Mlp};
use crate::ops::{Activation, Pairing, Scores};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "phi3",
    gguf: &["phi3"],
    hf: &["phi3"],
    defaults: &[
        ("hidden_size", 3072.0),
        ("intermediate_size", 8192.0),
        ("num_hidden_layers", 32.0),
        ("num_attention_heads", 32.0),
        ("max_position_embeddings", 4096.0),
        ("original_max_position_embeddings", 4096.0),
        ("rms_norm_eps", 1e-5),
    ],
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("attn.qkv", "blk.{i}.attn_qkv.weight", "model.layers.{i}.self_attn.qkv_proj.weight"),
    ("ffn.gate_up", "blk.{i}.ffn_up.weight", "model.layers.{i}.mlp.gate_up_proj.weight"),
    // LongRoPE's divisors; config.json has them in Hugging Face's files.
    ("rope_long", "rope_factors_long.weight", ""),
    ("rope_short", "rope_factors_short.weight", ""),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    hyper.activation_is("silu")?;
    Shape::read(hyper, NAMES, None)
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let hyper = loader.hyper("phi3");
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    let mut parts = Parts::new(loader, shape(&hyper)?, NAMES, NormStyle::Rms { epsilon, offset: 0.0 });
    let Shape { d_model, n_layers, n_heads, head_dim, d_ffn, .. } = parts.shape;
    let (q_dim, kv_dim) = (parts.shape.q_dim(), parts.shape.kv_dim());
    let scores = Scores { window: hyper.window()?, ..Scores::scaled(head_dim) };
    let rope = Some(parts.rope(Pairing::HalfSplit).await?);
    let embed = parts.embedding(1.0)?;
    let mut blocks = parts.blocks();
    for i in 0..n_layers {
        let attn_norm = Some(parts.norm("attn.norm", i)?);
        let fused = consecutive([q_dim, kv_dim, kv_dim]);
        let [q, k, v] = parts.loader.linear_parts("attn.qkv", i, [q_dim + 2 * kv_dim, d_model], fused)?;
        let o = parts.loader.linear("attn.o", i, [d_model, q_dim])?;
        let ffn_norm = Some(parts.norm("ffn.norm", i)?);
        let fused = consecutive([d_ffn, d_ffn]);
        let [gate, up] = parts.loader.linear_parts("ffn.gate_up", i, [2 * d_ffn, d_model], fused)?;
        let down = parts.loader.linear("ffn.down", i, [d_model, d_ffn])?;
        blocks.push(Block {
            attn_norm,
            attn: Attention { rope, scores, ..Attention::new([q, k, v, o], n_heads, head_dim) },
            attn_post_norm: None,
            ffn_norm,
            ffn: FeedForward::Dense(Mlp { gate: Some(gate), up, down, activation: Activation::Silu }),
            ffn_post_norm: None,
            parallel: false,
        });
    }
    Transformer::finish(&mut parts, embed, blocks)
}
