//! Qwen 3 (Yang et al. 2025, <https://arxiv.org/abs/2505.09388>): a llama whose queries and keys are normalised.

use super::qwen2::windows;
use super::{Architecture, Load, Transformer};
use crate::error::Result;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{Attention, Block, NormOver};
use crate::ops::{Activation, Pairing, Scores};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "qwen3",
    gguf: &["qwen3"],
    hf: &["qwen3"],
    defaults: &[
        ("hidden_size", 4096.0),
        ("intermediate_size", 22_016.0),
        ("num_hidden_layers", 32.0),
        ("num_attention_heads", 32.0),
        ("num_key_value_heads", 32.0),
        ("head_dim", 128.0),
        ("max_position_embeddings", 32_768.0),
        ("sliding_window", 4096.0),
        ("max_window_layers", 28.0),
        ("rms_norm_eps", 1e-6),
    ],
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

fn shape(hyper: &Hyper) -> Result<Shape> {
    hyper.activation_is("silu")?;
    Shape::read(hyper, &[], None)
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let hyper = loader.hyper("qwen3");
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    let mut parts = Parts::new(loader, shape(&hyper)?, &[], NormStyle::Rms { epsilon, offset: 0.0 });
    let Shape { n_layers, head_dim, .. } = parts.shape;
    let windows = windows(&hyper, n_layers)?;
    let rope = parts.rope(Pairing::HalfSplit).await?;
    let embed = parts.embedding(1.0)?;
    let mut blocks = parts.blocks();
    for (i, &window) in windows.iter().enumerate() {
        let scores = Scores { window, ..Scores::scaled(head_dim) };
        let qk_norm = Some(parts.qk_norm(i, NormOver::Head)?);
        blocks.push(Block {
            attn_norm: Some(parts.norm("attn.norm", i)?),
            attn: Attention { qk_norm, scores, ..parts.attention(i, Some(rope))? },
            attn_post_norm: None,
            ffn_norm: Some(parts.norm("ffn.norm", i)?),
            ffn: parts.gated_mlp(i, Activation::Silu)?,
            ffn_post_norm: None,
            parallel: false,
        });
    }
    Transformer::finish(&mut parts, embed, blocks)
}
