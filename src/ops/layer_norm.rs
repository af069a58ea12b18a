//! y [T, G × D] = (x − mean(x)) / √(var(x) + ε) × weight [D] + bias [D], over each of a row's G groups (Ba et al. 2016,
//! <https://arxiv.org/abs/1607.06450>).

use super::shared::Normalisation;
use crate::device::{BufferId, Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};

pub static LAYER_NORM: Kernel = kernel!(layer_norm, [Uniform, Read, Read, Read, Read, Write], shared: ["control"]);

params! {
    struct Params {
        columns: u32,
        stride: u32,
        epsilon: f32,
        /// 0: rows in use; 1: logit rows in use.
        rows_kind: u32,
        /// Floats from one group's weights to the next: 0 where all groups share theirs.
        weight_stride: u32,
        groups: u32,
        unused: [u32; 2],
    }
}

/// Records y = layer_norm(x) × weight (+ bias), or y += that. `weight` and `bias` hold [D] f32, or [G, D].
pub fn layer_norm(
    pass: &mut Pass,
    x: &Tensor,
    weight: BufferId,
    bias: Option<BufferId>,
    how: Normalisation,
    y: &Tensor,
) {
    assert_eq!((x.rows, x.columns), (y.rows, y.columns), "layer_norm: shapes");
    let params = Params {
        columns: how.columns(x),
        stride: x.stride() as u32,
        epsilon: how.epsilon,
        rows_kind: pass.logit_rows.into(),
        weight_stride: how.weight_stride(x),
        groups: how.groups as u32,
        unused: [0; 2],
    };
    let options = Options::default().set("ACCUMULATE", how.accumulate.into()).set("BIAS", bias.is_some().into());
    // Without a bias the binding still needs a buffer that nobody reads: control.
    let bindings = [pass.control, x.buffer, weight, bias.unwrap_or(pass.control), y.buffer];
    pass.record(&LAYER_NORM, options, params, &bindings, [how.groups as u32, x.rows as u32, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, x) = (t.read::<u32>(1), t.read::<f32>(2));
    let (weight, bias) = (t.read::<f32>(3), t.read::<f32>(4));
    let (accumulate, biased) = (t.constant("ACCUMULATE") == 1, t.constant("BIAS") == 1);
    let mut y = t.write::<f32>(5);
    let rows = if p.rows_kind == 1 { Slot::logit_rows(&control) } else { Slot::rows(&control) };
    for (group, at) in Normalisation::spans(rows, p.stride, p.columns, p.groups) {
        let (x, first) = (&x[at.clone()], group * p.weight_stride as usize);
        let mean = x.iter().sum::<f32>() / x.len() as f32;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / x.len() as f32;
        let scale = 1.0 / (variance + p.epsilon).sqrt();
        for (i, (y, x)) in y[at].iter_mut().zip(x).enumerate() {
            let normed = (x - mean) * scale * weight[first + i] + if biased { bias[first + i] } else { 0.0 };
            *y = normed + if accumulate { *y } else { 0.0 };
        }
    }
}
