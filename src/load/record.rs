//! What loading a model asked for, taken down: the list by which it is written in another kind of file.

use super::rows::Rows;

/// A projection as the base's file keeps it.
pub struct Projection {
    /// Our name of the tensor.
    pub name: &'static str,
    pub layer: usize,
    /// The tensor's, [out, in].
    pub shape: [usize; 2],
    /// The tensor's rows that are this projection's.
    pub runs: Rows,
    /// Which of how many parts of the tensor it is.
    pub part: (usize, usize),
}

/// A tensor that a model is made of.
pub struct Use {
    /// Our name of it.
    pub name: &'static str,
    pub layer: usize,
    /// In GGUF.
    pub shape: Vec<usize>,
    pub how: How,
}

/// What Hugging Face's tensor is to GGUF's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    /// The same rows, or in another order.
    Rows,
    /// Its transpose.
    Turned,
    /// A vector, less this offset.
    Vector { offset: f32 },
    /// One of several in GGUF's.
    Stacked,
}
