//! y [T, N] = act(norm(x [T, K]) · gateᵀ + b) × (norm(x) · upᵀ + b) for few rows: a gated feed-forward layer (Shazeer
//! 2020, <https://arxiv.org/abs/2002.05202>) up to its last projection, and the RMSNorm before it, in one dispatch.

use super::matvec::{WORKGROUP, fold};
use super::project::{NormedParams, can_share, normed_options, normed_params, normed_rows, operand_products};
use super::{Activation, Prologue, dot};
use crate::device::{BufferId, Kernel, Pass, Tensor, Twin, Weight, kernel};

pub static GATED: Kernel = kernel!(
    gated,
    [Uniform, Read, Read, Read, Read, Read, Read, Write],
    shared: ["control", "normed", "activate"],
    fast: fast
);

/// Records y = act(norm(x) · gateᵀ) × (norm(x) · upᵀ); `bias` holds the f32 biases of gate, then of up.
pub fn gated(
    pass: &mut Pass,
    x: &Tensor,
    norm: Option<Prologue>,
    [gate, up]: [&Weight; 2],
    bias: Option<BufferId>,
    activation: Activation,
    y: &Tensor,
) {
    assert!(can_share(x.rows, &[gate, up]), "gated: weights");
    assert_eq!((gate.rows, gate.columns), (up.rows, up.columns), "gated: shapes of gate and up");
    assert_eq!((x.rows, x.columns, y.columns), (y.rows, gate.columns, gate.rows), "gated: shapes of x and y");
    let params = normed_params(pass, x, norm, &[gate, up], 1.0, y);
    let options = normed_options(pass, x, norm, &[gate, up], bias).set("KIND", activation as u32);
    let lanes = pass.device.tuning().matvec_lanes as usize;
    let [grid_x, grid_y] = fold(gate.rows.div_ceil(WORKGROUP / lanes));
    let norm = norm.map_or(pass.control, |norm| norm.weight);
    let bias = bias.unwrap_or(pass.control);
    let bindings = [pass.control, x.buffer, norm, bias, gate.pieces[0].buffer, up.pieces[0].buffer, y.buffer];
    pass.record(&GATED, options, params, &bindings, [grid_x, grid_y, 1]);
}

fn twin(t: &Twin) {
    let p: NormedParams = t.params();
    let (x, bias) = (normed_rows(t, &p), t.read::<f32>(4));
    let mut y = t.write::<f32>(7);
    let kind = Activation::of(t.constant("KIND"));
    let (k, n) = (p.k as usize, p.n[0] as usize);
    let mut weights = [vec![0f32; k], vec![0f32; k]];
    for i in 0..n {
        for (operand, w) in weights.iter_mut().enumerate() {
            let format = t.formats()[operand];
            let row_bytes = format.row_bytes(k).expect("whole blocks");
            format.dequantize(&t.read::<u8>(5 + operand)[i * row_bytes..][..row_bytes], w);
        }
        let bias = if t.constant("BIAS") == 1 { [bias[i], bias[n + i]] } else { [0.0; 2] };
        for (r, x) in x.iter().enumerate() {
            let [gate, up] = [dot(&weights[0], x) + bias[0], dot(&weights[1], x) + bias[1]];
            y[r * p.y_stride as usize + i] = kind.apply(gate) * up;
        }
    }
}

/// The twin, made for speed.
fn fast(t: &Twin) {
    let p: NormedParams = t.params();
    let (x, bias) = (normed_rows(t, &p), t.read::<f32>(4));
    if x.is_empty() {
        return;
    }
    let (gates, ups) = (operand_products(t, &p, 0, &x), operand_products(t, &p, 1, &x)); // [T, N] each
    let mut y = t.write::<f32>(7);
    let kind = Activation::of(t.constant("KIND"));
    let n = p.n[0] as usize;
    for (r, (gates, ups)) in gates.chunks_exact(n).zip(ups.chunks_exact(n)).enumerate() {
        for (i, (gate, up)) in gates.iter().zip(ups).enumerate() {
            let bias = if t.constant("BIAS") == 1 { [bias[i], bias[n + i]] } else { [0.0; 2] };
            y[r * p.y_stride as usize + i] = kind.apply(gate + bias[0]) * (up + bias[1]);
        }
    }
}
