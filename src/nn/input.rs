//! The input of a sublayer.

use super::{Norm, NormKind};
use crate::device::{Pass, Tensor};
use crate::error::Result;
use crate::ops::Prologue;
use std::ops::Deref;

/// x [T, D], through a norm where one stands before the sublayer. Kernels for few rows normalise on the way.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Before the norm.
    pub x: &'a Tensor,
    /// The norm before the sublayer.
    pub norm: Option<&'a Norm>,
}

/// A tensor that is somebody's, or was made for this.
pub enum Rows<'a> {
    Borrowed(&'a Tensor),
    Made(Tensor),
}

impl Deref for Rows<'_> {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        match self {
            Rows::Borrowed(x) => x,
            Rows::Made(x) => x,
        }
    }
}

impl<'a> Input<'a> {
    /// Rows without a norm before them.
    pub fn of(x: &'a Tensor) -> Self {
        Input { x, norm: None }
    }

    /// norm(x) [T, D].
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn rows(&self, pass: &mut Pass) -> Result<Rows<'a>> {
        Ok(match self.norm {
            Some(norm) => Rows::Made(norm.forward(pass, self.x)?), // [T, D]
            None => Rows::Borrowed(self.x),
        })
    }

    /// x [T, D] and the norm left to the kernel that reads it; a norm of another kind than its own is done here.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY` where an activation finds no room.
    pub fn with_prologue(&self, pass: &mut Pass) -> Result<(Rows<'a>, Option<Prologue>)> {
        match self.norm {
            Some(&Norm { kind: NormKind::Rms, weight, epsilon }) => {
                Ok((Rows::Borrowed(self.x), Some(Prologue { weight, epsilon })))
            }
            _ => Ok((self.rows(pass)?, None)),
        }
    }
}
