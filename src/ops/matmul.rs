//! y [T, N] = x [T, K] · weightᵀ [N, K] for many rows: 32 × 64 tiles, weights dequantised once into workgroup memory.

use super::Epilogue;
use super::matvec::{fast, linear_options, record, twin};
use crate::device::{Kernel, Pass, Tensor, Weight, kernel};

pub static MATMUL: Kernel =
    kernel!(matmul, [Uniform, Read, Read, Read, Read, Write], shared: ["control", "linear"], fast: fast);

/// Rows and columns of y that one workgroup computes; `shaders/matmul.wgsl` has the same.
const TILE: [usize; 2] = [32, 64];

/// Records y = x · weightᵀ for any number of rows.
pub fn matmul(pass: &mut Pass, x: &Tensor, weight: &Weight, epilogue: Epilogue, y: &Tensor) {
    for piece in &weight.pieces {
        let grid = [piece.rows.len().div_ceil(TILE[1]) as u32, x.rows.div_ceil(TILE[0]) as u32, 1];
        let options = linear_options(x, weight, epilogue);
        record(pass, &MATMUL, options, x, weight, piece, epilogue, y, grid);
    }
}
