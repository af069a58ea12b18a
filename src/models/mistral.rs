//! Mistral (Jiang et al. 2023, <https://arxiv.org/abs/2310.06825>): a llama whose layers see a sliding window in the
//! first releases. In GGUF it is called llama.

use super::{Architecture, Load, Transformer};
use crate::error::Result;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{Attention, Block};
use crate::ops::{Activation, Scores};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "mistral",
    gguf: &["llama"],
    hf: &["mistral"],
    defaults: &[
        ("hidden_size", 4096.0),
        ("intermediate_size", 14_336.0),
        ("num_hidden_layers", 32.0),
        ("num_attention_heads", 32.0),
        ("num_key_value_heads", 8.0),
        ("max_position_embeddings", 131_072.0),
        ("sliding_window", 4096.0),
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
    let hyper = loader.hyper("mistral");
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    let mut parts = Parts::new(loader, shape(&hyper)?, &[], NormStyle::Rms { epsilon, offset: 0.0 });
    let Shape { n_layers, head_dim, .. } = parts.shape;
    let scores = Scores { window: hyper.window()?, ..Scores::scaled(head_dim) };
    let pairing = parts.permuted_pairing();
    let rope = parts.rope(pairing).await?;
    let embed = parts.embedding(1.0)?;
    let mut blocks = parts.blocks();
    for i in 0..n_layers {
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
