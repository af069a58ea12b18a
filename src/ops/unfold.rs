//! y [T, taps × C] = for each row the `taps` rows of x [R, C] around it, zeros beyond its ends: a convolution is a projection of
//! that (Chellapilla et al. 2006, "High Performance Convolutional Neural Networks for Document Processing").

use super::shared::element_grid;
use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};

pub static UNFOLD: Kernel = kernel!(unfold, [Uniform, Read, Read, Write], shared: ["control"]);

params! {
    struct Params {
        /// Columns of x in vec4.
        columns4: u32,
        taps: u32,
        step: u32,
        before: u32,
        /// Rows of x.
        rows: u32,
        unused: [u32; 3],
    }
}

/// Records row t of `y`: the rows t × `step` − `before` and those behind it, as many as `y` is wider than `x`.
pub fn unfold(pass: &mut Pass, x: &Tensor, step: usize, before: usize, y: &Tensor) {
    assert!(x.columns.is_multiple_of(4) && y.columns.is_multiple_of(x.columns), "unfold: columns");
    let params = Params {
        columns4: (x.columns / 4) as u32,
        taps: (y.columns / x.columns) as u32,
        step: step as u32,
        before: before as u32,
        rows: x.rows as u32,
        unused: [0; 3],
    };
    pass.record(&UNFOLD, Options::default(), params, &[pass.control, x.buffer, y.buffer], element_grid(y));
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, x) = (t.read::<u32>(1), t.read::<f32>(2));
    let mut y = t.write::<f32>(3);
    let (columns, taps) = (4 * p.columns4 as usize, p.taps as usize);
    for r in 0..Slot::rows(&control) {
        for tap in 0..taps {
            let y = &mut y[(r * taps + tap) * columns..][..columns];
            match (r * p.step as usize + tap).checked_sub(p.before as usize) {
                Some(row) if row < p.rows as usize => y.copy_from_slice(&x[row * columns..][..columns]),
                _ => y.fill(0.0),
            }
        }
    }
}
