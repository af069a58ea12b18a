//! Mistral (Jiang et al. 2023, <https://arxiv.org/abs/2310.06825>): a llama whose layers see a sliding window in the
//! first releases. In GGUF it is called llama.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::Result;
use crate::load::rows::RowOrder;
use crate::load::{Family, Loader, Parts};

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "mistral",
        gguf: &["llama"],
        hf: &["mistral"],
        row_order: RowOrder::InterleavedHalves,
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
        ..Family::PLAIN
    },
    shape: |hyper| {
        hyper.activation_is("silu")?;
        hyper.shape()
    },
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let mut parts = Parts::rms_silu(loader)?;
    let window = parts.hyper.window()?;
    let rope = Some(parts.rope().await?);
    let embed = parts.embedding(1.0)?;
    Transformer::build(&mut parts, embed, |parts, i| {
        let mut block = parts.block(i, rope)?;
        block.attn.scores.window = window;
        Ok(block)
    })
}
