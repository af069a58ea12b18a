//! The bidirectional Transformer: what every encoder's file fills with its own parts.

use crate::device::{Pass, Tensor};
use crate::error::{Error, Result};
use crate::load::{Hyper, Shape};
use crate::nn::{Embedding, EncoderAttention, EncoderBlock, Linear, Norm};
use crate::ops::{Pooling, pool};
use serde_json::Value;

/// An encoder whose weights are on the device.
pub struct Encoder {
    /// Its sizes.
    pub shape: Shape,
    /// Ids → [T, D].
    pub embed: Embedding,
    /// After the embedding.
    pub embed_norm: Norm,
    /// [T, D] → [T, D], one after the other.
    pub blocks: Vec<EncoderBlock>,
    /// After the last block, where blocks begin with their norms.
    pub norm: Option<Norm>,
    /// How the file says that sequences become vectors.
    pub pooling: Pooling,
}

impl Encoder {
    /// Records the way from the pass's rows, whole sequences, to a vector [S, D] for each.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where there is no room for activations.
    pub fn forward(&self, pass: &mut Pass, pooling: Pooling, normalize: bool, vectors: &Tensor) -> Result<()> {
        let x = self.embed.forward(pass)?; // [T, D]
        let mut x = self.embed_norm.forward(pass, &x)?; // [T, D]
        for block in &self.blocks {
            x = block.forward(pass, x)?; // [T, D]
        }
        if let Some(norm) = &self.norm {
            x = norm.forward(pass, &x)?; // [T, D]
        }
        pool(pass, &x, pooling, normalize, vectors); // [S, D]
        Ok(())
    }
}

/// How the file pools: GGUF's metadata, or sentence-transformers' `1_Pooling/config.json`; else `usual`.
///
/// # Errors
/// `MODEL_UNSUPPORTED` for a way that this build does not know.
pub fn pooling(hyper: &Hyper<'_>, usual: Pooling) -> Result<Pooling> {
    let found = find_pooling(hyper, usual)?;
    // llama.cpp's numbers.
    let number = match found {
        Pooling::Mean => 1u32,
        Pooling::Cls => 2,
        Pooling::Last => 3,
    };
    hyper.note("pooling_type", number);
    Ok(found)
}

fn find_pooling(hyper: &Hyper<'_>, usual: Pooling) -> Result<Pooling> {
    if hyper.config().is_none() {
        // 0 is none, which is for a caller to choose.
        return match hyper.metadata_u64("pooling_type")? {
            None | Some(0) => Ok(usual),
            Some(1) => Ok(Pooling::Mean),
            Some(2) => Ok(Pooling::Cls),
            Some(3) => Ok(Pooling::Last),
            Some(4) => Err(Error::unsupported("a model that ranks (pooling type 4)")),
            Some(n) => Err(Error::unsupported(format!("the pooling type {n}"))),
        };
    }
    let Some(config) = hyper.checkpoint.pooling() else { return Ok(usual) };
    let on = |key: &str| config[key] == Value::Bool(true);
    match (on("pooling_mode_mean_tokens"), on("pooling_mode_cls_token"), on("pooling_mode_lasttoken")) {
        (true, false, false) => Ok(Pooling::Mean),
        (false, true, false) => Ok(Pooling::Cls),
        (false, false, true) => Ok(Pooling::Last),
        _ => Err(Error::unsupported("a pooling other than the mean, the first or the last token")),
    }
}

/// Attention of every row to every other, without rotary positions or a window.
pub fn encoder_attention([q, k, v, o]: [Linear; 4], shape: &Shape) -> EncoderAttention {
    let Shape { n_heads, head_dim, .. } = *shape;
    EncoderAttention { q, k, v, o, n_heads, rope: None, scale: 1.0 / (head_dim as f32).sqrt(), window: None }
}
