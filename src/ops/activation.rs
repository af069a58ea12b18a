//! y [T, D] = act(gate) × up, or act(gate): the non-linearity of a feed-forward layer, gated (Shazeer 2020,
//! <https://arxiv.org/abs/2002.05202>) or plain.

use super::shared::element_grid;
use super::skinny;
use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, kernel, params};
use cresset_numerics::{Activation, activate, in_parallel};

pub static ACTIVATION: Kernel =
    kernel!(activation, [Uniform, Read, Read, Read, Write], shared: ["control", "activate"]).fast(fast);

/// Numbers that are worth a thread of their own.
const WORTH_A_THREAD: usize = 1 << 12;

params! {
    struct Params {
        /// Columns in vec4, those of the padding included.
        columns4: u32,
        /// 0: rows in use; 1: logit rows in use.
        rows_kind: u32,
    }
}

/// Records y = kind(gate) × up, or kind(gate). `y` is neither `gate` nor `up`: a buffer is not read and written at once.
pub fn activation(pass: &mut Pass, gate: &Tensor, up: Option<&Tensor>, kind: Activation, y: &Tensor) {
    assert_eq!((gate.rows, gate.columns), (y.rows, y.columns), "activation: shapes");
    if let Some(up) = up {
        assert_eq!((up.rows, up.columns), (y.rows, y.columns), "activation: shape of up");
    }
    let params = Params { columns4: (y.stride() / 4) as u32, rows_kind: pass.logit_rows.into() };
    let options = Options::default().set("KIND", kind as u32).set("GATED", up.is_some().into());
    // Without a gate the binding still needs a buffer that nobody reads: control.
    let bindings = [pass.control, gate.buffer, up.map_or(pass.control, |up| up.buffer), y.buffer];
    pass.record(&ACTIVATION, options, params, &bindings, element_grid(y));
}

fn twin(t: &Twin) {
    let p: Params = t.params();
    let (control, gate, up) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<f32>(3));
    let mut y = t.write::<f32>(4);
    let (kind, gated) = (Activation::of(t.constant("KIND")), t.constant("GATED") == 1);
    let rows = if p.rows_kind == 1 { Slot::logit_rows(&control) } else { Slot::rows(&control) };
    for i in 0..rows * p.columns4 as usize * 4 {
        y[i] = kind.apply(gate[i]) * if gated { up[i] } else { 1.0 };
    }
}

/// The twin, made for speed.
fn fast(t: &Twin) {
    let p: Params = t.params();
    let (control, gate, up) = (t.read::<u32>(1), t.read::<f32>(2), t.read::<f32>(3));
    let (gate, up) = (&gate[..], &up[..]);
    let mut y = t.write::<f32>(4);
    let (kind, gated) = (Activation::of(t.constant("KIND")), t.constant("GATED") == 1);
    let (rows, stride) = (skinny::rows_wanted(&control, p.rows_kind), p.columns4 as usize * 4);
    in_parallel(&mut y[..rows * stride], stride, (WORTH_A_THREAD / stride).max(1), |first, y| {
        let at = first * stride..first * stride + y.len();
        y.copy_from_slice(&gate[at.clone()]);
        activate(kind, y, gated.then(|| &up[at]));
    });
}
