//! Shared by kernels: the options of projections and norms, a grid.

use crate::device::{BufferId, Tensor};
use std::ops::Range;

/// The end of a linear projection: (product × scale + bias), written or added.
#[derive(Clone, Copy)]
pub struct Epilogue {
    /// [N], added to each row.
    pub bias: Option<BufferId>,
    /// Adds into the output instead of overwriting it: the residual connection.
    pub accumulate: bool,
    /// Multiplies the product and its bias, before they are added to anything.
    pub scale: f32,
}

impl Default for Epilogue {
    fn default() -> Self {
        Epilogue { bias: None, accumulate: false, scale: 1.0 }
    }
}

/// How rms_norm and layer_norm go over a row [G × D].
#[derive(Debug, Clone, Copy)]
pub struct Normalisation {
    /// Added to the mean square or the variance.
    pub epsilon: f32,
    /// G: consecutive parts of a row that are normalised each by itself, such as heads.
    pub groups: usize,
    /// The weights are [G, D] instead of [D] for all groups.
    pub weight_per_group: bool,
    /// Adds into the output instead of overwriting it: a norm behind a sublayer, with the residual connection.
    pub accumulate: bool,
}

impl Normalisation {
    /// Whole rows.
    pub fn rows(epsilon: f32) -> Self {
        Normalisation { epsilon, groups: 1, weight_per_group: false, accumulate: false }
    }

    /// D.
    pub(super) fn columns(&self, x: &Tensor) -> u32 {
        assert!(x.columns.is_multiple_of(self.groups), "norm: groups");
        (x.columns / self.groups) as u32
    }

    pub(super) fn weight_stride(&self, x: &Tensor) -> u32 {
        if self.weight_per_group { self.columns(x) } else { 0 }
    }

    /// For the twins: each group's number and where it lies, over all rows.
    pub(super) fn spans(
        rows: usize,
        stride: u32,
        columns: u32,
        groups: u32,
    ) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (stride, columns, groups) = (stride as usize, columns as usize, groups as usize);
        (0..rows * groups).map(move |i| {
            let at = i / groups * stride + i % groups * columns;
            (i % groups, at..at + columns)
        })
    }
}

/// Workgroups for one thread per four columns: x along a row, y over the rows.
pub(super) fn element_grid(y: &Tensor) -> [u32; 3] {
    [(y.stride() / 4).div_ceil(64) as u32, y.rows as u32, 1]
}
