//! y [T, N] = (x [T, K] · weightᵀ [N, K] + b) × scale (+ y) for many rows: tiles of up to 64 × 64, weights unpacked
//! once into workgroup memory.

use super::shared::Epilogue;
use super::skinny::{self, Products, or_control};
use crate::device::{Kernel, MatmulShape, Options, Pass, Tensor, TileFormat, Twin, Weight, kernel, params, piece};
use crate::quant::DEVICE_BLOCK;
use cresset_numerics::products;
use cresset_numerics::rows::finish;

pub static MATMUL: Kernel =
    kernel!(matmul, [Uniform, Read, Read, Read, Read, Write], shared: ["control", "columns"]).fast(fast);

/// Outputs that one workgroup computes, and rows for each of a thread's; `shaders/matmul.wgsl` has the same.
const TILE: [usize; 2] = [64, 8];

params! {
    struct Params {
        n: u32,
        k: u32,
        x_stride4: u32,
        y_stride: u32,
        /// Where the weight begins, and from one row to the next, in vec4<u32>.
        base: u32,
        stride: u32,
        n_offset: u32,
        /// 0: rows in use; 1: logit rows in use.
        rows_kind: u32,
        scale: f32,
        /// Rows of this dispatch.
        first_row: u32,
        rows: u32,
        unused: u32,
    }
}

/// Rows of a dispatch: an encoder's thousands in one would be seconds of work for a slow device.
const ROWS: usize = 1024;

/// Records y = x · weightᵀ for any number of rows.
pub fn matmul(pass: &mut Pass, x: &Tensor, weight: &Weight, epilogue: Epilogue, y: &Tensor) {
    skinny::check_columns("matmul", x, weight);
    assert_eq!((y.rows, y.columns), (x.rows, weight.rows), "matmul: shape of y");
    let MatmulShape { tall, numbers } = pass.device.tuning().matmul;
    let stride = skinny::stride4(weight.format, weight.columns);
    let parts = (0..x.rows).step_by(ROWS).flat_map(|first| weight.pieces.iter().map(move |piece| (first, piece)));
    for (first_row, piece) in parts {
        let rows = ROWS.min(x.rows - first_row);
        let params = Params {
            n: piece.rows.len() as u32,
            k: weight.columns as u32,
            x_stride4: (x.stride() / 4) as u32,
            y_stride: y.stride() as u32,
            base: piece.at as u32 * stride,
            stride,
            n_offset: piece.rows.start as u32,
            rows_kind: pass.logit_rows.into(),
            scale: epilogue.scale,
            first_row: first_row as u32,
            rows: rows as u32,
            unused: 0,
        };
        let mut options = Options::weight(weight.format)
            .set("BIAS", epilogue.bias.is_some().into())
            .set("ACCUMULATE", epilogue.accumulate.into())
            // A ragged K leaves part of the last block past the end of x's row.
            .set("RAGGED", (!x.columns.is_multiple_of(DEVICE_BLOCK)).into())
            .set("TALL", tall);
        options = skinny::packed(options, numbers == TileFormat::Packed, &[weight.format]);
        options.features.f16 = numbers == TileFormat::F16;
        options = match numbers {
            _ if options.features.packed => options.piece(piece!("tiles_packed")),
            TileFormat::F16 => options.piece(piece!("numbers_f16")).piece(piece!("tiles_numbers")),
            _ => options.piece(piece!("numbers_f32")).piece(piece!("tiles_numbers")),
        };
        let bindings = [pass.control, x.buffer, piece.buffer, or_control(pass, epilogue.bias), y.buffer];
        let tiles = [piece.rows.len().div_ceil(TILE[0]), rows.div_ceil(TILE[1] * tall as usize)];
        pass.record(&MATMUL, options, params, &bindings, [tiles[0] as u32, tiles[1] as u32, 1]);
    }
}

fn twin(t: &Twin) {
    run(t, skinny::specified(t));
}

fn fast(t: &Twin) {
    run(t, products);
}

fn run(t: &Twin, products: Products) {
    let p: Params = t.params();
    let (control, x, weight) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<u8>(3));
    let first_row = p.first_row as usize;
    let end = skinny::rows_wanted(&control, p.rows_kind).min(first_row + p.rows as usize);
    if end <= first_row {
        return;
    }
    let (n, columns, stride) = (p.n as usize, p.k as usize, 4 * p.x_stride4 as usize);
    let x: Vec<&[f32]> = (first_row..end).map(|r| &x[r * stride..][..columns]).collect();
    let weight = skinny::rows_of(t.format(), &weight, columns, (p.base / p.stride.max(1)) as usize, n);
    let sums = products(t.format(), weight, &x); // [T, N]
    let (bias, mut y) = (t.read::<f32>(4), t.write::<f32>(5));
    let first = p.n_offset as usize;
    let bias = (t.constant("BIAS") == 1).then(|| &bias[first..]);
    let accumulate = t.constant("ACCUMULATE") == 1;
    for (r, sums) in (first_row..).zip(sums.chunks_exact(n)) {
        finish(sums, bias, p.scale, accumulate, &mut y[r * p.y_stride as usize + first..][..n]);
    }
}
