//! y [T, G × D] = x / √(mean(x²) + ε) × weight [D], the mean over each of a row's G groups (Zhang & Sennrich 2019,
//! <https://arxiv.org/abs/1910.07467>).

use super::shared::Normalisation;
use crate::device::{BufferId, Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};
use cresset_numerics::rows::{rms_scale, scaled};

pub static RMS_NORM: Kernel = kernel!(rms_norm, [Uniform, Read, Read, Read, Write], shared: ["control"]);

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

/// Records y = rms_norm(x) × weight, or y += that. `weight` holds [D] f32, or [G, D].
pub fn rms_norm(pass: &mut Pass, x: &Tensor, weight: BufferId, how: Normalisation, y: &Tensor) {
    assert_eq!((x.rows, x.columns), (y.rows, y.columns), "rms_norm: shapes");
    let params = Params {
        columns: how.columns(x),
        stride: x.stride() as u32,
        epsilon: how.epsilon,
        rows_kind: pass.logit_rows.into(),
        weight_stride: how.weight_stride(x),
        groups: how.groups as u32,
        unused: [0; 2],
    };
    let options = Options::default().set("ACCUMULATE", how.accumulate.into());
    let bindings = [pass.control, x.buffer, weight, y.buffer];
    pass.record(&RMS_NORM, options, params, &bindings, [how.groups as u32, x.rows as u32, 1]);
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, x, weight) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<f32>(3));
    let mut y = t.write::<f32>(4);
    let accumulate = t.constant("ACCUMULATE") == 1;
    let rows = if p.rows_kind == 1 { Slot::logit_rows(&control) } else { Slot::rows(&control) };
    for (group, at) in Normalisation::spans(rows, p.stride, p.columns, p.groups) {
        let (x, weight) = (&x[at.clone()], &weight[group * p.weight_stride as usize..]);
        scaled(x, rms_scale(x, p.epsilon), weight, accumulate, &mut y[at]);
    }
}
