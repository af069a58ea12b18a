//! y [T, D] = x / √(mean(x²) + ε) × weight [D] (Zhang & Sennrich 2019, <https://arxiv.org/abs/1910.07467>).

use crate::device::{BufferId, Kernel, Options, Pass, Slot, Tensor, Twin, kernel};
use bytemuck::{Pod, Zeroable};

pub static RMS_NORM: Kernel = kernel!(rms_norm, [Uniform, Read, Read, Read, Write], shared: ["control"]);

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    columns: u32,
    stride: u32,
    epsilon: f32,
    /// 0: rows in use; 1: logit rows in use.
    rows_kind: u32,
}

/// Records y = rms_norm(x) × weight. `weight` holds [D] f32.
pub fn rms_norm(pass: &mut Pass, x: &Tensor, weight: BufferId, epsilon: f32, y: &Tensor) {
    assert_eq!((x.rows, x.columns), (y.rows, y.columns), "rms_norm: shapes");
    let rows_kind = pass.logit_rows.into();
    let params = Params { columns: x.columns as u32, stride: x.stride() as u32, epsilon, rows_kind };
    let bindings = [pass.control, x.buffer, weight, y.buffer];
    pass.record(&RMS_NORM, Options::default(), params, &bindings, [x.rows as u32, 1, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, x, weight) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<f32>(3));
    let mut y = t.write::<f32>(4);
    let rows = if p.rows_kind == 1 { Slot::logit_rows(&control) } else { Slot::rows(&control) };
    for r in 0..rows {
        let at = r * p.stride as usize..r * p.stride as usize + p.columns as usize;
        let x = &x[at.clone()];
        let mean = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32;
        let scale = 1.0 / (mean + p.epsilon).sqrt();
        for ((y, x), w) in y[at].iter_mut().zip(x).zip(weight.iter()) {
            *y = x * scale * w;
        }
    }
}
