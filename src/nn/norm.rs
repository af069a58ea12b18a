//! RMSNorm and LayerNorm.

use crate::device::{BufferId, Pass, Tensor};
use crate::error::Result;
use crate::ops;

/// Normalises each row; `weight` and `bias` are [D] f32.
pub enum Norm {
    Rms { weight: BufferId, epsilon: f32 },
    Layer { weight: BufferId, bias: BufferId, epsilon: f32 },
}

impl Norm {
    /// x [T, D] → [T, D].
    pub fn forward(&self, pass: &mut Pass, x: &Tensor) -> Result<Tensor> {
        let y = pass.tensor(x.rows, x.columns)?; // [T, D]
        match *self {
            Norm::Rms { weight, epsilon } => ops::rms_norm(pass, x, weight, epsilon, &y),
            Norm::Layer { weight, bias, epsilon } => ops::layer_norm(pass, x, weight, bias, epsilon, &y),
        }
        Ok(y)
    }
}
