//! Corrections of low rank beside a model's weights: what a LoRA adapter is on the device.

use super::buffers::Weight;
use std::collections::HashMap;

/// The number of a projection among those of its model, in the order they were loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectionId(pub usize);

/// y += scale × (x · aᵀ) · bᵀ, with a [r, in] and b [out, r]: LoRA (Hu et al. 2021,
/// <https://arxiv.org/abs/2106.09685>).
#[derive(Debug, Clone)]
pub struct LowRank {
    /// [r, in]; beside a table of embeddings [in, r], of which rows are taken
    pub a: Weight,
    /// [out, r]
    pub b: Weight,
    /// The adapter's α / r, times its strength.
    pub scale: f32,
}

/// Which projections are corrected, and how. A plan is recorded with one set of them, or with none.
pub type Corrections = HashMap<ProjectionId, LowRank>;
