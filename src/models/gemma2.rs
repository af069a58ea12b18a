//! Gemma 2 (2024, <https://arxiv.org/abs/2408.00118>): norms before and behind each sublayer, soft caps, and every other
//! layer with a sliding window.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use super::gemma::{GELU, gemma_parts};
use crate::error::Result;
use crate::load::names::Name;
use crate::load::{Family, Hyper, Loader, Parts, Shape};
use crate::nn::{Block, Rope};
use crate::ops::Scores;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "gemma2",
        gguf: &["gemma2"],
        hf: &["gemma2"],
        tensors: NAMES,
        defaults: &[
            ("hidden_size", 2304.0),
            ("intermediate_size", 9216.0),
            ("num_hidden_layers", 26.0),
            ("num_attention_heads", 8.0),
            ("num_key_value_heads", 4.0),
            ("head_dim", 256.0),
            ("max_position_embeddings", 8192.0),
            ("rms_norm_eps", 1e-6),
            ("query_pre_attn_scalar", 256.0),
            ("sliding_window", 4096.0),
            ("attn_logit_softcapping", 50.0),
            ("final_logit_softcapping", 30.0),
        ],
        ..Family::PLAIN
    },
    shape: |hyper| {
        hyper.activation_among(&GELU)?;
        hyper.shape()
    },
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

/// Shared with Gemma 3. `blk.{i}.ffn_norm` is another norm here than in a llama.
pub const NAMES: &[Name] = &[
    ("attn.post_norm", "blk.{i}.post_attention_norm.weight", "model.layers.{i}.post_attention_layernorm.weight"),
    ("ffn.norm", "blk.{i}.ffn_norm.weight", "model.layers.{i}.pre_feedforward_layernorm.weight"),
    ("ffn.post_norm", "blk.{i}.post_ffw_norm.weight", "model.layers.{i}.post_feedforward_layernorm.weight"),
];

/// 1 / √ of what the file says. GGUF says nothing: there it is the head's size, but for the largest model (told by its
/// layers) the width divided by the heads.
pub fn attention_scale(hyper: &Hyper<'_>, shape: &Shape, layers_of_largest: usize) -> Result<f32> {
    let by_file = hyper.optional_number("", "query_pre_attn_scalar")?;
    let usual = match shape.n_layers == layers_of_largest && hyper.config().is_none() {
        true => shape.d_model / shape.n_heads.at(0),
        false => shape.head_dim,
    };
    Ok(1.0 / by_file.unwrap_or(usual as f64).sqrt() as f32)
}

/// A block with a norm behind each sublayer as well.
pub fn gemma_block(parts: &mut Parts, i: usize, rope: Rope, scores: Scores) -> Result<Block> {
    let mut block = parts.block(i, Some(rope))?;
    block.attn.scores = scores;
    block.attn_post_norm = Some(parts.norm("attn.post_norm", i)?);
    block.ffn_post_norm = Some(parts.norm("ffn.post_norm", i)?);
    Ok(block)
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let mut parts = gemma_parts(loader)?;
    let (hyper, is_gguf) = (parts.hyper, parts.is_gguf());
    // The first GGUF files left all three out.
    let usual = |value| is_gguf.then_some(value);
    let cap = |key, default| hyper.optional_number(key, key).map(|cap| cap.or(usual(default)).map(|cap| cap as f32));
    let soft_cap = cap("attn_logit_softcapping", 50.0)?;
    let logit_cap = cap("final_logit_softcapping", 30.0)?;
    let scale = attention_scale(&hyper, &parts.shape, 46)?;
    let window = hyper.optional_count("attention.sliding_window", "sliding_window")?;
    let window = window.or(is_gguf.then_some(4096)).map(|window| window as u32);
    let sliding = hyper.sliding_layers(parts.shape.n_layers, Some(2))?;

    let rope = parts.rope().await?;
    let embed = parts.embedding((parts.shape.d_model as f32).sqrt())?;
    let model = Transformer::build(&mut parts, embed, |parts, i| {
        let window = window.filter(|_| sliding[i]);
        gemma_block(parts, i, rope, Scores { scale, soft_cap, window, bias: None })
    })?;
    Ok(Transformer { logit_cap, ..model })
}
