//! Multi-head self-attention with grouped queries (Ainslie et al. 2023, <https://arxiv.org/abs/2305.13245>).

use super::{Input, Linear, Norm, QkNorm, Rope};
use crate::device::{BufferId, Pass, Tensor};
use crate::error::Result;
use crate::ops::{Epilogue, KvCache, Scores, attend, attention, kv_write, matvec};

/// The layer, with its projections.
pub struct Attention {
    /// [H × head_dim, D]
    pub q: Linear,
    /// [Hkv × head_dim, D]
    pub k: Linear,
    /// [Hkv × head_dim, D]
    pub v: Linear,
    /// [D, H × head_dim]
    pub o: Linear,
    /// The biases of q, k and v, one behind the other, where they have some: for projecting all three at once.
    pub joined_bias: Option<BufferId>,
    /// Query heads.
    pub n_heads: usize,
    /// Where queries and keys are normalised.
    pub qk_norm: Option<QkNorm>,
    /// `None` in layers without rotary positions (NoPE), and in models with learnt ones.
    pub rope: Option<Rope>,
    /// Scale, soft cap and window.
    pub scores: Scores,
}

impl Attention {
    /// Plain attention with heads of this size.
    pub fn new([q, k, v, o]: [Linear; 4], n_heads: usize, head_dim: usize) -> Self {
        let scores = Scores::scaled(head_dim);
        Attention { q, k, v, o, joined_bias: None, n_heads, qk_norm: None, rope: None, scores }
    }

    /// residual [T, D] += norm(o(attention(x [T, D]))); the rows' keys and values join the cache.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn add_to(
        &self,
        pass: &mut Pass,
        x: Input,
        cache: &KvCache,
        norm: Option<&Norm>,
        residual: &Tensor,
    ) -> Result<()> {
        let y = match self.can_decode_at_once(pass) {
            true => self.decode(pass, x, cache)?,   // [1, H × head_dim]
            false => self.forward(pass, x, cache)?, // [T, H × head_dim]
        };
        self.o.add_normed_to(pass, &y, norm, residual) // [T, D]
    }

    /// x [T, D] → [T, H × head_dim], a kernel for each part.
    fn forward(&self, pass: &mut Pass, x: Input, cache: &KvCache) -> Result<Tensor> {
        let x = x.rows(pass)?; // [T, D]
        let mut q = self.q.forward(pass, &x)?; // [T, H × head_dim]
        let mut k = self.k.forward(pass, &x)?; // [T, Hkv × head_dim]
        let v = self.v.forward(pass, &x)?; // [T, Hkv × head_dim]
        let heads = [self.n_heads, cache.n_kv_heads];
        if let Some(qk_norm) = &self.qk_norm {
            [q, k] = qk_norm.forward(pass, [&q, &k], heads)?;
        }
        if let Some(rope) = &self.rope {
            rope.apply(pass, &q, heads[0]);
            rope.apply(pass, &k, heads[1]);
        }
        kv_write(pass, &k, &v, cache);
        let y = pass.tensor(q.rows, q.columns)?; // [T, H × head_dim]
        attention(pass, &q, self.n_heads, cache, self.scores, &y);
        Ok(y)
    }

    /// One row, and nothing in the way of projecting three times at once and doing the rest in one kernel.
    fn can_decode_at_once(&self, pass: &Pass) -> bool {
        let linears = [&self.q, &self.k, &self.v];
        let biased = linears.iter().any(|linear| linear.bias.is_some());
        pass.rows == 1
            && self.scores.bias.is_none()
            && linears.iter().all(|linear| linear.can_share(pass, 1))
            && (!biased || self.joined_bias.is_some())
            && self.qk_norm.is_none_or(|norm| norm.on_the_way().is_some())
    }

    /// x [1, D] → [1, H × head_dim]: the same as [`Self::forward`] in two dispatches, or three where keys are many.
    fn decode(&self, pass: &mut Pass, x: Input, cache: &KvCache) -> Result<Tensor> {
        let (x, prologue) = x.with_prologue(pass)?; // [1, D]
        let weights = [&self.q.weight, &self.k.weight, &self.v.weight];
        let qkv = pass.tensor(1, weights.iter().map(|weight| weight.rows).sum())?; // [1, (H + 2 Hkv) × head_dim]
        let epilogue = Epilogue { bias: self.joined_bias, ..Epilogue::default() };
        matvec(pass, &x, prologue, &weights, epilogue, &qkv);
        let norms = self.qk_norm.and_then(|norm| norm.on_the_way());
        let rotation = self.rope.map(|rope| (rope.table, rope.dims, rope.pairing));
        let y = pass.tensor(1, self.q.weight.rows)?; // [1, H × head_dim]
        attend(pass, &qkv, self.n_heads, norms, rotation, cache, self.scores, &y)?;
        Ok(y)
    }
}
