//! StableLM and StableLM 2 (Bellagente et al. 2024, <https://arxiv.org/abs/2402.17834>): LayerNorm, rotary positions on a
//! part of each head, SwiGLU; biases, norms of each head and side-by-side sublayers in some sizes.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::Result;
use crate::load::names::Name;
use crate::load::{Family, Loader, NormStyle, Parts};
use crate::nn::{Attention, Block, NormOver};
use crate::ops::Activation;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "stablelm",
        gguf: &["stablelm"],
        hf: &["stablelm"],
        tensors: NAMES,
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
        ..Family::PLAIN
    },
    shape: |hyper| {
        hyper.activation_is("silu")?;
        hyper.shape()
    },
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("norm.bias", "output_norm.bias", "model.norm.bias"),
    ("attn.norm.bias", "blk.{i}.attn_norm.bias", "model.layers.{i}.input_layernorm.bias"),
    ("ffn.norm.bias", "blk.{i}.ffn_norm.bias", "model.layers.{i}.post_attention_layernorm.bias"),
    ("attn.q_norm", "blk.{i}.attn_q_norm.weight", "model.layers.{i}.self_attn.q_layernorm.norms.{j}.weight"),
    ("attn.k_norm", "blk.{i}.attn_k_norm.weight", "model.layers.{i}.self_attn.k_layernorm.norms.{j}.weight"),
];

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let epsilon = loader.hyper.number("attention.layer_norm_epsilon", "layer_norm_eps")? as f32;
    let mut parts = Parts::new(loader, NormStyle::Layer { epsilon }, Activation::Silu);
    let hyper = parts.hyper;
    let normed = match hyper.config().is_some() {
        true => hyper.flag("", "qk_layernorm")?.unwrap_or(false),
        false => parts.loader.tensors.has("attn.q_norm", 0),
    };
    // GGUF's flag is no help: converters write `true` wherever config.json leaves it out. The norm is absent or not.
    let parallel = match hyper.config().is_some() {
        true => hyper.flag("", "use_parallel_residual")?.unwrap_or(false),
        false => !parts.loader.tensors.has("ffn.norm", 0),
    };
    let rope = Some(parts.rope().await?);
    let embed = parts.embedding(1.0)?;
    Transformer::build(&mut parts, embed, |parts, i| {
        let qk_norm = if normed { Some(parts.qk_norm(i, NormOver::OwnHead)?) } else { None };
        Ok(Block {
            attn_norm: Some(parts.norm("attn.norm", i)?),
            attn: Attention { qk_norm, ..parts.attention(i, rope)? },
            attn_post_norm: None,
            attn_out_norm: None,
            cross: None,
            // Side by side, the sublayers share a norm.
            ffn_norm: if parallel { None } else { Some(parts.norm("ffn.norm", i)?) },
            ffn: parts.gated_mlp(i)?,
            ffn_post_norm: None,
            ffn_out_norm: None,
            parallel,
        })
    })
}
