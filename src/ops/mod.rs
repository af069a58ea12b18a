//! Kernels. One file each: the parameter struct, the recording function with its shape checks, and the CPU twin that
//! specifies the shader of the same stem in `shaders/`.
//!
//! Activations are [rows, columns] f32 with rows `stride` (columns rounded up to 4) floats apart. Rows at or past the
//! rows in use write nothing, in shaders and twins alike.

mod activation;
mod add;
mod argmax;
mod attend;
mod attend_merge;
mod attention;
mod bidirectional;
mod embed;
mod expert_down;
mod expert_gated;
mod few;
mod gated;
mod gather;
mod kv_write;
mod layer_norm;
mod lm_head;
mod matmul;
mod matvec;
mod multiply_add;
mod penalize;
mod pool;
mod rms_norm;
mod rope;
mod route;
mod sample;
mod soft_cap;
mod stream;

pub use activation::activation;
pub use add::add;
pub use argmax::{argmax, partial_columns};
pub use attend::{HeadNorms, Rotation, attend};
pub use attention::{MOST_HEAD_DIM, Scores, attention};
pub use bidirectional::bidirectional;
pub use cresset_numerics::{Activation, threads};
pub use embed::{By, embed};
pub use expert_down::expert_down;
pub use expert_gated::expert_gated;
pub use few::{MOST_ROWS, Prologue, can_share};
pub use gated::{can_gate, gated};
pub use gather::gather;
pub use kv_write::{KvCache, kv_write};
pub use layer_norm::layer_norm;
pub use lm_head::{LogitEpilogue, lm_head};
pub use matmul::matmul;
pub use matvec::matvec;
pub use multiply_add::{FLOPS_A_ROUND, multiply_add};
pub use penalize::penalize;
pub use pool::{Pooling, pool};
pub use rms_norm::rms_norm;
pub use rope::{Pairing, rope};
pub use route::{MOST_EXPERTS, route};
pub use sample::{candidates, sample};
pub use soft_cap::soft_cap;
pub use stream::stream;

use crate::device::{BufferId, Pass, Tensor, Weight};
use std::ops::Range;

/// What a linear projection adds to its product.
#[derive(Clone, Copy)]
pub struct Epilogue {
    /// [N], added to each row.
    pub bias: Option<BufferId>,
    /// Adds into the output instead of overwriting it: the residual connection.
    pub accumulate: bool,
    /// Multiplies the product and its bias, before they are added to anything.
    pub scale: f32,
}

impl Default for Epilogue {
    fn default() -> Self {
        Epilogue { bias: None, accumulate: false, scale: 1.0 }
    }
}

/// How rms_norm and layer_norm go over a row [G × D].
#[derive(Debug, Clone, Copy)]
pub struct Normalisation {
    pub epsilon: f32,
    /// G: consecutive parts of a row that are normalised each by itself, such as heads.
    pub groups: usize,
    /// The weights are [G, D] instead of [D] for all groups.
    pub weight_per_group: bool,
    /// Adds into the output instead of overwriting it: a norm behind a sublayer, with the residual connection.
    pub accumulate: bool,
}

impl Normalisation {
    /// Whole rows.
    pub fn rows(epsilon: f32) -> Self {
        Normalisation { epsilon, groups: 1, weight_per_group: false, accumulate: false }
    }

    /// D.
    fn columns(&self, x: &Tensor) -> u32 {
        assert!(x.columns.is_multiple_of(self.groups), "norm: groups");
        (x.columns / self.groups) as u32
    }

    fn weight_stride(&self, x: &Tensor) -> u32 {
        if self.weight_per_group { self.columns(x) } else { 0 }
    }

    /// For the twins: each group's number and where it lies, over all rows.
    fn spans(rows: usize, stride: u32, columns: u32, groups: u32) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (stride, columns, groups) = (stride as usize, columns as usize, groups as usize);
        (0..rows * groups).map(move |i| {
            let at = i / groups * stride + i % groups * columns;
            (i % groups, at..at + columns)
        })
    }
}

/// y [T, N] = x [T, K] · weightᵀ [N, K] (+ bias) (+ y): a matvec for few rows, a tiled matmul for many.
pub fn linear(pass: &mut Pass, x: &Tensor, weight: &Weight, epilogue: Epilogue, y: &Tensor) {
    if x.rows <= MOST_ROWS {
        matvec(pass, x, None, &[weight], epilogue, y);
    } else {
        matmul(pass, x, weight, epilogue, y);
    }
}

/// Workgroups for one thread per four columns: x along a row, y over the rows.
fn element_grid(y: &Tensor) -> [u32; 3] {
    [(y.stride() / 4).div_ceil(64) as u32, y.rows as u32, 1]
}

/// Σ aᵢ bᵢ with eight partial sums, so that the compiler can use vectors.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f32>() + tail
}
