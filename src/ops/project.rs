//! y [T, ΣN] = (norm(x [T, K]) · [W0; W1; W2]ᵀ + b) × scale for few rows: up to three projections that share their
//! input, and the RMSNorm before them, in one dispatch. The formats of the weights may differ.

use super::cpu::products;
use super::matvec::{MOST_ROWS, WORKGROUP, fold};
use crate::device::{BufferId, Kernel, Options, Pass, Slot, Tensor, Twin, Weight, kernel};
use crate::quant::DEVICE_BLOCK;
use bytemuck::{Pod, Zeroable};

pub static PROJECT: Kernel = kernel!(
    project,
    [Uniform, Read, Read, Read, Read, Read, Read, Read, Write],
    shared: ["control", "normed"],
    fast: fast
);

/// The RMSNorm before a projection: weights [K] and ε.
#[derive(Clone, Copy)]
pub struct Prologue {
    pub weight: BufferId,
    pub epsilon: f32,
}

/// Shared by project and gated; `shaders/shared/normed.wgsl` has the same struct.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct NormedParams {
    /// Outputs of each weight.
    pub n: [u32; 3],
    pub k: u32,
    /// vec4<u32> from one row of each weight to the next.
    pub weight_stride4: [u32; 3],
    pub x_stride4: u32,
    pub y_stride: u32,
    /// 0: rows in use; 1: logit rows in use.
    pub rows_kind: u32,
    pub epsilon: f32,
    pub scale: f32,
}

/// Whether weights can share a dispatch of this many rows: few rows, and no weight split over several bindings.
pub fn can_share(rows: usize, weights: &[&Weight]) -> bool {
    rows <= MOST_ROWS && weights.iter().all(|weight| weight.pieces.len() == 1)
}

/// Records the projections of `x` by one to three weights into the columns of `y`, one behind the other; `bias` holds
/// the f32 biases of all of them.
pub fn project(
    pass: &mut Pass,
    x: &Tensor,
    norm: Option<Prologue>,
    weights: &[&Weight],
    bias: Option<BufferId>,
    scale: f32,
    y: &Tensor,
) {
    let outputs: usize = weights.iter().map(|weight| weight.rows).sum();
    assert!((1..=3).contains(&weights.len()) && can_share(x.rows, weights), "project: weights");
    assert!(weights.iter().all(|weight| weight.columns == x.columns), "project: columns of x and the weights");
    assert_eq!((x.rows, outputs), (y.rows, y.columns), "project: shape of y");
    let params = normed_params(pass, x, norm, weights, scale, y);
    let options = normed_options(pass, x, norm, weights, bias);
    let lanes = pass.device.tuning().matvec_lanes as usize;
    let [grid_x, grid_y] = fold(outputs.div_ceil(WORKGROUP / lanes));
    let weight = |i: usize| weights.get(i).map_or(pass.control, |weight| weight.pieces[0].buffer);
    let norm = norm.map_or(pass.control, |norm| norm.weight);
    let bias = bias.unwrap_or(pass.control);
    let bindings = [pass.control, x.buffer, norm, bias, weight(0), weight(1), weight(2), y.buffer];
    pass.record(&PROJECT, options, params, &bindings, [grid_x, grid_y, 1]);
}

pub(super) fn normed_params(
    pass: &Pass,
    x: &Tensor,
    norm: Option<Prologue>,
    weights: &[&Weight],
    scale: f32,
    y: &Tensor,
) -> NormedParams {
    let each = |f: fn(&Weight) -> usize| std::array::from_fn(|i| weights.get(i).map_or(0, |weight| f(weight) as u32));
    NormedParams {
        n: each(|weight| weight.rows),
        k: x.columns as u32,
        weight_stride4: each(|weight| weight.format.device_row_words(weight.columns) / 4),
        x_stride4: (x.stride() / 4) as u32,
        y_stride: y.stride() as u32,
        rows_kind: pass.logit_rows.into(),
        epsilon: norm.map_or(0.0, |norm| norm.epsilon),
        scale,
    }
}

pub(super) fn normed_options(
    pass: &Pass,
    x: &Tensor,
    norm: Option<Prologue>,
    weights: &[&Weight],
    bias: Option<BufferId>,
) -> Options {
    let formats: Vec<_> = weights.iter().map(|weight| weight.format).collect();
    Options::weights(&formats)
        .set("NORM", norm.is_some().into())
        .set("BIAS", bias.is_some().into())
        .set("ROWS", x.rows as u32)
        .set("LANES", pass.device.tuning().matvec_lanes)
        // A ragged K leaves part of the last block past the end of x's row.
        .set("RAGGED", (!x.columns.is_multiple_of(DEVICE_BLOCK)).into())
}

/// The rows in use of x [T, K], normalised where there is a norm.
pub(super) fn normed_rows(t: &Twin, p: &NormedParams) -> Vec<Vec<f32>> {
    let (control, x, norm) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<f32>(3));
    let rows = if p.rows_kind == 1 { Slot::logit_rows(&control) } else { Slot::rows(&control) };
    let row = |r: usize| {
        let x = &x[r * p.x_stride4 as usize * 4..][..p.k as usize];
        if t.constant("NORM") == 0 {
            return x.to_vec();
        }
        let mean = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32;
        let scale = 1.0 / (mean + p.epsilon).sqrt();
        x.iter().zip(norm.iter()).map(|(x, w)| x * scale * w).collect()
    };
    (0..rows).map(row).collect()
}

fn twin(t: &Twin) {
    let p: NormedParams = t.params();
    let (x, bias) = (normed_rows(t, &p), t.read::<f32>(4));
    let mut y = t.write::<f32>(8);
    let mut w = vec![0f32; p.k as usize];
    let mut first = 0;
    for (i, format) in t.formats().iter().enumerate() {
        let weight = t.read::<u8>(5 + i);
        let row_bytes = format.row_bytes(p.k as usize).expect("whole blocks");
        for n in 0..p.n[i] as usize {
            format.dequantize(&weight[n * row_bytes..][..row_bytes], &mut w);
            let bias = if t.constant("BIAS") == 1 { bias[first + n] } else { 0.0 };
            for (r, x) in x.iter().enumerate() {
                y[r * p.y_stride as usize + first + n] = (super::dot(&w, x) + bias) * p.scale;
            }
        }
        first += p.n[i] as usize;
    }
}

/// The twin, made for speed.
fn fast(t: &Twin) {
    let p: NormedParams = t.params();
    let (x, bias) = (normed_rows(t, &p), t.read::<f32>(4));
    if x.is_empty() {
        return;
    }
    let mut y = t.write::<f32>(8);
    let mut first = 0;
    for i in 0..t.formats().len() {
        let n = p.n[i] as usize;
        let sums = operand_products(t, &p, i, &x); // [T, N]
        for (r, sums) in sums.chunks_exact(n).enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                let bias = if t.constant("BIAS") == 1 { bias[first + j] } else { 0.0 };
                y[r * p.y_stride as usize + first + j] = (sum + bias) * p.scale;
            }
        }
        first += n;
    }
}

/// [T, N] = x · the `i`-th weightᵀ.
pub(super) fn operand_products(t: &Twin, p: &NormedParams, i: usize, x: &[Vec<f32>]) -> Vec<f32> {
    let (format, weight) = (t.formats()[i], t.read::<u8>(5 + i));
    let bytes = p.n[i] as usize * format.row_bytes(p.k as usize).expect("whole blocks");
    products(format, &weight[..bytes], &x.iter().map(Vec::as_slice).collect::<Vec<_>>())
}
