//! RMSNorm and LayerNorm, over whole rows or over each head.

use crate::device::{BufferId, Pass, Tensor};
use crate::error::Result;
use crate::ops::{self, HeadNorms, Normalisation};

/// Normalises each row, or each group of a row; `weight` and `bias` are f32 on the device, as wide as what is normalised.
#[derive(Clone, Copy)]
pub struct Norm {
    /// Which of the two.
    pub kind: NormKind,
    /// f32, as wide as what is normalised.
    pub weight: BufferId,
    /// Added to the mean square or the variance.
    pub epsilon: f32,
}

/// The two kinds of norm.
#[derive(Clone, Copy)]
pub enum NormKind {
    /// RMSNorm (Zhang & Sennrich 2019, <https://arxiv.org/abs/1910.07467>).
    Rms,
    /// LayerNorm (Ba et al. 2016, <https://arxiv.org/abs/1607.06450>).
    Layer {
        /// f32, as wide as the weight.
        bias: Option<BufferId>,
    },
}

impl Norm {
    /// x [T, D] → [T, D].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward(&self, pass: &mut Pass, x: &Tensor) -> Result<Tensor> {
        let y = pass.tensor(x.rows, x.columns)?; // [T, D]
        self.record(pass, x, Normalisation::rows(self.epsilon), &y);
        Ok(y)
    }

    /// x [T, D] → [T, D], normalised where there is a norm: the original Transformer's post-norm.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn after(norm: Option<&Norm>, pass: &mut Pass, x: Tensor) -> Result<Tensor> {
        match norm {
            Some(norm) => norm.forward(pass, &x), // [T, D]
            None => Ok(x),
        }
    }

    /// residual [T, D] += norm(x [T, D]).
    pub fn add_to(&self, pass: &mut Pass, x: &Tensor, residual: &Tensor) {
        self.record(pass, x, Normalisation { accumulate: true, ..Normalisation::rows(self.epsilon) }, residual);
    }

    fn record(&self, pass: &mut Pass, x: &Tensor, how: Normalisation, y: &Tensor) {
        match self.kind {
            NormKind::Rms => ops::rms_norm(pass, x, self.weight, how, y),
            NormKind::Layer { bias } => ops::layer_norm(pass, x, self.weight, bias, how, y),
        }
    }
}

/// QK-norm (Henry et al. 2020, <https://arxiv.org/abs/2010.04245>): queries and keys are normalised before they turn.
#[derive(Clone, Copy)]
pub struct QkNorm {
    /// The norm of queries.
    pub q: Norm,
    /// The norm of keys.
    pub k: Norm,
    /// The columns that share a mean.
    pub over: NormOver,
    /// The weights of q's norm, then of k's, where both are RMSNorms: for kernels that do both on the way.
    pub joined: Option<BufferId>,
}

/// The columns that share a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormOver {
    /// All heads of a row together, weights [H × head_dim]: OLMo 2.
    Row,
    /// Each head by itself, weights [head_dim] for all: Qwen 3, Gemma 3.
    Head,
    /// Each head by itself, with weights of its own, [H, head_dim]: StableLM 2 12B.
    OwnHead,
}

impl QkNorm {
    /// For the kernel that normalises heads on the way, if it can do these norms.
    pub fn on_the_way(&self) -> Option<HeadNorms> {
        let weights = self.joined.filter(|_| self.over != NormOver::OwnHead)?;
        Some(HeadNorms { weights, epsilons: [self.q.epsilon, self.k.epsilon], whole_row: self.over == NormOver::Row })
    }

    /// q [T, H × head_dim] and k [T, Hkv × head_dim] → the same shapes.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward(&self, pass: &mut Pass, [q, k]: [&Tensor; 2], [heads, kv_heads]: [usize; 2]) -> Result<[Tensor; 2]> {
        let normed = |pass: &mut Pass, norm: &Norm, x: &Tensor, heads| -> Result<Tensor> {
            let y = pass.tensor(x.rows, x.columns)?; // [T, heads × head_dim]
            let groups = if self.over == NormOver::Row { 1 } else { heads };
            let weight_per_group = self.over == NormOver::OwnHead;
            norm.record(pass, x, Normalisation { groups, weight_per_group, ..Normalisation::rows(norm.epsilon) }, &y);
            Ok(y)
        };
        Ok([normed(pass, &self.q, q, heads)?, normed(pass, &self.k, k, kv_heads)?])
    }
}
