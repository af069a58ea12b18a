//! StableLM and StableLM 2 (Bellagente et al. 2024, <https://arxiv.org/abs/2402.17834>): LayerNorm, rotary positions on a
//! part of each head, SwiGLU; biases, norms of each head and side-by-side sublayers in some sizes.

use super::{Architecture, Load, Transformer};
use crate::error::Result;
use crate::load::names::Name;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{Attention, Block, NormOver};
use crate::ops::{Activation, Pairing};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "stablelm",
    gguf: &["stablelm"],
    hf: &["stablelm"],
    defaults: &[
        ("hidden_size", 2560.0),
        ("intermediate_size", 6912.0),
        ("num_hidden_layers", 32.0),
        ("num_attention_heads", 32.0),
        ("num_key_value_heads", 32.0),
        ("max_position_embeddings", 4096.0),
        ("layer_norm_eps", 1e-5),
        ("partial_rotary_factor", 0.25),
    ],
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("norm.bias", "output_norm.bias", "model.norm.bias"),
    ("attn.norm.bias", "blk.{i}.attn_norm.bias", "model.layers.{i}.input_layernorm.bias"),
    ("ffn.norm.bias", "blk.{i}.ffn_norm.bias", "model.layers.{i}.post_attention_layernorm.bias"),
    ("attn.q_norm", "blk.{i}.attn_q_norm.weight", "model.layers.{i}.self_attn.q_layernorm.norms.{j}.weight"),
    ("attn.k_norm", "blk.{i}.attn_k_norm.weight", "model.layers.{i}.self_attn.k_layernorm.norms.{j}.weight"),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    hyper.activation_is("silu")?;
    Shape::read(hyper, NAMES, None)
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let hyper = loader.hyper("stablelm");
    let epsilon = hyper.number("attention.layer_norm_epsilon", "layer_norm_eps")? as f32;
    let mut parts = Parts::new(loader, shape(&hyper)?, NAMES, NormStyle::Layer { epsilon });
    let normed = match hyper.config().is_some() {
        true => hyper.flag("", "qk_layernorm")?.unwrap_or(false),
        false => parts.loader.has("attn.q_norm", 0),
    };
    // GGUF's flag is no help: converters write `true` wherever config.json leaves it out. The norm is absent or not.
    let parallel = match hyper.config().is_some() {
        true => hyper.flag("", "use_parallel_residual")?.unwrap_or(false),
        false => !parts.loader.has("ffn.norm", 0),
    };
    let rope = parts.rope(Pairing::HalfSplit).await?;
    let embed = parts.embedding(1.0)?;
    let mut blocks = parts.blocks();
    for i in 0..parts.shape.n_layers {
        let qk_norm = if normed { Some(parts.qk_norm(i, NormOver::OwnHead)?) } else { None };
        blocks.push(Block {
            attn_norm: Some(parts.norm("attn.norm", i)?),
            attn: Attention { qk_norm, ..parts.attention(i, Some(rope))? },
            attn_post_norm: None,
            // Side by side, the sublayers share a norm.
            ffn_norm: if parallel { None } else { Some(parts.norm("ffn.norm", i)?) },
            ffn: parts.gated_mlp(i, Activation::Silu)?,
            ffn_post_norm: None,
            parallel,
        });
    }
    Transformer::finish(&mut parts, embed, blocks)
}
