//! y [L, D] = x [T, D] at the rows that get logits: only those go through the output projection.

use super::shared::element_grid;
use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};

pub static GATHER: Kernel = kernel!(gather, [Uniform, Read, Read, Write], shared: ["control"]);

params! {
    struct Params {
        /// Columns in vec4, those of the padding included.
        columns4: u32,
    }
}

/// Records y[i] = x[gathered(i)] for the logit rows in use. Steps after it that work on `y` want `pass.logit_rows`.
pub fn gather(pass: &mut Pass, x: &Tensor, y: &Tensor) {
    assert_eq!(x.columns, y.columns, "gather: columns");
    let params = Params { columns4: (y.stride() / 4) as u32 };
    let bindings = [pass.control, x.buffer, y.buffer];
    pass.record(&GATHER, Options::default(), params, &bindings, element_grid(y));
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, x) = (t.read::<u32>(1), t.read::<f32>(2));
    let mut y = t.write::<f32>(3);
    let stride = p.columns4 as usize * 4;
    for i in 0..Slot::logit_rows(&control) {
        y[i * stride..][..stride].copy_from_slice(&x[Slot::gathered(&control, i) * stride..][..stride]);
    }
}
