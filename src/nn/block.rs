//! The Transformer block: pre-norm, post-norm or both, its two sublayers one after the other or side by side.

use super::{Attention, CrossAttention, FeedForward, Input, Norm, Observed};
use crate::device::{Pass, Tensor};
use crate::error::Result;
use crate::ops::KvCache;

/// One layer of a decoder.
pub struct Block {
    /// Before attention; `None` where only its output is normalised (OLMo 2).
    pub attn_norm: Option<Norm>,
    /// Self-attention.
    pub attn: Attention,
    /// On what attention adds (Gemma 2, OLMo 2).
    pub attn_post_norm: Option<Norm>,
    /// On x + attention(x) (the original Transformer's post-norm).
    pub attn_out_norm: Option<Norm>,
    /// Attention to another sequence, in the decoder of an encoder.
    pub cross: Option<CrossAttention>,
    /// Before the feed-forward layer; `None` in a parallel block whose sublayers share `attn_norm`.
    pub ffn_norm: Option<Norm>,
    /// Dense, or a mixture of experts.
    pub ffn: FeedForward,
    /// On what the feed-forward layer adds.
    pub ffn_post_norm: Option<Norm>,
    /// On x + ffn(x).
    pub ffn_out_norm: Option<Norm>,
    /// Both sublayers read the same x: x + attn(norm(x)) + ffn(norm(x)) (GPT-J, GPT-NeoX).
    pub parallel: bool,
}

impl Block {
    /// x [T, D] → [T, D]: attention(norm(x)), cross-attention(norm(x)) where there is any, then ffn(norm(x)) are added. `observed`:
    /// heads of the cross-attention, and which layer this one is.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward(
        &self,
        pass: &mut Pass,
        mut x: Tensor,
        cache: &KvCache,
        observed: Option<(&Observed, usize)>,
    ) -> Result<Tensor> {
        if self.parallel {
            self.add_parallel(pass, &x, cache)?; // [T, D]
            return Ok(x);
        }
        let input = Input { x: &x, norm: self.attn_norm.as_ref() };
        self.attn.add_to(pass, input, cache, self.attn_post_norm.as_ref(), &x)?; // [T, D]
        x = Norm::after(self.attn_out_norm.as_ref(), pass, x)?; // [T, D]
        if let Some(cross) = &self.cross {
            x = cross.forward(pass, x, observed)?; // [T, D]
        }
        let input = Input { x: &x, norm: self.ffn_norm.as_ref() };
        self.ffn.add_to(pass, input, self.ffn_post_norm.as_ref(), &x)?; // [T, D]
        Norm::after(self.ffn_out_norm.as_ref(), pass, x) // [T, D]
    }

    /// x [T, D] += attention(norm(x)) + ffn(norm(x)).
    fn add_parallel(&self, pass: &mut Pass, x: &Tensor, cache: &KvCache) -> Result<()> {
        let for_attn = Input { x, norm: self.attn_norm.as_ref() }.rows(pass)?; // [T, D]
        let own = Input { x, norm: self.ffn_norm.as_ref() }.rows(pass)?; // [T, D], before attention changes x
        let for_ffn = if self.ffn_norm.is_some() { &*own } else { &*for_attn };
        self.attn.add_to(pass, Input::of(&for_attn), cache, self.attn_post_norm.as_ref(), x)?; // [T, D]
        self.ffn.add_to(pass, Input::of(for_ffn), self.ffn_post_norm.as_ref(), x) // [T, D]
    }
}
