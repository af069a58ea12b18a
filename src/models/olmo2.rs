//! OLMo 2 (2025, <https://arxiv.org/abs/2501.00656>): norms behind the sublayers instead of before them, and over all
//! heads of queries and keys together.

use super::loader::Name;
use super::parts::{NormStyle, Parts};
use super::{Architecture, Decoder, Hyper, Load, Loader, Shape};
use crate::error::Result;
use crate::nn::{Attention, Block, NormOver};
use crate::ops::{Activation, Pairing};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "olmo2",
    gguf: &["olmo2"],
    hf: &["olmo2"],
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("attn.post_norm", "blk.{i}.post_attention_norm.weight", "model.layers.{i}.post_attention_layernorm.weight"),
    ("ffn.post_norm", "blk.{i}.post_ffw_norm.weight", "model.layers.{i}.post_feedforward_layernorm.weight"),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    hyper.activation_is("silu")?;
    Shape::read(hyper, None)
}

async fn load(loader: &mut Loader<'_>) -> Result<Box<dyn Decoder>> {
    let hyper = loader.hyper("olmo2");
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    let mut parts = Parts::new(loader, shape(&hyper)?, NAMES, NormStyle::Rms { epsilon, offset: 0.0 });
    let rope = parts.rope(Pairing::HalfSplit).await?;
    let embed = parts.embedding(1.0).await?;
    let mut blocks = parts.blocks();
    for i in 0..parts.shape.n_layers {
        let qk_norm = Some(parts.qk_norm(i, NormOver::Row).await?);
        blocks.push(Block {
            attn_norm: None,
            attn: Attention { qk_norm, ..parts.attention(i, Some(rope)).await? },
            attn_post_norm: Some(parts.norm("attn.post_norm", i).await?),
            ffn_norm: None,
            ffn: parts.gated_mlp(i, Activation::Silu).await?,
            ffn_post_norm: Some(parts.norm("ffn.post_norm", i).await?),
            parallel: false,
        });
    }
    Ok(Box::new(parts.finish(embed, blocks).await?))
}
