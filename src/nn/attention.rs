//! Multi-head self-attention with grouped queries (Ainslie et al. 2023, <https://arxiv.org/abs/2305.13245>).

use super::{Linear, Rope};
use crate::device::{Pass, Tensor};
use crate::error::Result;
use crate::ops::{KvCache, attention, kv_write};

pub struct Attention {
    pub q: Linear,
    pub k: Linear,
    pub v: Linear,
    pub o: Linear,
    pub n_heads: usize,
    pub rope: Option<Rope>,
    /// Usually 1 / √head_dim.
    pub scale: f32,
}

impl Attention {
    /// residual [T, D] += o(attention(x [T, D])); the rows' keys and values join the cache first.
    pub fn add_to(&self, pass: &mut Pass, x: &Tensor, cache: &KvCache, residual: &Tensor) -> Result<()> {
        let q = self.q.forward(pass, x)?; // [T, H × head_dim]
        let k = self.k.forward(pass, x)?; // [T, Hkv × head_dim]
        let v = self.v.forward(pass, x)?; // [T, Hkv × head_dim]
        if let Some(rope) = &self.rope {
            rope.apply(pass, &q, self.n_heads);
            rope.apply(pass, &k, cache.n_kv_heads);
        }
        kv_write(pass, &k, &v, cache);
        let y = pass.tensor(q.rows, q.columns)?; // [T, H × head_dim]
        attention(pass, &q, self.n_heads, cache, self.scale, &y);
        self.o.add_to(pass, &y, residual); // [T, D]
        Ok(())
    }
}
