//! Granite 3 (IBM 2024): a llama with four multipliers, on embeddings, scores, what sublayers add, and logits.

use super::architecture::{Architecture, Load};
use super::decoder::Transformer;
use crate::error::Result;
use crate::load::rows::RowOrder;
use crate::load::{Family, Loader, Parts};
use crate::nn::FeedForward;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "granite",
        gguf: &["granite"],
        hf: &["granite"],
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
    shape: |hyper| {
        hyper.activation_is("silu")?;
        hyper.shape()
    },
    load: Load::Decoder(|loader| Box::pin(load(loader))),
};

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let mut parts = Parts::rms_silu(loader)?;
    let hyper = parts.hyper;
    let multiplier = |gguf, hf| hyper.optional_number(gguf, hf).map(|x| x.map(|x| x as f32));
    let embedding = multiplier("embedding_scale", "embedding_multiplier")?.unwrap_or(1.0);
    let residual = multiplier("residual_scale", "residual_multiplier")?.unwrap_or(1.0);
    let logits = multiplier("logit_scale", "logits_scaling")?.unwrap_or(1.0);
    // Left out of config.json, it is 1; out of GGUF, what it is elsewhere.
    let usual = hyper.config().is_some().then_some(1.0);
    let scale = multiplier("attention.scale", "attention_multiplier")?.or(usual);

    let rope = Some(parts.rope().await?);
    let embed = parts.embedding(embedding)?;
    let model = Transformer::build(&mut parts, embed, |parts, i| {
        let mut block = parts.block(i, rope)?;
        block.attn.scores.scale = scale.unwrap_or(block.attn.scores.scale);
        block.attn.o.scale = residual;
        if let FeedForward::Dense(mlp) = &mut block.ffn {
            mlp.down.scale = residual;
        }
        Ok(block)
    })?;
    Ok(Transformer { lm_head: model.lm_head.scaled(1.0 / logits), ..model })
}
