//! y = x · Wᵀ + b.

use crate::device::{BufferId, Pass, Tensor, Weight};
use crate::error::Result;
use crate::ops::{self, Epilogue};

/// A projection from `weight.columns` to `weight.rows` features.
#[derive(Clone)]
pub struct Linear {
    pub weight: Weight,
    pub bias: Option<BufferId>,
}

impl Linear {
    /// x [T, in] → [T, out].
    pub fn forward(&self, pass: &mut Pass, x: &Tensor) -> Result<Tensor> {
        let y = pass.tensor(x.rows, self.weight.rows)?; // [T, out]
        self.forward_into(pass, x, &y);
        Ok(y)
    }

    /// x [T, in] → y [T, out].
    pub fn forward_into(&self, pass: &mut Pass, x: &Tensor, y: &Tensor) {
        ops::linear(pass, x, &self.weight, Epilogue { bias: self.bias, accumulate: false }, y);
    }

    /// residual [T, out] += x [T, in] · Wᵀ + b.
    pub fn add_to(&self, pass: &mut Pass, x: &Tensor, residual: &Tensor) {
        ops::linear(pass, x, &self.weight, Epilogue { bias: self.bias, accumulate: true }, residual);
    }
}
