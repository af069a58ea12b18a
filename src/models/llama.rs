//! Llama (Touvron et al. 2023, <https://arxiv.org/abs/2302.13971>): RMSNorm, rotary positions, grouped-query
//! attention, SwiGLU. Also SmolLM 2, TinyLlama and whatever else converts to it.

use super::{Architecture, Load, Transformer};
use crate::error::{Error, Result};
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{Attention, Block};
use crate::ops::{Activation, Scores};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "llama",
    gguf: &["llama"],
    hf: &["llama"],
    defaults: &[
        ("hidden_size", 4096.0),
        ("intermediate_size", 11_008.0),
        ("num_hidden_layers", 32.0),
        ("num_attention_heads", 32.0),
        ("max_position_embeddings", 2048.0),
        ("rms_norm_eps", 1e-6),
    ],
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

fn shape(hyper: &Hyper) -> Result<Shape> {
    if hyper.optional_count("expert_count", "num_local_experts")?.is_some_and(|n| n > 1) {
        return Err(Error::unsupported("a mixture of experts in a llama model"));
    }
    hyper.activation_is("silu")?;
    Shape::read(hyper, &[], None)
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let hyper = loader.hyper("llama");
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    let mut parts = Parts::new(loader, shape(&hyper)?, &[], NormStyle::Rms { epsilon, offset: 0.0 });
    // Mistral's, where a GGUF file keeps it; config.json says mistral then.
    let window = if parts.loader.is_gguf() { hyper.window()? } else { None };
    let scores = Scores { window, ..Scores::scaled(parts.shape.head_dim) };
    let pairing = parts.permuted_pairing();
    let rope = parts.rope(pairing).await?;
    let embed = parts.embedding(1.0)?;
    let mut blocks = parts.blocks();
    for i in 0..parts.shape.n_layers {
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
