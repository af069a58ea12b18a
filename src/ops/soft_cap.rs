//! x [T, N] = cap × tanh(x / cap), in place: logits kept within ±cap (Gemma 2, <https://arxiv.org/abs/2408.00118>). NaN and
//! infinity stay.

use super::shared::element_grid;
use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};

pub static SOFT_CAP: Kernel = kernel!(soft_cap, [Uniform, Read, Write], shared: ["control"]);

params! {
    struct Params {
        /// Columns in vec4, those of the padding included.
        columns4: u32,
        /// 0: rows in use; 1: logit rows in use.
        rows_kind: u32,
        cap: f32,
        unused: u32,
    }
}

/// Records x = cap × tanh(x / cap).
pub fn soft_cap(pass: &mut Pass, x: &Tensor, cap: f32) {
    let rows_kind = pass.logit_rows.into();
    let params = Params { columns4: (x.stride() / 4) as u32, rows_kind, cap, unused: 0 };
    pass.record(&SOFT_CAP, Options::default(), params, &[pass.control, x.buffer], element_grid(x));
}

/// cap × tanh(x / cap). What is not finite stays: tanh would make a number of it.
pub(super) fn capped(x: f32, cap: f32) -> f32 {
    if x.is_finite() { cap * (x / cap).tanh() } else { x }
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let control = t.read::<u32>(1);
    let mut x = t.write::<f32>(2);
    let rows = if p.rows_kind == 1 { Slot::logit_rows(&control) } else { Slot::rows(&control) };
    for x in &mut x[..rows * p.columns4 as usize * 4] {
        *x = capped(*x, p.cap);
    }
}
