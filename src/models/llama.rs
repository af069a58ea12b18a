//! Llama (Touvron et al. 2023, <https://arxiv.org/abs/2302.13971>): RMSNorm, rotary positions, grouped-query
//! attention, SwiGLU. Also SmolLM 2, TinyLlama and whatever else converts to it.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::{Error, Result};
use crate::load::rows::RowOrder;
use crate::load::{Family, Hyper, Loader, Parts, Shape};

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "llama",
        gguf: &["llama"],
        hf: &["llama"],
        row_order: RowOrder::InterleavedHalves,
        defaults: &[
            ("hidden_size", 4096.0),
            ("intermediate_size", 11_008.0),
            ("num_hidden_layers", 32.0),
            ("num_attention_heads", 32.0),
            ("max_position_embeddings", 2048.0),
            ("rms_norm_eps", 1e-6),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

/// The sizes of a llama, whatever it is called.
///
/// # Errors
/// Those of [`Hyper::shape`], and `MODEL_UNSUPPORTED` for a mixture of experts.
pub fn shape(hyper: &Hyper) -> Result<Shape> {
    if hyper.optional_integer("expert_count", "num_local_experts", 0)?.is_some_and(|n| n > 1) {
        return Err(Error::unsupported("a mixture of experts in a llama model"));
    }
    hyper.activation_is("silu")?;
    hyper.shape()
}

/// Its layers.
///
/// # Errors
/// Those of [`Parts`].
pub async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let mut parts = Parts::rms_silu(loader)?;
    // Mistral's, where a GGUF file keeps it; config.json says mistral then.
    let window = if parts.is_gguf() { parts.hyper.window()? } else { None };
    let rope = Some(parts.rope().await?);
    let embed = parts.embedding(1.0)?;
    Transformer::build(&mut parts, embed, |parts, i| {
        let mut block = parts.block(i, rope)?;
        block.attn.scores.window = window;
        Ok(block)
    })
}
