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
mod attention_weights;
mod average;
mod bidirectional;
mod embed;
mod expert_down;
mod expert_gated;
mod gated;
mod gather;
mod kv_write;
mod layer_norm;
mod lm_head;
mod log_mel;
mod matmul;
mod matvec;
mod media;
mod mel_range;
mod multiply_add;
mod penalize;
mod pool;
mod rms_norm;
mod rope;
mod route;
mod sample;
mod shared;
mod skinny;
mod soft_cap;
mod stream;
mod unfold;

pub use activation::activation;
pub use add::add;
pub use argmax::{argmax, partial_columns};
pub use attend::{HeadNorms, Rotation, attend};
pub use attention::{MOST_HEAD_DIM, RelativeBias, Scores, attention};
pub use attention_weights::attention_weights;
pub use average::average;
pub use bidirectional::{Attended, bidirectional};
pub use cresset_numerics::rows::{largest, undrawable};
pub use cresset_numerics::{Activation, threads};
pub use embed::{By, embed};
pub use expert_down::expert_down;
pub use expert_gated::expert_gated;
pub use gated::{can_gate, gated};
pub use gather::gather;
pub use kv_write::{KvCache, kv_write};
pub use layer_norm::layer_norm;
pub use lm_head::{LogitEpilogue, lm_head};
pub use log_mel::{FRAME, HOP, log_mel, mel_tables};
pub use matmul::matmul;
pub use matvec::matvec;
pub use media::media;
pub use mel_range::mel_range;
pub use multiply_add::{FLOPS_A_ROUND, multiply_add};
pub use penalize::penalize;
pub use pool::{Pooling, pool};
pub use rms_norm::rms_norm;
pub use rope::{Pairing, rope};
pub use route::{MOST_EXPERTS, route};
pub use sample::{candidates, sample};
pub use shared::{Epilogue, Normalisation};
pub use skinny::{MOST_ROWS, Prologue, can_share};
pub use soft_cap::soft_cap;
pub use stream::stream;
pub use unfold::unfold;

use crate::device::{Pass, Tensor, Weight};

/// y [T, N] = x [T, K] · weightᵀ [N, K] (+ bias) (+ y): a matvec for few rows, a tiled matmul for many.
pub fn linear(pass: &mut Pass, x: &Tensor, weight: &Weight, epilogue: Epilogue, y: &Tensor) {
    if x.rows <= MOST_ROWS {
        matvec(pass, x, None, &[weight], epilogue, y);
    } else {
        matmul(pass, x, weight, epilogue, y);
    }
}
