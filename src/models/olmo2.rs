//! OLMo 2 (2025, <https://arxiv.org/abs/2501.00656>): norms behind the sublayers instead of before them, and over all
//! heads of queries and keys together. OLMo 3 has a sliding window in three of four layers; only the fourth's rotary
//! positions are stretched. In GGUF it is called olmo2.

use super::{Architecture, Load, Transformer};
use crate::error::Result;
use crate::load::names::Name;
use crate::load::rope::RopeSpec;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{Attention, Block, NormOver};
use crate::ops::{Activation, Pairing, Scores};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "olmo2",
    gguf: &["olmo2"],
    hf: &["olmo2"],
    defaults: &[
        ("hidden_size", 4096.0),
        ("intermediate_size", 11_008.0),
        ("num_hidden_layers", 32.0),
        ("num_attention_heads", 32.0),
        ("max_position_embeddings", 2048.0),
        ("rms_norm_eps", 1e-5),
    ],
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader, "olmo2"))),
};

pub static OLMO3: Architecture = Architecture {
    name: "olmo3",
    gguf: &["olmo2"],
    hf: &["olmo3"],
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
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader, "olmo3"))),
};

const NAMES: &[Name] = &[
    ("attn.post_norm", "blk.{i}.post_attention_norm.weight", "model.layers.{i}.post_attention_layernorm.weight"),
    ("ffn.post_norm", "blk.{i}.post_ffw_norm.weight", "model.layers.{i}.post_feedforward_layernorm.weight"),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    hyper.activation_is("silu")?;
    Shape::read(hyper, NAMES, None)
}

async fn load(loader: &mut Loader<'_>, name: &'static str) -> Result<Transformer> {
    let hyper = loader.hyper(name);
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    let mut parts = Parts::new(loader, shape(&hyper)?, NAMES, NormStyle::Rms { epsilon, offset: 0.0 });
    let Shape { n_layers, head_dim, .. } = parts.shape;
    let windows = windows(&hyper, n_layers)?;
    let stretched = RopeSpec::read(&hyper, parts.loader, head_dim, Some("full_attention")).await?;
    let global = parts.rope_table(&stretched, Pairing::HalfSplit)?;
    let local = match windows.iter().any(Option::is_some) {
        true => parts.rope_table(&RopeSpec { scaling: None, ..stretched }, Pairing::HalfSplit)?,
        false => global,
    };
    let embed = parts.embedding(1.0)?;
    let mut blocks = parts.blocks();
    for (i, &window) in windows.iter().enumerate() {
        let rope = if window.is_some() { local } else { global };
        let scores = Scores { window, ..Scores::scaled(head_dim) };
        let qk_norm = Some(parts.qk_norm(i, NormOver::Row)?);
        blocks.push(Block {
            attn_norm: None,
            attn: Attention { qk_norm, scores, ..parts.attention(i, Some(rope))? },
            attn_post_norm: Some(parts.norm("attn.post_norm", i)?),
            ffn_norm: None,
            ffn: parts.gated_mlp(i, Activation::Silu)?,
            ffn_post_norm: Some(parts.norm("ffn.post_norm", i)?),
            parallel: false,
        });
    }
    Transformer::finish(&mut parts, embed, blocks)
}

/// Each layer's window, which OLMo 2 has none of.
fn windows(hyper: &Hyper<'_>, n_layers: usize) -> Result<Vec<Option<u32>>> {
    if hyper.config().is_some() && hyper.architecture == "olmo2" {
        return Ok(vec![None; n_layers]);
    }
    let window = hyper.window()?;
    let slides = hyper.sliding_layers(n_layers, Some(4))?;
    Ok(slides.into_iter().map(|slides| window.filter(|_| slides)).collect())
}
