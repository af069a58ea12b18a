//! Handles to device memory, and the account of it.

use crate::quant::Format;
use serde::Serialize;
use std::ops::Range;

/// A buffer of one device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct BufferId(pub(crate) u32);

/// The use of a buffer: one line of the account in `info.memory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// A model's weights.
    Weights,
    /// LoRA adapters.
    Adapters,
    /// The KV cache.
    Kv,
    /// Intermediate results of a forward pass.
    Activations,
    /// Control, state, read-backs and whatever else.
    Other,
}

/// Bytes on the device by kind.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Memory {
    /// Bytes of the model's weights.
    pub weights: u64,
    /// Bytes of LoRA adapters.
    pub adapters: u64,
    /// Bytes of the KV cache.
    pub kv: u64,
    /// Bytes of activations.
    pub activations: u64,
    /// Bytes of everything else.
    pub other: u64,
}

impl Memory {
    /// Enters a new buffer.
    pub fn add(&mut self, usage: Usage, bytes: u64) {
        *self.line(usage) += bytes;
    }

    /// Strikes out a freed one.
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

    /// Bytes in all.
    pub fn total(&self) -> u64 {
        self.weights + self.adapters + self.kv + self.activations + self.other
    }
}

/// A matrix of weights [rows, columns] on the device, split by rows where one binding would be too large.
#[derive(Debug, Clone)]
pub struct Weight {
    /// How numbers are packed.
    pub format: Format,
    /// Outputs of a linear layer.
    pub rows: usize,
    /// Inputs of a linear layer.
    pub columns: usize,
    /// All rows, in order.
    pub pieces: Vec<WeightPiece>,
}

/// Consecutive rows of a [`Weight`] in one buffer.
#[derive(Debug, Clone)]
pub struct WeightPiece {
    /// Where they lie.
    pub buffer: BufferId,
    /// The row of the buffer at which they begin: others may lie before them.
    pub at: usize,
    /// Which rows of the weight they are.
    pub rows: Range<usize>,
}
