//! y [T × K, F] = act(x · gateᵀ) × (x · upᵀ) of each of the K experts that a row of x [T, D] goes to.

use super::Activation;
use super::expert_down::{ExpertParams, expert_params};
use super::skinny::{self, DispatchShape};
use crate::device::{Kernel, Pass, Slot, Tensor, Twin, Weight, kernel};
use cresset_numerics::products;

pub static EXPERT_GATED: Kernel = kernel!(
    expert_gated,
    [Uniform, Read, Read, Read, Read, Read, Write],
    shared: ["control", "experts", "columns", "sums", "activate"]
)
.fast(fast);

/// Records the first half of a gated feed-forward layer for the experts in `routes` [T, 2K]; `gate` and `up` hold the
/// experts' matrices [F, D] one behind the other, in pieces of whole experts.
pub fn expert_gated(
    pass: &mut Pass,
    x: &Tensor,
    routes: &Tensor,
    [gate, up]: [&Weight; 2],
    activation: Activation,
    y: &Tensor,
) {
    let (top_k, n) = (routes.columns / 2, y.columns);
    assert_eq!((y.rows, gate.columns, up.columns), (x.rows * top_k, x.columns, x.columns), "expert_gated: shapes");
    assert!(gate.rows == up.rows && gate.rows.is_multiple_of(n), "expert_gated: experts");
    for (piece, piece_up) in gate.pieces.iter().zip(&up.pieces) {
        assert_eq!(piece.rows, piece_up.rows, "expert_gated: pieces of gate and up");
        let mut params = expert_params(x, routes, gate, piece, n, y);
        params.weight_1_stride4 = skinny::stride4(up.format, up.columns);
        let shape = DispatchShape::of(pass, n * y.rows, false);
        let options = shape.options(&[gate.format, up.format], 1, x.columns, false).set("KIND", activation as u32);
        let bindings = [pass.control, x.buffer, routes.buffer, piece.buffer, piece_up.buffer, y.buffer];
        pass.record(&EXPERT_GATED, options, params, &bindings, [shape.groups(n) as u32, y.rows as u32, 1]);
    }
}

fn twin(t: &Twin) {
    run(t, skinny::specified(t));
}

fn fast(t: &Twin) {
    run(t, products);
}

fn run(t: &Twin, products: skinny::Products) {
    let p: ExpertParams = t.params();
    let (control, x, routes) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<u32>(3));
    let weights = [t.read::<u8>(4), t.read::<u8>(5)];
    let mut y = t.write::<f32>(6);
    let kind = Activation::of(t.constant("KIND"));
    let (n, columns) = (p.n as usize, p.k as usize);
    for r in 0..Slot::rows(&control) {
        let x = &x[r * p.x_stride4 as usize * 4..][..columns];
        for k in 0..p.top_k as usize {
            let Some(expert) = p.local(routes[r * p.routes_stride as usize + k]) else { continue };
            let [gate, up] = [0, 1].map(|i| {
                let format = t.formats()[i];
                products(format, skinny::rows_of(format, &weights[i], columns, expert * n, n), &[x]) // [F]
            });
            let y = &mut y[(r * p.top_k as usize + k) * p.y_stride as usize..];
            for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
                *y = kind.apply(gate) * up;
            }
        }
    }
}
