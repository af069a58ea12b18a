//! One row of a file's tensor table.

use cresset_numerics::sort_by;
use std::collections::HashSet;
use std::fmt;

use crate::quant::Format;

/// How a tensor's numbers are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DType {
    /// A format this build computes with.
    Known(Format),
    /// Any other, by its name in the file's own terms: `iq2_xs`, `I64`.
    Other(String),
}

impl DType {
    /// The format, if this build computes with it.
    pub fn format(&self) -> Option<Format> {
        match self {
            DType::Known(format) => Some(*format),
            DType::Other(_) => None,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::Known(format) => format.name(),
            DType::Other(name) => name,
        })
    }
}

/// Where a tensor lies and what it is. The ranges were checked against the file when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// As the file has it.
    pub name: String,
    /// Row-major, PyTorch's order: a linear weight is `[out, in]`. A scalar has no dimensions.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub dtype: DType,
    /// Which of the checkpoint's weight files holds it.
    pub file: usize,
    /// First byte, counted from the start of that file.
    pub offset: u64,
    /// Bytes of all numbers.
    pub bytes: u64,
}

impl TensorInfo {
    /// Numbers in all; 1 for a scalar.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Length of the last dimension; 1 for a scalar.
    pub fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The leading dimensions, flattened; 1 for a vector or a scalar.
    pub fn rows(&self) -> usize {
        self.shape.split_last().map_or(1, |(_, leading)| leading.iter().product())
    }

    /// Bytes of one row in the file; 0 if there are no rows.
    pub fn row_bytes(&self) -> u64 {
        self.bytes.checked_div(self.rows() as u64).unwrap_or(0)
    }
}

/// Numbers in a tensor of these dimensions, if memory could hold a byte for each of them.
///
/// Dimensions of zero count as one: `[huge, 0]` must not slip through, since rows are counted without the last dimension.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    let bound = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)))?;
    (bound <= isize::MAX as usize).then(|| shape.iter().product())
}

/// The first reason, if any, why these ranges of one file cannot be: a name that occurs twice, or two that overlap.
pub(super) fn conflict(tensors: &[TensorInfo]) -> Option<String> {
    let mut names = HashSet::with_capacity(tensors.len());
    if let Some(tensor) = tensors.iter().find(|tensor| !names.insert(tensor.name.as_str())) {
        return Some(format!("tensor {:?} occurs twice", tensor.name));
    }
    let mut ranges: Vec<&TensorInfo> = tensors.iter().filter(|tensor| tensor.bytes > 0).collect();
    sort_by(&mut ranges, |a, b| a.offset.cmp(&b.offset));
    let pair = ranges.windows(2).find(|pair| pair[0].offset + pair[0].bytes > pair[1].offset)?;
    Some(format!("tensors {:?} and {:?} overlap", pair[0].name, pair[1].name))
}
