//! y [T, D] += Σ of weight × (x [T × K, F] · downᵀ) over the K experts that a row goes to.

use super::skinny::{self, DispatchShape};
use crate::device::{Kernel, Pass, Slot, Tensor, Twin, Weight, WeightPiece, kernel, params};
use cresset_numerics::products;

pub static EXPERT_DOWN: Kernel =
    kernel!(expert_down, [Uniform, Read, Read, Read, Read, Write], shared: ["control", "experts", "columns", "sums"])
        .fast(fast);

params! {
    /// Shared with expert_gated; `shaders/shared/experts.wgsl` has the same struct.
    pub(super) struct ExpertParams {
        /// Outputs and columns of one expert.
        pub n: u32,
        pub k: u32,
        pub x_stride4: u32,
        pub y_stride: u32,
        pub weight_stride4: u32,
        pub weight_1_stride4: u32,
        /// Experts of this piece of the weights.
        pub first: u32,
        pub count: u32,
        pub top_k: u32,
        pub routes_stride: u32,
        pub unused: [u32; 2],
    }
}

impl ExpertParams {
    /// The expert's place in this piece, if it is there.
    pub fn local(&self, expert: u32) -> Option<usize> {
        (self.first..self.first + self.count).contains(&expert).then(|| (expert - self.first) as usize)
    }
}

/// Records the second half of a feed-forward layer; `down` holds the experts' matrices [D, F] one behind the other, in
/// pieces of whole experts.
pub fn expert_down(pass: &mut Pass, x: &Tensor, routes: &Tensor, down: &Weight, y: &Tensor) {
    let (top_k, n) = (routes.columns / 2, y.columns);
    assert_eq!((x.rows, x.columns), (y.rows * top_k, down.columns), "expert_down: shapes");
    assert!(down.rows.is_multiple_of(n), "expert_down: experts");
    for piece in &down.pieces {
        let params = expert_params(x, routes, down, piece, n, y);
        let shape = DispatchShape::of(pass, n * y.rows, false);
        let options = shape.options(&[down.format], 1, x.columns, false);
        let bindings = [pass.control, x.buffer, routes.buffer, piece.buffer, y.buffer];
        pass.record(&EXPERT_DOWN, options, params, &bindings, [shape.groups(n) as u32, y.rows as u32, 1]);
    }
}

pub(super) fn expert_params(
    x: &Tensor,
    routes: &Tensor,
    weight: &Weight,
    piece: &WeightPiece,
    n: usize,
    y: &Tensor,
) -> ExpertParams {
    assert!(piece.rows.start.is_multiple_of(n) && piece.rows.len().is_multiple_of(n), "whole experts in a piece");
    assert_eq!(piece.at, 0, "experts have a buffer of their own");
    ExpertParams {
        n: n as u32,
        k: weight.columns as u32,
        x_stride4: (x.stride() / 4) as u32,
        y_stride: y.stride() as u32,
        weight_stride4: skinny::stride4(weight.format, weight.columns),
        weight_1_stride4: 0,
        first: (piece.rows.start / n) as u32,
        count: (piece.rows.len() / n) as u32,
        top_k: (routes.columns / 2) as u32,
        routes_stride: routes.stride() as u32,
        unused: [0; 2],
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
    let (control, x, routes, weight) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<u32>(3), t.read::<u8>(4));
    let mut y = t.write::<f32>(5);
    let (top_k, n, columns) = (p.top_k as usize, p.n as usize, p.k as usize);
    for r in 0..Slot::rows(&control) {
        let routes = &routes[r * p.routes_stride as usize..][..2 * top_k];
        for k in 0..top_k {
            let Some(expert) = p.local(routes[k]) else { continue };
            let x = &x[(r * top_k + k) * p.x_stride4 as usize * 4..][..columns];
            let share = f32::from_bits(routes[top_k + k]);
            let out = products(t.format(), skinny::rows_of(t.format(), &weight, columns, expert * n, n), &[x]); // [D]
            y[r * p.y_stride as usize..].iter_mut().zip(out).for_each(|(y, out)| *y += share * out);
        }
    }
}
