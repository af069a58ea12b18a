//! y [T, D] += x [T, D]: the residual connection.

use super::shared::element_grid;
use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};

pub static ADD: Kernel = kernel!(add, [Uniform, Read, Read, Write], shared: ["control"]);

params! {
    struct Params {
        /// Columns in vec4, those of the padding included.
        columns4: u32,
        /// 0: rows in use; 1: logit rows in use.
        rows_kind: u32,
    }
}

/// Records y += x.
pub fn add(pass: &mut Pass, x: &Tensor, y: &Tensor) {
    assert_eq!((x.rows, x.columns), (y.rows, y.columns), "add: shapes");
    let params = Params { columns4: (y.stride() / 4) as u32, rows_kind: pass.logit_rows.into() };
    let bindings = [pass.control, x.buffer, y.buffer];
    pass.record(&ADD, Options::default(), params, &bindings, element_grid(y));
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, x) = (t.read::<u32>(1), t.read::<f32>(2));
    let mut y = t.write::<f32>(3);
    let rows = if p.rows_kind == 1 { Slot::logit_rows(&control) } else { Slot::rows(&control) };
    let floats = rows * p.columns4 as usize * 4;
    for (y, x) in y[..floats].iter_mut().zip(x.iter()) {
        *y += x;
    }
}
