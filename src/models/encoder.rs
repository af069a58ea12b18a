//! The bidirectional Transformer: what every encoder's file fills with its own parts.

use crate::device::{Pass, Tensor};
use crate::error::{Error, Result};
use crate::load::{Hyper, Shape};
use crate::nn::{Embedding, EncoderAttention, EncoderBlock, Linear, Norm};
use crate::ops::{Pooling, pool};
use crate::weights::Checkpoint;
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
/// `MODEL_UNSUPPORTED` for a way that this build does not know, or that GGUF has no number for where one is written.
pub fn pooling(hyper: &Hyper<'_>, usual: Pooling) -> Result<Pooling> {
    let found = match hyper.config() {
        Some(_) => of_modules(hyper.checkpoint, usual)?,
        // 0 is none, which is for a caller to choose.
        None => match hyper.metadata_u64("pooling_type")? {
            None | Some(0) => usual,
            Some(1) => Pooling::Mean,
            Some(2) => Pooling::Cls,
            Some(3) => Pooling::Last,
            Some(4) => return Err(Error::unsupported("a model that ranks (pooling type 4)")),
            Some(n) => return Err(Error::unsupported(format!("the pooling type {n}"))),
        },
    };
    let number = match found {
        Pooling::Mean => 1u32,
        Pooling::Cls => 2,
        Pooling::Last => 3,
        Pooling::Max | Pooling::MeanSqrt if !hyper.notes() => return Ok(found),
        Pooling::Max | Pooling::MeanSqrt => {
            return Err(Error::unsupported(format!("pooling by {} in GGUF", found.name())));
        }
    };
    hyper.note("pooling_type", number);
    Ok(found)
}

/// The pooling of sentence-transformers' modules: a Transformer, one pooling, and perhaps a division by the length, which is
/// the caller's choice here.
fn of_modules(checkpoint: &Checkpoint, usual: Pooling) -> Result<Pooling> {
    for (i, module) in checkpoint.modules().unwrap_or_default().iter().enumerate() {
        let kind = module["type"].as_str().and_then(|path| path.rsplit('.').next()).unwrap_or("without a type");
        let path = module["path"].as_str().unwrap_or_default().trim_end_matches('/');
        match (i, kind, path) {
            (0, "Transformer", _) | (1, "Pooling", "1_Pooling") | (2, "Normalize", _) => {}
            _ => return Err(Error::unsupported(format!("the sentence-transformers module {kind} at place {}", i + 1))),
        }
    }
    let Some(config) = checkpoint.pooling() else { return Ok(usual) };
    // Since version 5.2 one name; before it a switch for each.
    let named = config["pooling_mode"].as_str();
    let chosen: Vec<&str> = match named {
        Some(name) => vec![name],
        None => {
            let on = config.as_object().into_iter().flatten().filter(|(_, on)| **on == Value::Bool(true));
            on.filter_map(|(key, _)| key.strip_prefix("pooling_mode_")).collect()
        }
    };
    match chosen.iter().map(|name| name.trim_end_matches("_tokens").trim_end_matches("_token")).collect::<Vec<_>>()[..]
    {
        ["mean"] => Ok(Pooling::Mean),
        ["cls"] => Ok(Pooling::Cls),
        ["lasttoken"] => Ok(Pooling::Last),
        ["max"] => Ok(Pooling::Max),
        ["mean_sqrt_len"] => Ok(Pooling::MeanSqrt),
        [] => Err(Error::unsupported("a sentence-transformers model without any pooling")),
        _ => Err(Error::unsupported(format!("pooling by {}", chosen.join(" and ")))),
    }
}

/// Attention of every row to every other, without rotary positions or a window.
pub fn encoder_attention([q, k, v, o]: [Linear; 4], shape: &Shape, layer: usize) -> EncoderAttention {
    let (n_heads, head_dim) = (shape.n_heads.at(layer), shape.head_dim);
    let scale = 1.0 / (head_dim as f32).sqrt();
    EncoderAttention { q, k, v, o, n_heads, rope: None, scale, window: None, bias: None }
}
