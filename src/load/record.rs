//! Records the tensors that loading asked for: adapters find their projections in the record, and conversion writes the
//! new file from it.

use super::rope::RopeSpec;
use super::rows::RowRanges;
use crate::device::ProjectionId;

/// All that a model was made of.
#[derive(Default)]
pub struct Record {
    /// By their [`ProjectionId`]s.
    pub projections: Vec<Projection>,
    /// In the order they were asked for, each once.
    pub tensors: Vec<UsedTensor>,
    /// In the order they were asked for.
    pub ropes: Vec<RopeSpec>,
}

/// A projection as the base's file keeps it.
pub struct Projection {
    /// Our name of the tensor.
    pub name: &'static str,
    /// The layer it belongs to; 0 outside of layers.
    pub layer: usize,
    /// The tensor's, [out, in].
    pub shape: [usize; 2],
    /// The tensor's rows that are this projection's.
    pub runs: RowRanges,
    /// Which of how many parts of the tensor it is.
    pub part: (usize, usize),
}

/// A tensor that a model is made of.
pub struct UsedTensor {
    /// Our name of it.
    pub name: &'static str,
    /// The layer it belongs to; 0 outside of layers.
    pub layer: usize,
    /// In GGUF.
    pub shape: Vec<usize>,
    /// How Hugging Face's tensor relates to it.
    pub relation: Relation,
}

/// How Hugging Face's tensor relates to GGUF's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Relation {
    /// The same rows, perhaps in another order.
    Rows,
    /// Its transpose.
    Transposed,
    /// A vector, less this offset.
    Vector {
        /// GGUF's value minus Hugging Face's.
        offset: f32,
    },
    /// One of several in GGUF's.
    Stacked,
}

impl Record {
    /// Takes down that a tensor is used; `shape` is GGUF's.
    pub(super) fn tensor(&mut self, name: &'static str, layer: usize, shape: &[usize], relation: Relation) {
        if !self.tensors.iter().rev().take_while(|used| used.layer == layer).any(|used| used.name == name) {
            self.tensors.push(UsedTensor { name, layer, shape: shape.to_vec(), relation });
        }
    }

    /// Takes down a projection; adapters know it by the id from now on.
    pub(super) fn projection(&mut self, projection: Projection) -> ProjectionId {
        self.projections.push(projection);
        ProjectionId(self.projections.len() - 1)
    }
}
