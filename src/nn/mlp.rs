//! The feed-forward layer, gated (SwiGLU, Shazeer 2020, <https://arxiv.org/abs/2002.05202>) or plain (GPT-2).

use super::{Experts, Input, Linear, Norm};
use crate::device::{Pass, Tensor};
use crate::error::Result;
use crate::ops::{Activation, activation, can_gate, gated};

/// The second sublayer of a block.
pub enum FeedForward {
    /// Every row goes through the same layer.
    Dense(Mlp),
    /// No norm follows it in any architecture.
    Experts(Experts),
}

impl FeedForward {
    /// residual [T, D] += norm(ffn(x [T, D])).
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn add_to(&self, pass: &mut Pass, x: Input, norm: Option<&Norm>, residual: &Tensor) -> Result<()> {
        match self {
            FeedForward::Dense(mlp) => mlp.add_to(pass, x, norm, residual),
            FeedForward::Experts(experts) => {
                assert!(norm.is_none(), "no norm follows experts");
                experts.add_to(pass, x, residual)
            }
        }
    }
}

/// Two or three projections, with F features between them.
pub struct Mlp {
    /// down(act(gate(x)) × up(x)); without a gate, down(act(up(x))).
    pub gate: Option<Linear>,
    /// [F, D]
    pub up: Linear,
    /// [D, F]
    pub down: Linear,
    /// The activation of gate, or of up where there is no gate.
    pub activation: Activation,
}

impl Mlp {
    /// Few rows, and nothing in the way of computing gate and up in one kernel.
    fn can_gate(&self, pass: &Pass, gate: &Linear, rows: usize) -> bool {
        [gate, &self.up].iter().all(|linear| linear.bias.is_none() && linear.can_share(pass, rows))
            && can_gate(rows, &gate.weight, &self.up.weight)
    }

    /// residual [T, D] += norm(mlp(x [T, D])).
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn add_to(&self, pass: &mut Pass, x: Input, norm: Option<&Norm>, residual: &Tensor) -> Result<()> {
        let hidden = self.hidden(pass, x)?; // [T, F]
        self.down.add_normed_to(pass, &hidden, norm, residual) // [T, D]
    }

    /// y [T, D] = mlp(x [T, C]).
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn forward_into(&self, pass: &mut Pass, x: &Tensor, y: &Tensor) -> Result<()> {
        let hidden = self.hidden(pass, Input::of(x))?; // [T, F]
        self.down.forward_into(pass, &hidden, y) // [T, D]
    }

    fn hidden(&self, pass: &mut Pass, x: Input) -> Result<Tensor> {
        let hidden = pass.tensor(x.x.rows, self.up.weight.rows)?; // [T, F]
        match &self.gate {
            Some(gate) if self.can_gate(pass, gate, x.x.rows) => {
                let (x, prologue) = x.with_prologue(pass)?; // [T, D]
                gated(pass, &x, prologue, [&gate.weight, &self.up.weight], None, self.activation, &hidden);
            }
            Some(gate) => {
                let x = x.rows(pass)?; // [T, D]
                let (gate, up) = (gate.forward(pass, &x)?, self.up.forward(pass, &x)?); // [T, F] each
                activation(pass, &gate, Some(&up), self.activation, &hidden);
            }
            None => {
                let x = x.rows(pass)?; // [T, D]
                let up = self.up.forward(pass, &x)?; // [T, F]
                activation(pass, &up, None, self.activation, &hidden);
            }
        }
        Ok(hidden)
    }
}
