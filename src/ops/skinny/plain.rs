//! Products by the specification: weights dequantised, rows multiplied one by one.

use crate::quant::Format;
use cresset_numerics::rows::dot;

/// For plain twins: [T, N] = x · weightᵀ, by the specification.
pub fn plain_products(format: Format, weight: &[u8], x: &[&[f32]]) -> Vec<f32> {
    let columns = x.first().map_or(0, |x| x.len());
    let bytes = format.row_bytes(columns).expect("whole blocks");
    let n = weight.len().checked_div(bytes).unwrap_or(0);
    let mut w = vec![0f32; columns];
    let mut out = vec![0f32; x.len() * n];
    for (i, row) in weight.chunks_exact(bytes.max(1)).enumerate() {
        format.dequantize(row, &mut w);
        for (t, x) in x.iter().enumerate() {
            out[t * n + i] = dot(&w, x);
        }
    }
    out
}

/// Multiplies rows of a weight with rows of x: the specification, or what is made for speed.
pub type Products = fn(Format, &[u8], &[&[f32]]) -> Vec<f32>;

/// As a list of slices.
pub fn slices(rows: &[Vec<f32>]) -> Vec<&[f32]> {
    rows.iter().map(Vec::as_slice).collect()
}
