//! The decoder-only Transformer: what every architecture's file fills with its own parts.

use crate::device::{BufferId, Pass, Tensor};
use crate::error::Result;
use crate::load::{Parts, Shape};
use crate::nn::{Block, Embedding, Input, Linear, Norm, Observed};
use crate::ops::{KvCache, candidates, gather, media, soft_cap};

/// A model whose weights are on the device.
pub trait Decoder {
    /// Its sizes.
    fn shape(&self) -> &Shape;

    /// Whether rows of one picture see each other, so that a run must have all of them.
    fn whole_media(&self) -> bool;

    /// Records the way from the pass's rows to what is wanted of the gathered ones; → the candidates, where logits are
    /// [`Wanted::TopK`]. One forward for T ≥ 1 rows: prefill and decode are the same.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where there is no room for activations.
    fn forward(&self, pass: &mut Pass, caches: &[KvCache], wanted: Wanted) -> Result<Option<Tensor>>;
}

/// The result that a forward pass computes after the last block.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// Nothing: the keys and values are what is wanted.
    Cache,
    /// The weights of these heads of the cross-attention.
    Attention(&'a Observed),
    /// Logits [L, V].
    Logits(&'a Tensor),
    /// Logits [L, V], and the best of them with the requests' bias [slots, V], for the sampler.
    TopK(&'a Tensor, BufferId),
}

/// A stack of blocks between an embedding table and a projection to logits.
pub struct Transformer {
    /// Its sizes.
    pub shape: Shape,
    /// Ids → [T, D].
    pub embed: Embedding,
    /// [T, D] → [T, D], one after the other.
    pub blocks: Vec<Block>,
    /// After the last block, but where blocks end with norms.
    pub norm: Option<Norm>,
    /// [L, D] → logits [L, V].
    pub lm_head: Linear,
    /// Logits become cap × tanh(logits / cap) (Gemma 2).
    pub logit_cap: Option<f32>,
    /// Rows of one picture see each other (Gemma 3).
    pub whole_media: bool,
}

impl Transformer {
    /// Reads the blocks, each by `block`, and behind them the final norm and the projection to logits.
    ///
    /// # Errors
    /// Those of [`Parts`]' methods.
    pub fn build<'p, 'a>(
        parts: &mut Parts<'p, 'a>,
        embed: Embedding,
        block: impl FnMut(&mut Parts<'p, 'a>, usize) -> Result<Block>,
    ) -> Result<Transformer> {
        let blocks = parts.layers(block)?;
        parts.check_window(&blocks)?;
        let (norm, lm_head) = parts.head(&embed)?;
        Ok(Transformer {
            shape: parts.shape.clone(),
            embed,
            blocks,
            norm: Some(norm),
            lm_head,
            logit_cap: None,
            whole_media: false,
        })
    }
}

impl Decoder for Transformer {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn whole_media(&self) -> bool {
        self.whole_media
    }

    fn forward(&self, pass: &mut Pass, caches: &[KvCache], wanted: Wanted) -> Result<Option<Tensor>> {
        let mut x = self.embed.forward(pass)?; // [T, D]
        if let Some(seen) = pass.media {
            media(pass, seen, &x); // [T, D]
            pass.whole_media = self.whole_media;
        }
        for (i, (block, cache)) in self.blocks.iter().zip(caches).enumerate() {
            let observed = if let Wanted::Attention(observed) = wanted { Some((observed, i)) } else { None };
            x = block.forward(pass, x, cache, observed)?; // [T, D]
        }
        let (logits, edits) = match wanted {
            Wanted::Cache | Wanted::Attention(_) => return Ok(None),
            Wanted::Logits(logits) => (logits, None),
            Wanted::TopK(logits, edits) => (logits, Some(edits)),
        };
        let last = match pass.rows {
            1 => x,
            _ => {
                let last = pass.tensor(logits.rows, x.columns)?; // [L, D]
                gather(pass, &x, &last);
                last
            }
        };
        pass.logit_rows = true;
        let last = Input { x: &last, norm: self.norm.as_ref() }; // [L, D]
        if let Some(edits) = edits
            && let Some(ranked) = self.lm_head.rank(pass, last, self.logit_cap, (logits, edits))?
        {
            return Ok(Some(ranked)); // [L, 2n]
        }
        self.lm_head.forward_input_into(pass, last, logits)?; // [L, V]
        if let Some(cap) = self.logit_cap {
            soft_cap(pass, logits, cap); // [L, V]
        }
        edits.map(|edits| candidates(pass, logits, edits)).transpose() // [L, 2n]
    }
}
