//! y = scale × (x · Wᵀ + b).

use crate::device::{BufferId, Pass, Tensor, Weight};
use crate::error::Result;
use crate::ops::{self, Epilogue};

/// A projection from `weight.columns` to `weight.rows` features.
#[derive(Clone)]
pub struct Linear {
    pub weight: Weight,
    pub bias: Option<BufferId>,
    /// 1, but for models that scale what their sublayers add (Granite's multipliers).
    pub scale: f32,
}

impl Linear {
    pub fn new(weight: Weight, bias: Option<BufferId>) -> Self {
        Linear { weight, bias, scale: 1.0 }
    }

    pub fn scaled(self, scale: f32) -> Self {
        Linear { scale, ..self }
    }

    /// x [T, in] → [T, out].
    pub fn forward(&self, pass: &mut Pass, x: &Tensor) -> Result<Tensor> {
        let y = pass.tensor(x.rows, self.weight.rows)?; // [T, out]
        self.forward_into(pass, x, &y);
        Ok(y)
    }

    /// x [T, in] → y [T, out].
    pub fn forward_into(&self, pass: &mut Pass, x: &Tensor, y: &Tensor) {
        let epilogue = Epilogue { bias: self.bias, accumulate: false, scale: self.scale };
        ops::linear(pass, x, &self.weight, epilogue, y);
    }

    /// residual [T, out] += scale × (x [T, in] · Wᵀ + b).
    pub fn add_to(&self, pass: &mut Pass, x: &Tensor, residual: &Tensor) {
        let epilogue = Epilogue { bias: self.bias, accumulate: true, scale: self.scale };
        ops::linear(pass, x, &self.weight, epilogue, residual);
    }

    /// residual [T, out] += this projection of x [T, in], normalised first where a norm follows the sublayer.
    pub fn add_normed_to(
        &self,
        pass: &mut Pass,
        x: &Tensor,
        norm: Option<&super::Norm>,
        residual: &Tensor,
    ) -> Result<()> {
        let Some(norm) = norm else {
            self.add_to(pass, x, residual); // [T, out]
            return Ok(());
        };
        let y = self.forward(pass, x)?; // [T, out]
        norm.add_to(pass, &y, residual); // [T, out]
        Ok(())
    }
}
