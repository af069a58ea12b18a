//! Qwen 2 and 2.5 (Yang et al. 2024, <https://arxiv.org/abs/2407.10671>): a llama whose queries, keys and values have
//! biases. Also what is distilled into them.

use super::{Architecture, Load, Transformer};
use crate::error::Result;
use crate::load::names::Name;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{Attention, Block};
use crate::ops::{Activation, Pairing, Scores};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "qwen2",
    gguf: &["qwen2"],
    hf: &["qwen2"],
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
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("attn.q.bias", "blk.{i}.attn_q.bias", "model.layers.{i}.self_attn.q_proj.bias"),
    ("attn.k.bias", "blk.{i}.attn_k.bias", "model.layers.{i}.self_attn.k_proj.bias"),
    ("attn.v.bias", "blk.{i}.attn_v.bias", "model.layers.{i}.self_attn.v_proj.bias"),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    hyper.activation_is("silu")?;
    Shape::read(hyper, NAMES, None)
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let hyper = loader.hyper("qwen2");
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    let mut parts = Parts::new(loader, shape(&hyper)?, NAMES, NormStyle::Rms { epsilon, offset: 0.0 });
    let Shape { n_layers, head_dim, .. } = parts.shape;
    let windows = windows(&hyper, n_layers)?;
    let rope = parts.rope(Pairing::HalfSplit).await?;
    let embed = parts.embedding(1.0)?;
    let mut blocks = parts.blocks();
    for (i, &window) in windows.iter().enumerate() {
        let scores = Scores { window, ..Scores::scaled(head_dim) };
        blocks.push(Block {
            attn_norm: Some(parts.norm("attn.norm", i)?),
            attn: Attention { scores, ..parts.attention(i, Some(rope))? },
            attn_post_norm: None,
            ffn_norm: Some(parts.norm("ffn.norm", i)?),
            ffn: parts.gated_mlp(i, Activation::Silu)?,
            ffn_post_norm: None,
            parallel: false,
        });
    }
    Transformer::finish(&mut parts, embed, blocks)
}

/// Each layer's window: where there is one, from the layer `max_window_layers` on.
pub(super) fn windows(hyper: &Hyper, n_layers: usize) -> Result<Vec<Option<u32>>> {
    let first = hyper.optional_integer("", "max_window_layers", 0)?.unwrap_or(n_layers);
    hyper.switched_windows(n_layers, |i| i >= first)
}
