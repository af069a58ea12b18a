//! Multi-head self-attention with grouped queries (Ainslie et al. 2023, <https://arxiv.org/abs/2305.13245>).

use super::{Linear, Norm, QkNorm, Rope};
use crate::device::{Pass, Tensor};
use crate::error::Result;
use crate::ops::{KvCache, Scores, attention, kv_write};

pub struct Attention {
    pub q: Linear,
    pub k: Linear,
    pub v: Linear,
    pub o: Linear,
    pub n_heads: usize,
    pub qk_norm: Option<QkNorm>,
    /// `None` in layers without rotary positions (NoPE), and in models with learnt ones.
    pub rope: Option<Rope>,
    pub scores: Scores,
}

impl Attention {
    /// residual [T, D] += norm(o(attention(x [T, D]))); the rows' keys and values join the cache first.
    pub fn add_to(
        &self,
        pass: &mut Pass,
        x: &Tensor,
        cache: &KvCache,
        norm: Option<&Norm>,
        residual: &Tensor,
    ) -> Result<()> {
        let mut q = self.q.forward(pass, x)?; // [T, H × head_dim]
        let mut k = self.k.forward(pass, x)?; // [T, Hkv × head_dim]
        let v = self.v.forward(pass, x)?; // [T, Hkv × head_dim]
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
        self.o.add_normed_to(pass, &y, norm, residual) // [T, D]
    }
}
