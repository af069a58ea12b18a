//! The decoder-only Transformer: what every architecture's file fills with its own parts.

use super::{Decoder, Shape, Wanted};
use crate::device::{Pass, Tensor};
use crate::error::Result;
use crate::nn::{Block, Embedding, Input, Linear, Norm};
use crate::ops::{KvCache, candidates, gather, soft_cap};

pub struct Transformer {
    pub shape: Shape,
    pub embed: Embedding,
    pub blocks: Vec<Block>,
    pub norm: Norm,
    pub lm_head: Linear,
    /// Logits become cap × tanh(logits / cap) (Gemma 2).
    pub logit_cap: Option<f32>,
}

impl Decoder for Transformer {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn outline(&self) -> Vec<String> {
        self.outline_lines()
    }

    fn forward(&self, pass: &mut Pass, caches: &[KvCache], wanted: Wanted) -> Result<Option<Tensor>> {
        let x = self.embed.forward(pass)?; // [T, D]
        for (block, cache) in self.blocks.iter().zip(caches) {
            block.forward(pass, &x, cache)?; // [T, D]
        }
        let (logits, edits) = match wanted {
            Wanted::Cache => return Ok(None),
            Wanted::Logits(logits) => (logits, None),
            Wanted::Ranked(logits, edits) => (logits, Some(edits)),
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
        let last = Input { x: &last, norm: Some(&self.norm) }; // [L, D]
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
