//! SmolLM 3 (Hugging Face 2025): a llama of which every fourth layer has no positions (NoPE: Kazemnejad et al. 2023,
//! <https://arxiv.org/abs/2305.19466>; Yang et al. 2025, <https://arxiv.org/abs/2501.18795>).

use super::{Architecture, Load, Transformer};
use crate::error::Result;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{Attention, Block};
use crate::ops::{Activation, Scores};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "smollm3",
    gguf: &["smollm3"],
    hf: &["smollm3"],
    defaults: &[
        ("hidden_size", 2048.0),
        ("intermediate_size", 11_008.0),
        ("num_hidden_layers", 36.0),
        ("num_attention_heads", 16.0),
        ("num_key_value_heads", 4.0),
        ("max_position_embeddings", 32_768.0),
        ("rms_norm_eps", 1e-6),
        ("rope_theta", 2e6),
    ],
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

fn shape(hyper: &Hyper) -> Result<Shape> {
    hyper.activation_is("silu")?;
    Shape::read(hyper, &[], None)
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let hyper = loader.hyper("smollm3");
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    let mut parts = Parts::new(loader, shape(&hyper)?, &[], NormStyle::Rms { epsilon, offset: 0.0 });
    let Shape { n_layers, head_dim, .. } = parts.shape;
    let turning = turning(&hyper, n_layers)?;
    let windows = hyper.switched_windows(n_layers, |i| !turning[i])?;
    let pairing = parts.permuted_pairing();
    let rope = parts.rope(pairing).await?;
    let embed = parts.embedding(1.0)?;
    let mut blocks = parts.blocks();
    for i in 0..n_layers {
        let scores = Scores { window: windows[i], ..Scores::scaled(head_dim) };
        blocks.push(Block {
            attn_norm: Some(parts.norm("attn.norm", i)?),
            attn: Attention { scores, ..parts.attention(i, turning[i].then_some(rope))? },
            attn_post_norm: None,
            ffn_norm: Some(parts.norm("ffn.norm", i)?),
            ffn: parts.gated_mlp(i, Activation::Silu)?,
            ffn_post_norm: None,
            parallel: false,
        });
    }
    Transformer::finish(&mut parts, embed, blocks)
}

/// Which layers turn queries and keys: those that config.json's `no_rope_layers` gives a 1, or all but every fourth.
fn turning(hyper: &Hyper, n_layers: usize) -> Result<Vec<bool>> {
    if let Some(list) = hyper.config().and_then(|config| config["no_rope_layers"].as_array()) {
        let turning: Vec<bool> = list.iter().take(n_layers).filter_map(|x| x.as_u64().map(|x| x != 0)).collect();
        let wrong = || hyper.wrong("no_rope_layers", "must have a 0 or a 1 for each layer");
        return Some(turning).filter(|turning| turning.len() == n_layers).ok_or_else(wrong);
    }
    let interval = hyper.optional_count("", "no_rope_layer_interval")?.unwrap_or(4);
    Ok((0..n_layers).map(|i| !(i + 1).is_multiple_of(interval)).collect())
}
