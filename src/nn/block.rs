//! The Transformer block: pre-norm, post-norm or both, its two sublayers one after the other or side by side.

use super::{Attention, FeedForward, Norm};
use crate::device::{Pass, Tensor};
use crate::error::Result;
use crate::ops::KvCache;

pub struct Block {
    /// Before attention; `None` where only its output is normalised (OLMo 2).
    pub attn_norm: Option<Norm>,
    pub attn: Attention,
    /// On what attention adds (Gemma 2, OLMo 2).
    pub attn_post_norm: Option<Norm>,
    /// Before the feed-forward layer; `None` in a parallel block whose sublayers share `attn_norm`.
    pub ffn_norm: Option<Norm>,
    pub ffn: FeedForward,
    /// On what the feed-forward layer adds.
    pub ffn_post_norm: Option<Norm>,
    /// Both sublayers read the same x: x + attn(norm(x)) + ffn(norm(x)) (GPT-J, GPT-NeoX).
    pub parallel: bool,
}

impl Block {
    /// x [T, D] += attention(norm(x)), then += ffn(norm(x)).
    pub fn forward(&self, pass: &mut Pass, x: &Tensor, cache: &KvCache) -> Result<()> {
        if self.parallel {
            return self.forward_parallel(pass, x, cache);
        }
        let normed = normed(pass, &self.attn_norm, x)?; // [T, D]
        self.attn.add_to(pass, normed.as_ref().unwrap_or(x), cache, self.attn_post_norm.as_ref(), x)?; // [T, D]
        drop(normed); // its buffer serves the next norm
        let normed = self::normed(pass, &self.ffn_norm, x)?; // [T, D]
        self.ffn.add_to(pass, normed.as_ref().unwrap_or(x), self.ffn_post_norm.as_ref(), x) // [T, D]
    }

    /// x [T, D] += attention(norm(x)) + ffn(norm(x)).
    fn forward_parallel(&self, pass: &mut Pass, x: &Tensor, cache: &KvCache) -> Result<()> {
        let for_attn = normed(pass, &self.attn_norm, x)?.expect("a parallel block normalises its input"); // [T, D]
        let for_ffn = normed(pass, &self.ffn_norm, x)?; // [T, D], before attention changes x
        self.attn.add_to(pass, &for_attn, cache, self.attn_post_norm.as_ref(), x)?; // [T, D]
        let for_ffn = for_ffn.as_ref().unwrap_or(&for_attn);
        self.ffn.add_to(pass, for_ffn, self.ffn_post_norm.as_ref(), x) // [T, D]
    }
}

fn normed(pass: &mut Pass, norm: &Option<Norm>, x: &Tensor) -> Result<Option<Tensor>> {
    norm.as_ref().map(|norm| norm.forward(pass, x)).transpose()
}
