//! The pre-norm Transformer block.

use super::{Attention, Mlp, Norm};
use crate::device::{Pass, Tensor};
use crate::error::Result;
use crate::ops::KvCache;

pub struct Block {
    pub attn_norm: Norm,
    pub attn: Attention,
    pub mlp_norm: Norm,
    pub mlp: Mlp,
}

impl Block {
    /// x [T, D] += attention(norm(x)), then += mlp(norm(x)).
    pub fn forward(&self, pass: &mut Pass, x: &Tensor, cache: &KvCache) -> Result<()> {
        let normed = self.attn_norm.forward(pass, x)?; // [T, D]
        self.attn.add_to(pass, &normed, cache, x)?; // [T, D]
        drop(normed); // its buffer serves the next norm
        let normed = self.mlp_norm.forward(pass, x)?; // [T, D]
        self.mlp.add_to(pass, &normed, x) // [T, D]
    }
}
