//! Handles to device memory, and the account of it.

use crate::quant::Format;
use serde::Serialize;
use std::ops::Range;

/// A buffer of one device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct BufferId(pub(crate) u32);

/// What a buffer is for: the account in `info.memory` has a line for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    Weights,
    /// LoRA adapters.
    Adapters,
    Kv,
    Activations,
    Other,
}

/// Bytes on the device by kind.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Memory {
    pub weights: u64,
    pub adapters: u64,
    pub kv: u64,
    pub activations: u64,
    pub other: u64,
}

impl Memory {
    pub fn add(&mut self, usage: Usage, bytes: u64) {
        *self.line(usage) += bytes;
    }

    pub fn sub(&mut self, usage: Usage, bytes: u64) {
        *self.line(usage) -= bytes;
    }

    fn line(&mut self, usage: Usage) -> &mut u64 {
        match usage {
            Usage::Weights => &mut self.weights,
            Usage::Adapters => &mut self.adapters,
            Usage::Kv => &mut self.kv,
            Usage::Activations => &mut self.activations,
            Usage::Other => &mut self.other,
        }
    }

    pub fn total(&self) -> u64 {
        self.weights + self.adapters + self.kv + self.activations + self.other
    }
}

/// A matrix of weights [rows, columns] on the device, split by rows where one binding would be too large.
#[derive(Debug, Clone)]
pub struct Weight {
    pub format: Format,
    pub rows: usize,
    pub columns: usize,
    pub pieces: Vec<WeightPiece>,
}

/// Consecutive rows of a [`Weight`] in one buffer.
#[derive(Debug, Clone)]
pub struct WeightPiece {
    pub buffer: BufferId,
    /// The row of the buffer at which they begin: others may lie before them.
    pub at: usize,
    pub rows: Range<usize>,
}
