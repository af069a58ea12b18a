//! y [T, N] = x [T, K] · weightᵀ [N, K] for few rows: each weight is read once and used for all rows.
//!
//! `LANES` threads share an output and meet once, at one barrier; with one lane there is none.

use super::cpu::products;
use super::{Epilogue, dot};
use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, Weight, WeightPiece, kernel};
use crate::quant::DEVICE_BLOCK;
use bytemuck::{Pod, Zeroable};

/// Rows up to which the matvec is preferred to the tiled matmul.
pub const MOST_ROWS: usize = 4;

pub(super) const WORKGROUP: usize = 64;

pub static MATVEC: Kernel =
    kernel!(matvec, [Uniform, Read, Read, Read, Read, Write], shared: ["control", "linear"], fast: fast);

/// Shared by matvec and matmul; `shaders/shared/linear.wgsl` has the same struct.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct LinearParams {
    /// Outputs of this piece of the weight.
    pub n: u32,
    pub k: u32,
    /// Floats from one row to the next, in vec4 for x.
    pub x_stride4: u32,
    pub y_stride: u32,
    /// vec4<u32> from one weight row to the next.
    pub weight_stride4: u32,
    /// First output of this piece.
    pub n_offset: u32,
    /// 0: rows in use; 1: logit rows in use.
    pub rows_kind: u32,
    pub scale: f32,
}

/// Records y = x · weightᵀ for at most [`MOST_ROWS`] rows.
pub fn matvec(pass: &mut Pass, x: &Tensor, weight: &Weight, epilogue: Epilogue, y: &Tensor) {
    let lanes = pass.device.tuning().matvec_lanes;
    for piece in &weight.pieces {
        let outputs = WORKGROUP / lanes as usize;
        let grid = fold(piece.rows.len().div_ceil(outputs));
        let options = linear_options(x, weight, epilogue).set("LANES", lanes).set("ROWS", x.rows as u32);
        record(pass, &MATVEC, options, x, weight, piece, epilogue, y, [grid[0], grid[1], 1]);
    }
}

/// Workgroups in x, folded into y where one dimension would be too long.
pub(crate) fn fold(groups: usize) -> [u32; 2] {
    const MOST: usize = 32768;
    [groups.min(MOST) as u32, groups.div_ceil(MOST) as u32]
}

pub(super) fn linear_options(x: &Tensor, weight: &Weight, epilogue: Epilogue) -> Options {
    Options::weight(weight.format)
        .set("BIAS", epilogue.bias.is_some().into())
        .set("ACCUMULATE", epilogue.accumulate.into())
        // A ragged K leaves part of the last block past the end of x's row.
        .set("RAGGED", (!x.columns.is_multiple_of(DEVICE_BLOCK)).into())
}

#[allow(clippy::too_many_arguments)] // a dispatch has this many parts
pub(super) fn record(
    pass: &mut Pass,
    kernel: &'static Kernel,
    options: Options,
    x: &Tensor,
    weight: &Weight,
    piece: &WeightPiece,
    epilogue: Epilogue,
    y: &Tensor,
    grid: [u32; 3],
) {
    assert_eq!(x.columns, weight.columns, "{}: columns of x and weight", kernel.name);
    assert_eq!(y.columns, weight.rows, "{}: columns of y and rows of weight", kernel.name);
    assert_eq!(x.rows, y.rows, "{}: rows of x and y", kernel.name);
    let params = LinearParams {
        n: piece.rows.len() as u32,
        k: weight.columns as u32,
        x_stride4: (x.stride() / 4) as u32,
        y_stride: y.stride() as u32,
        weight_stride4: (weight.format.device_row_words(weight.columns) / 4) as u32,
        n_offset: piece.rows.start as u32,
        rows_kind: pass.logit_rows.into(),
        scale: epilogue.scale,
    };
    // Without a bias the binding still needs a buffer that nobody reads: control.
    let bias = epilogue.bias.unwrap_or(pass.control);
    pass.record(kernel, options, params, &[pass.control, x.buffer, piece.buffer, bias, y.buffer], grid);
}

/// The specification of matvec and matmul alike.
pub(super) fn twin(t: &Twin) {
    let p: LinearParams = t.params();
    let (control, x, weight) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<u8>(3));
    let bias = (t.constant("BIAS") == 1).then(|| t.read::<f32>(4));
    let accumulate = t.constant("ACCUMULATE") == 1;
    let mut y = t.write::<f32>(5);
    let rows = if p.rows_kind == 1 { Slot::logit_rows(&control) } else { Slot::rows(&control) };
    let (k, format) = (p.k as usize, t.format());
    let row_bytes = format.row_bytes(k).expect("whole blocks");
    let mut w = vec![0f32; k];
    for n in 0..p.n as usize {
        format.dequantize(&weight[n * row_bytes..][..row_bytes], &mut w);
        let column = p.n_offset as usize + n;
        for r in 0..rows {
            let out = &mut y[r * p.y_stride as usize + column];
            let sum = dot(&w, &x[r * p.x_stride4 as usize * 4..][..k]);
            let biased = sum + bias.as_ref().map_or(0.0, |b| b[column]);
            *out = biased * p.scale + if accumulate { *out } else { 0.0 };
        }
    }
}

/// The twin of matvec and matmul alike, made for speed.
pub(super) fn fast(t: &Twin) {
    let p: LinearParams = t.params();
    let (control, x, weight) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<u8>(3));
    let bias = (t.constant("BIAS") == 1).then(|| t.read::<f32>(4));
    let accumulate = t.constant("ACCUMULATE") == 1;
    let mut y = t.write::<f32>(5);
    let rows = if p.rows_kind == 1 { Slot::logit_rows(&control) } else { Slot::rows(&control) };
    let (n, k, format) = (p.n as usize, p.k as usize, t.format());
    if rows == 0 {
        return;
    }
    let row_bytes = format.row_bytes(k).expect("whole blocks");
    let x: Vec<&[f32]> = (0..rows).map(|r| &x[r * p.x_stride4 as usize * 4..][..k]).collect();
    let sums = products(format, &weight[..n * row_bytes], &x); // [T, N]
    let first = p.n_offset as usize;
    for (r, sums) in sums.chunks_exact(n).enumerate() {
        let out = &mut y[r * p.y_stride as usize + first..][..n];
        for (i, (out, sum)) in out.iter_mut().zip(sums).enumerate() {
            let bias = bias.as_ref().map_or(0.0, |b| b[first + i]);
            *out = (sum + bias) * p.scale + if accumulate { *out } else { 0.0 };
        }
    }
}
