//! x [T, D] = y [T, D] in the rows that stand for a picture or a sound: what was seen or heard comes in place of the embeddings of
//! placeholder ids (Liu et al. 2023, <https://arxiv.org/abs/2304.08485>).

use super::shared::element_grid;
use crate::device::{BufferId, Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};

pub static MEDIA: Kernel = kernel!(media, [Uniform, Read, Read, Write], shared: ["control"]);

params! {
    struct Params {
        /// Columns in vec4, those of the padding included.
        columns4: u32,
    }
}

/// Records the copy of those rows of `y`, as wide as `x`.
pub fn media(pass: &mut Pass, y: BufferId, x: &Tensor) {
    let params = Params { columns4: (x.stride() / 4) as u32 };
    pass.record(&MEDIA, Options::default(), params, &[pass.control, y, x.buffer], element_grid(x));
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, y) = (t.read::<u32>(1), t.read::<f32>(2));
    let mut x = t.write::<f32>(3);
    let stride = p.columns4 as usize * 4;
    for r in (0..Slot::rows(&control)).filter(|&r| Slot::media_rows(&control, r) > 0) {
        x[r * stride..][..stride].copy_from_slice(&y[r * stride..][..stride]);
    }
}
