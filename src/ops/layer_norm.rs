//! y [T, D] = (x − mean(x)) / √(var(x) + ε) × weight [D] + bias [D] (Ba et al. 2016, <https://arxiv.org/abs/1607.06450>).

use crate::device::{BufferId, Kernel, Options, Pass, Slot, Tensor, Twin, kernel};
use bytemuck::{Pod, Zeroable};

pub static LAYER_NORM: Kernel = kernel!(layer_norm, [Uniform, Read, Read, Read, Read, Write], shared: ["control"]);

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    columns: u32,
    stride: u32,
    epsilon: f32,
    /// 0: rows in use; 1: logit rows in use.
    rows_kind: u32,
}

/// Records y = layer_norm(x) × weight + bias. `weight` and `bias` hold [D] f32.
pub fn layer_norm(pass: &mut Pass, x: &Tensor, weight: BufferId, bias: BufferId, epsilon: f32, y: &Tensor) {
    assert_eq!((x.rows, x.columns), (y.rows, y.columns), "layer_norm: shapes");
    let rows_kind = pass.logit_rows.into();
    let params = Params { columns: x.columns as u32, stride: x.stride() as u32, epsilon, rows_kind };
    let bindings = [pass.control, x.buffer, weight, bias, y.buffer];
    pass.record(&LAYER_NORM, Options::default(), params, &bindings, [x.rows as u32, 1, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, x) = (t.read::<u32>(1), t.read::<f32>(2));
    let (weight, bias) = (t.read::<f32>(3), t.read::<f32>(4));
    let mut y = t.write::<f32>(5);
    let rows = if p.rows_kind == 1 { Slot::logit_rows(&control) } else { Slot::rows(&control) };
    for r in 0..rows {
        let at = r * p.stride as usize..r * p.stride as usize + p.columns as usize;
        let x = &x[at.clone()];
        let mean = x.iter().sum::<f32>() / x.len() as f32;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / x.len() as f32;
        let scale = 1.0 / (variance + p.epsilon).sqrt();
        for (((y, x), w), b) in y[at].iter_mut().zip(x).zip(weight.iter()).zip(bias.iter()) {
            *y = (x - mean) * scale * w + b;
        }
    }
}
