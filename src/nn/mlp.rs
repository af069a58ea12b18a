//! The feed-forward block, gated (SwiGLU, Shazeer 2020, <https://arxiv.org/abs/2002.05202>) or plain (GPT-2).

use super::Linear;
use crate::device::{Pass, Tensor};
use crate::error::Result;
use crate::ops::{Activation, activation};

pub struct Mlp {
    /// down(act(gate(x)) × up(x)); without a gate, down(act(up(x))).
    pub gate: Option<Linear>,
    pub up: Linear,
    pub down: Linear,
    pub activation: Activation,
}

impl Mlp {
    /// residual [T, D] += mlp(x [T, D]).
    pub fn add_to(&self, pass: &mut Pass, x: &Tensor, residual: &Tensor) -> Result<()> {
        let up = self.up.forward(pass, x)?; // [T, F]
        let hidden = pass.tensor(x.rows, up.columns)?; // [T, F]
        match &self.gate {
            Some(gate) => {
                let gate = gate.forward(pass, x)?; // [T, F]
                activation(pass, &gate, Some(&up), self.activation, &hidden);
            }
            None => activation(pass, &up, None, self.activation, &hidden),
        }
        self.down.add_to(pass, &hidden, residual); // [T, D]
        Ok(())
    }
}
