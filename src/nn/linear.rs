//! y = scale × (x · Wᵀ + b).

use super::Input;
use crate::device::{BufferId, Pass, ProjectionId, Tensor, Weight};
use crate::error::Result;
use crate::ops::{self, Epilogue, LogitEpilogue};

/// A projection from `weight.columns` to `weight.rows` features.
#[derive(Clone)]
pub struct Linear {
    /// W [out, in].
    pub weight: Weight,
    /// b [out], f32.
    pub bias: Option<BufferId>,
    /// 1, but for models that scale what their sublayers add (Granite's multipliers).
    pub scale: f32,
    /// The adapters' id of it; `None` where no file has it as a tensor of its own.
    pub id: Option<ProjectionId>,
}

impl Linear {
    /// With a scale of 1, and unknown to adapters.
    pub fn new(weight: Weight, bias: Option<BufferId>) -> Self {
        Linear { weight, bias, scale: 1.0, id: None }
    }

    /// With another scale.
    pub fn scaled(self, scale: f32) -> Self {
        Linear { scale, ..self }
    }

    /// Whether it can share a dispatch with others, the pass having so few `rows`: nothing is to be done to its product.
    pub fn can_share(&self, pass: &Pass, rows: usize) -> bool {
        !self.is_corrected(pass) && self.scale == 1.0 && ops::can_share(rows, &[&self.weight])
    }

    /// Whether the pass's adapter changes this projection.
    fn is_corrected(&self, pass: &Pass) -> bool {
        pass.corrections.as_ref().zip(self.id).is_some_and(|(all, id)| all.contains_key(&id))
    }

    /// x [T, in] → y [T, out], for few rows with the norm before it in the same dispatch.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward_input_into(&self, pass: &mut Pass, x: Input, y: &Tensor) -> Result<()> {
        if self.is_corrected(pass) || y.rows > ops::MOST_ROWS {
            let x = x.rows(pass)?; // [T, in]
            return self.forward_into(pass, &x, y); // [T, out]
        }
        let (x, prologue) = x.with_prologue(pass)?; // [T, in]
        let epilogue = Epilogue { bias: self.bias, accumulate: false, scale: self.scale };
        ops::matvec(pass, &x, prologue, &[&self.weight], epilogue, y); // [T, out]
        Ok(())
    }

    /// Logits [L, V] of x [L, in] and the candidates among them, in one dispatch; `None` where that cannot be.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn rank(
        &self,
        pass: &mut Pass,
        x: Input,
        cap: Option<f32>,
        (logits, edits): (&Tensor, BufferId),
    ) -> Result<Option<Tensor>> {
        if self.is_corrected(pass) || logits.rows > ops::MOST_ROWS {
            return Ok(None);
        }
        let (x, prologue) = x.with_prologue(pass)?; // [L, in]
        let epilogue = LogitEpilogue { bias: self.bias, scale: self.scale, cap };
        Ok(Some(ops::lm_head(pass, &x, prologue, &self.weight, epilogue, edits, logits)?)) // [L, V]
    }

    /// x [T, in] → [T, out].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward(&self, pass: &mut Pass, x: &Tensor) -> Result<Tensor> {
        let y = pass.tensor(x.rows, self.weight.rows)?; // [T, out]
        self.forward_into(pass, x, &y)?;
        Ok(y)
    }

    /// x [T, in] → y [T, out].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward_into(&self, pass: &mut Pass, x: &Tensor, y: &Tensor) -> Result<()> {
        self.record(pass, x, false, y)
    }

    /// residual [T, out] += scale × (x [T, in] · Wᵀ + b).
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn add_to(&self, pass: &mut Pass, x: &Tensor, residual: &Tensor) -> Result<()> {
        self.record(pass, x, true, residual)
    }

    /// The projection, then the correction of the pass's adapter, where it has one for this projection.
    fn record(&self, pass: &mut Pass, x: &Tensor, accumulate: bool, y: &Tensor) -> Result<()> {
        let epilogue = Epilogue { bias: self.bias, accumulate, scale: self.scale };
        ops::linear(pass, x, &self.weight, epilogue, y); // [T, out]
        let corrections = pass.corrections.clone();
        let Some(lora) = corrections.as_ref().and_then(|all| all.get(&self.id?)) else { return Ok(()) };
        let h = pass.tensor(x.rows, lora.a.rows)?; // [T, r]
        ops::linear(pass, x, &lora.a, Epilogue::default(), &h); // [T, r]
        let epilogue = Epilogue { bias: None, accumulate: true, scale: self.scale * lora.scale };
        ops::linear(pass, &h, &lora.b, epilogue, y); // [T, out]
        Ok(())
    }

    /// residual [T, out] += this projection of x [T, in], normalised first where a norm follows the sublayer.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn add_normed_to(
        &self,
        pass: &mut Pass,
        x: &Tensor,
        norm: Option<&super::Norm>,
        residual: &Tensor,
    ) -> Result<()> {
        let Some(norm) = norm else {
            return self.add_to(pass, x, residual); // [T, out]
        };
        let y = self.forward(pass, x)?; // [T, out]
        norm.add_to(pass, &y, residual); // [T, out]
        Ok(())
    }
}
