//! y [N, D] = the mean of each n consecutive rows of x [N × n, D]: neighbouring patches of a picture become one token.

use super::shared::element_grid;
use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};

pub static AVERAGE: Kernel = kernel!(average, [Uniform, Read, Read, Write], shared: ["control"]);

params! {
    struct Params {
        /// Columns in vec4, those of the padding included.
        columns4: u32,
        /// n
        rows: u32,
    }
}

/// Records the means for the logit rows in use; n is the rows of `x` over those of `y`. Steps after it want `pass.logit_rows`.
pub fn average(pass: &mut Pass, x: &Tensor, y: &Tensor) {
    assert_eq!(x.columns, y.columns, "average: columns");
    let params = Params { columns4: (y.stride() / 4) as u32, rows: (x.rows / y.rows) as u32 };
    pass.record(&AVERAGE, Options::default(), params, &[pass.control, x.buffer, y.buffer], element_grid(y));
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, x) = (t.read::<u32>(1), t.read::<f32>(2));
    let mut y = t.write::<f32>(3);
    let (stride, rows) = (p.columns4 as usize * 4, p.rows as usize);
    for i in 0..Slot::logit_rows(&control) {
        let y = &mut y[i * stride..][..stride];
        y.fill(0.0);
        for row in x[i * rows * stride..][..rows * stride].chunks_exact(stride) {
            y.iter_mut().zip(row).for_each(|(y, x)| *y += x);
        }
        y.iter_mut().for_each(|y| *y /= rows as f32);
    }
}
