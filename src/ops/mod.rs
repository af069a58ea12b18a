//! Kernels. One file each: the parameter struct, the recording function with its shape checks, and the CPU twin that
//! specifies the shader of the same stem in `shaders/`.
//!
//! Activations are [rows, columns] f32 with rows `stride` (columns rounded up to 4) floats apart. Rows at or past the
//! rows in use write nothing, in shaders and twins alike.

mod attention;
mod embed;
mod kv_write;
mod matmul;
mod matvec;
mod rms_norm;
mod rope;

pub use attention::{MOST_HEAD_DIM, attention};
pub use embed::{By, embed};
pub use kv_write::{KvCache, kv_write};
pub use matmul::matmul;
pub use matvec::matvec;
pub use rms_norm::rms_norm;
pub use rope::{Pairing, rope};

use crate::device::{BufferId, Pass, Tensor, Weight};

/// What a linear projection adds to its product.
#[derive(Clone, Copy, Default)]
pub struct Epilogue {
    /// [N], added to each row.
    pub bias: Option<BufferId>,
    /// Adds into the output instead of overwriting it: the residual connection.
    pub accumulate: bool,
}

/// y [T, N] = x [T, K] · weightᵀ [N, K] (+ bias) (+ y): a matvec for few rows, a tiled matmul for many.
pub fn linear(pass: &mut Pass, x: &Tensor, weight: &Weight, epilogue: Epilogue, y: &Tensor) {
    if x.rows <= matvec::MOST_ROWS {
        matvec(pass, x, weight, epilogue, y);
    } else {
        matmul(pass, x, weight, epilogue, y);
    }
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
