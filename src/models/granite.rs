//! Granite 3 (IBM 2024): a llama with four multipliers, on embeddings, scores, what sublayers add, and logits.

use super::{Architecture, Load, Transformer};
use crate::error::Result;
use crate::load::{Hyper, Loader, Shape};
use crate::load::{NormStyle, Parts};
use crate::nn::{Attention, Block, FeedForward, Mlp};
use crate::ops::{Activation, Scores};

pub static ARCHITECTURE: Architecture = Architecture {
    name: "granite",
    gguf: &["granite"],
    hf: &["granite"],
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
    hyper.activation_is("silu")?;
    Shape::read(hyper, &[], None)
}

async fn load(loader: &mut Loader<'_>) -> Result<Transformer> {
    let hyper = loader.hyper("granite");
    let epsilon = hyper.number("attention.layer_norm_rms_epsilon", "rms_norm_eps")? as f32;
    let mut parts = Parts::new(loader, shape(&hyper)?, &[], NormStyle::Rms { epsilon, offset: 0.0 });
    let Shape { n_layers, head_dim, .. } = parts.shape;
    let multiplier = |gguf, hf| hyper.optional_number(gguf, hf).map(|x| x.map(|x| x as f32));
    let embedding = multiplier("embedding_scale", "embedding_multiplier")?.unwrap_or(1.0);
    let residual = multiplier("residual_scale", "residual_multiplier")?.unwrap_or(1.0);
    let logits = multiplier("logit_scale", "logits_scaling")?.unwrap_or(1.0);
    let scores = match multiplier("attention.scale", "attention_multiplier")? {
        Some(scale) => Scores { scale, ..Scores::scaled(head_dim) },
        // Left out of config.json, it is 1; out of GGUF, what it is elsewhere.
        None if hyper.config().is_some() => Scores { scale: 1.0, ..Scores::scaled(head_dim) },
        None => Scores::scaled(head_dim),
    };

    let pairing = parts.permuted_pairing();
    let rope = parts.rope(pairing).await?;
    let embed = parts.embedding(embedding)?;
    let mut blocks = parts.blocks();
    for i in 0..n_layers {
        let attn_norm = Some(parts.norm("attn.norm", i)?);
        let attn = parts.attention(i, Some(rope))?;
        let ffn_norm = Some(parts.norm("ffn.norm", i)?);
        let mlp = parts.gated(i, Activation::Silu)?;
        blocks.push(Block {
            attn_norm,
            attn: Attention { scores, o: attn.o.scaled(residual), ..attn },
            attn_post_norm: None,
            ffn_norm,
            ffn: FeedForward::Dense(Mlp { down: mlp.down.scaled(residual), ..mlp }),
            ffn_post_norm: None,
            parallel: false,
        });
    }
    let model = Transformer::finish(&mut parts, embed, blocks)?;
    Ok(Transformer { lm_head: model.lm_head.scaled(1.0 / logits), ..model })
}
