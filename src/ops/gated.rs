//! y [T, N] = act(norm(x [T, K]) · gateᵀ + b) × (norm(x) · upᵀ + b) for few rows: a gated feed-forward layer (Shazeer
//! 2020, <https://arxiv.org/abs/2002.05202>) up to its last projection, and the RMSNorm before it, in one dispatch.

use super::Activation;
use super::skinny::{self, DispatchShape, Products, Prologue, Tensor2, fold, or_control};
use crate::device::{BufferId, Kernel, Pass, Slot, Tensor, Twin, Weight, kernel, params};
use cresset_numerics::{activate, products};

pub static GATED: Kernel = kernel!(
    gated,
    [Uniform, Read, Read, Read, Read, Read, Write],
    shared: ["control", "columns", "sums", "activate"]
)
.fast(fast);

params! {
    struct Params {
        n: u32,
        k: u32,
        x_stride4: u32,
        y_stride: u32,
        /// Where the weight begins, and from one row to the next, in vec4<u32>.
        base: u32,
        stride: u32,
        /// Rows from gate to up.
        jump: u32,
        epsilon: f32,
    }
}

/// Whether [`gated`] can do it for so many rows: gate and up lie one behind the other.
pub fn can_gate(rows: usize, gate: &Weight, up: &Weight) -> bool {
    skinny::can_share(rows, &[gate, up]) && skinny::operands(&[gate, up]).len() == 1
}

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
    assert!(can_gate(x.rows, gate, up), "gated: weights");
    assert_eq!((gate.rows, gate.columns), (up.rows, up.columns), "gated: shapes of gate and up");
    assert_eq!((x.rows, x.columns, y.columns), (y.rows, gate.columns, gate.rows), "gated: shapes of x and y");
    let stride = skinny::stride4(gate.format, gate.columns);
    let params = Params {
        n: gate.rows as u32,
        k: gate.columns as u32,
        x_stride4: (x.stride() / 4) as u32,
        y_stride: y.stride() as u32,
        base: gate.pieces[0].at as u32 * stride,
        stride,
        jump: gate.rows as u32,
        epsilon: norm.map_or(0.0, |norm| norm.epsilon),
    };
    let shape = DispatchShape::of(pass, gate.rows, true);
    let options = shape
        .options(&[gate.format], x.rows, x.columns, norm.is_some())
        .set("BIAS", bias.is_some().into())
        .set("KIND", activation as u32);
    let (norm, bias) = (or_control(pass, norm.map(|norm| norm.weight)), or_control(pass, bias));
    let bindings = [pass.control, x.buffer, norm, bias, gate.pieces[0].buffer, y.buffer];
    pass.record(&GATED, options, params, &bindings, fold(shape.groups(gate.rows)));
}

fn twin(t: &Twin) {
    run(t, skinny::specified(t), |kind, gate, up| {
        gate.iter_mut().zip(up).for_each(|(gate, up)| *gate = kind.apply(*gate) * *up);
    });
}

fn fast(t: &Twin) {
    run(t, products, |kind, gate, up| activate(kind, gate, Some(up)));
}

/// `activate(kind, gate, up)`: gate becomes act(gate) × up.
fn run(t: &Twin, products: Products, activate: fn(Activation, &mut [f32], &mut [f32])) {
    let p: Params = t.params();
    let (control, x, bias) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<f32>(4));
    let (n, columns, rows) = (p.n as usize, p.k as usize, Slot::rows(&control));
    if rows == 0 {
        return;
    }
    let x = Tensor2 { numbers: &x, rows, columns, stride: 4 * p.x_stride4 as usize };
    let x = skinny::normed_rows(t, &x, 3, p.epsilon);
    let weight = t.read::<u8>(5);
    let at = (p.base / p.stride.max(1)) as usize;
    let weight = skinny::rows_of(t.format(), &weight, columns, at, 2 * n);
    let mut sums = products(t.format(), weight, &skinny::slices(&x)); // [T, 2N]
    let mut y = t.write::<f32>(6);
    let (kind, biased) = (Activation::of(t.constant("KIND")), t.constant("BIAS") == 1);
    for (r, sums) in sums.chunks_exact_mut(2 * n).enumerate() {
        let (gate, up) = sums.split_at_mut(n);
        if biased {
            gate.iter_mut().zip(&bias[..n]).for_each(|(x, bias)| *x += bias);
            up.iter_mut().zip(&bias[n..]).for_each(|(x, bias)| *x += bias);
        }
        activate(kind, gate, up);
        y[r * p.y_stride as usize..][..n].copy_from_slice(gate);
    }
}
