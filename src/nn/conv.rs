//! A convolution over the rows of a sequence (`Conv1d` of PyTorch), as a projection of each row's surroundings.

use super::Linear;
use crate::device::{Pass, Tensor};
use crate::error::Result;
use crate::ops::{Activation, activation, unfold};

/// The layer, with the activation behind it.
pub struct Conv1d {
    /// [out, taps × in]: the columns of a tap lie together.
    pub linear: Linear,
    /// Rows from one output to the next.
    pub step: usize,
    /// Rows before the first one that its first output sees: zeros.
    pub before: usize,
    /// The activation of its output.
    pub activation: Activation,
}

impl Conv1d {
    /// x [R, in] → [T, out], T of them being the pass's rows.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward(&self, pass: &mut Pass, x: &Tensor) -> Result<Tensor> {
        let y = pass.tensor(pass.rows, self.linear.weight.rows)?; // [T, out]
        self.forward_into(pass, x, &y)?;
        Ok(y)
    }

    /// x [R, in] → y [T, out].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward_into(&self, pass: &mut Pass, x: &Tensor, y: &Tensor) -> Result<()> {
        let around = pass.tensor(y.rows, self.linear.weight.columns)?; // [T, taps × in]
        unfold(pass, x, self.step, self.before, &around);
        let sums = self.linear.forward(pass, &around)?; // [T, out]
        activation(pass, &sums, None, self.activation, y); // [T, out]
        Ok(())
    }
}
