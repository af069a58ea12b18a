//! OLMo 2 (2025, <https://arxiv.org/abs/2501.00656>): norms behind the sublayers instead of before them, and over all
//! heads of queries and keys together. OLMo 3 has a sliding window in three of four layers; only the fourth's rotary
//! positions are stretched. In GGUF it is called olmo2.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::Result;
use crate::load::names::Name;
use crate::load::rope::RopeSpec;
use crate::load::{Family, Hyper, Loader, Parts};
use crate::nn::{Attention, Block, NormOver};
use crate::ops::Scores;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "olmo2",
        gguf: &["olmo2"],
        hf: &["olmo2"],
        tensors: NAMES,
        defaults: &[
            ("hidden_size", 4096.0),
            ("intermediate_size", 11_008.0),
            ("num_hidden_layers", 32.0),
            ("num_attention_heads", 32.0),
            ("max_position_embeddings", 2048.0),
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

pub static OLMO3: Architecture = Architecture {
    family: Family {
        name: "olmo3",
        gguf: &["olmo2"],
        hf: &["olmo3"],
        tensors: NAMES,
        defaults: &[
            ("hidden_size", 4096.0),
            ("intermediate_size", 11_008.0),
            ("num_hidden_layers", 32.0),
            ("num_attention_heads", 32.0),
            ("max_position_embeddings", 2048.0),
            ("sliding_window", 4096.0),
            ("rms_norm_eps", 1e-5),
            ("rope_theta", 500_000.0),
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
    ("attn.post_norm", "blk.{i}.post_attention_norm.weight", "model.layers.{i}.post_attention_layernorm.weight"),
    ("ffn.post_norm", "blk.{i}.post_ffw_norm.weight", "model.layers.{i}.post_feedforward_layernorm.weight"),
];

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let mut parts = Parts::rms_silu(loader)?;
    let windows = windows(&parts.hyper, parts.shape.n_layers)?;
    let stretched = parts.rope_spec(Some("full_attention")).await?;
    let global = parts.loader.rope(&stretched)?;
    let local = match windows.iter().any(Option::is_some) {
        true => parts.loader.rope(&RopeSpec { scaling: None, ..stretched })?,
        false => global,
    };
    let embed = parts.embedding(1.0)?;
    Transformer::build(&mut parts, embed, |parts, i| {
        let window = windows[i];
        let rope = if window.is_some() { local } else { global };
        let scores = Scores { window, ..Scores::scaled(parts.shape.head_dim) };
        let qk_norm = Some(parts.qk_norm(i, NormOver::Row)?);
        Ok(Block {
            attn_norm: None,
            attn: Attention { qk_norm, scores, ..parts.attention(i, Some(rope))? },
            attn_post_norm: Some(parts.norm("attn.post_norm", i)?),
            attn_out_norm: None,
            cross: None,
            ffn_norm: None,
            ffn: parts.gated_mlp(i)?,
            ffn_post_norm: Some(parts.norm("ffn.post_norm", i)?),
            ffn_out_norm: None,
            parallel: false,
        })
    })
}

/// Each layer's window, which OLMo 2 has none of.
fn windows(hyper: &Hyper<'_>, n_layers: usize) -> Result<Vec<Option<u32>>> {
    if hyper.config().is_some() && hyper.family.name == "olmo2" {
        return Ok(vec![None; n_layers]);
    }
    let window = hyper.window()?;
    let slides = hyper.sliding_layers(n_layers, Some(4))?;
    Ok(slides.into_iter().map(|slides| window.filter(|_| slides)).collect())
}
