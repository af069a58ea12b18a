//! A mixture of experts (Shazeer et al. 2017, <https://arxiv.org/abs/1701.06538>): a router sends each row to a few of
//! many feed-forward layers. The choice stays on the device.

use super::{Input, Linear};
use crate::device::{Pass, Tensor, Weight};
use crate::error::Result;
use crate::ops::{Activation, expert_down, expert_gated, route};

/// The router and all experts of a layer.
pub struct Experts {
    /// [E, D]
    pub router: Linear,
    /// [E × F, D]
    pub gate: Weight,
    /// [E × F, D]
    pub up: Weight,
    /// [E × D, F]
    pub down: Weight,
    /// Experts of a row.
    pub top_k: usize,
    /// The weights of a row's experts sum to 1.
    pub normalize: bool,
    /// Between gate and up.
    pub activation: Activation,
}

impl Experts {
    /// residual [T, D] += Σ weight × down(act(gate(x)) × up(x)) over the experts of each row of x [T, D].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn add_to(&self, pass: &mut Pass, x: Input, residual: &Tensor) -> Result<()> {
        let x = x.rows(pass)?; // [T, D]
        let logits = self.router.forward(pass, &x)?; // [T, E]
        let routes = pass.tensor(x.rows, 2 * self.top_k)?; // [T, 2K]
        route(pass, &logits, self.top_k, self.normalize, &routes);
        let hidden = pass.tensor(x.rows * self.top_k, self.down.columns)?; // [T × K, F]
        expert_gated(pass, &x, &routes, [&self.gate, &self.up], self.activation, &hidden);
        expert_down(pass, &hidden, &routes, &self.down, residual); // [T, D]
        Ok(())
    }
}
