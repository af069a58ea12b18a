//! Cross-attention (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>): a decoder's rows attend to another sequence, whose
//! keys and values are computed once and kept.

use super::{Input, Linear, Norm};
use crate::device::{BufferId, Pass, Tensor};
use crate::error::Result;
use crate::ops::{Attended, attention_weights, bidirectional};

/// The keys and values of a decoder's layer for the sequence that it attends to.
#[derive(Clone, Copy)]
pub struct CrossKeys {
    /// [S, H × head_dim], f32.
    pub keys: BufferId,
    /// [S, H × head_dim], f32.
    pub values: BufferId,
    /// S.
    pub rows: usize,
}

/// A decoder's layer as the encoder sees it: its projections to keys and values, and where they go.
pub type CrossProjections = ([Linear; 2], CrossKeys);

/// The layer, with its norm.
pub struct CrossAttention {
    /// Before it.
    pub norm: Option<Norm>,
    /// On x + attention(x) (the original Transformer's post-norm).
    pub out_norm: Option<Norm>,
    /// [H × head_dim, D]
    pub q: Linear,
    /// [D, H × head_dim]
    pub o: Linear,
    /// Heads.
    pub n_heads: usize,
    /// Multiplies scores: 1/√head_dim.
    pub scale: f32,
    /// The keys and values of the other sequence.
    pub attended: CrossKeys,
}

/// Heads of a decoder whose weights are kept for the host.
pub struct Observed {
    /// Each a layer, and one of its heads.
    pub heads: Vec<[usize; 2]>,
    /// [T, heads × S]
    pub weights: Tensor,
}

impl CrossKeys {
    /// Keys and values [S, columns].
    fn tensors(&self, columns: usize) -> [Tensor; 2] {
        [self.keys, self.values].map(|buffer| Tensor::new(buffer, self.rows, columns))
    }

    /// The other sequence's rows x [T, D], T up to S, become the keys and values of all layers.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn keep(pass: &mut Pass, x: &Tensor, layers: &[CrossProjections]) -> Result<()> {
        for (projections, kept) in layers {
            for (projection, buffer) in projections.iter().zip([kept.keys, kept.values]) {
                projection.forward_into(pass, x, &Tensor::new(buffer, x.rows, projection.weight.rows))?; // [T, H × head_dim]
            }
        }
        Ok(())
    }
}

impl CrossAttention {
    /// x [T, D] → [T, D]: o(attention(norm(x))) is added. The weights of those heads that are `observed` of this layer are kept.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward(&self, pass: &mut Pass, x: Tensor, observed: Option<(&Observed, usize)>) -> Result<Tensor> {
        let normed = Input { x: &x, norm: self.norm.as_ref() }.rows(pass)?; // [T, D]
        let q = self.q.forward(pass, &normed)?; // [T, H × head_dim]
        let [k, v] = self.attended.tensors(q.columns); // [S, H × head_dim]
        if let Some((Observed { heads, weights }, layer)) = observed {
            for (at, [_, head]) in heads.iter().enumerate().filter(|(_, head)| head[0] == layer) {
                attention_weights(pass, [&q, &k], (*head, self.n_heads), self.scale, weights, at); // [T, heads × S]
            }
        }
        let y = pass.tensor(q.rows, q.columns)?; // [T, H × head_dim]
        bidirectional(pass, [&q, &k, &v], self.n_heads, self.scale, Attended::Other, &y);
        self.o.add_to(pass, &y, &x)?; // [T, D]
        Norm::after(self.out_norm.as_ref(), pass, x) // [T, D]
    }
}
