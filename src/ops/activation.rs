//! y [T, D] = act(gate) × up, or act(gate): the non-linearity of a feed-forward layer, gated (Shazeer 2020,
//! <https://arxiv.org/abs/2002.05202>) or plain.

use super::cpu::{activate, in_parallel};
use super::{element_grid, few};
use crate::device::{Kernel, Options, Pass, Slot, Tensor, Twin, kernel};
use bytemuck::{Pod, Zeroable};

pub static ACTIVATION: Kernel =
    kernel!(activation, [Uniform, Read, Read, Read, Write], shared: ["control", "activate"]).fast(fast);

/// An element-wise non-linearity; the numbers are `KIND` in the shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// x · σ(x), also called swish.
    Silu = 0,
    /// x · Φ(x), by the error function (Hendrycks & Gimpel 2016, <https://arxiv.org/abs/1606.08415>).
    Gelu = 1,
    /// GELU by its tanh approximation: GPT-2's.
    GeluTanh = 2,
    /// max(x, 0).
    Relu = 3,
}

/// Numbers that are worth a thread of their own.
const WORTH_A_THREAD: usize = 1 << 12;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    /// Columns in vec4, those of the padding included.
    columns4: u32,
    /// 0: rows in use; 1: logit rows in use.
    rows_kind: u32,
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

impl Activation {
    const ALL: [Activation; 4] = [Activation::Silu, Activation::Gelu, Activation::GeluTanh, Activation::Relu];

    /// The one whose number a kernel's constant `KIND` is.
    pub(super) fn of(kind: u32) -> Self {
        Self::ALL[kind as usize]
    }

    /// The specification, for one number.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::Gelu => 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)),
            Activation::GeluTanh => 0.5 * x * (1.0 + (0.797_884_6 * x * (1.0 + 0.044715 * x * x)).tanh()),
            Activation::Relu => x.max(0.0),
        }
    }
}

/// Abramowitz & Stegun 7.1.26: absolute error below 1.5e-7, f32's own resolution near 1.
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.3275911 * x.abs());
    let p = t * (0.254_829_6 + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152 + t * 1.061_405_4))));
    (1.0 - p * (-x * x).exp()).copysign(x)
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
    let (rows, stride) = (few::rows_wanted(&control, p.rows_kind), p.columns4 as usize * 4);
    in_parallel(&mut y[..rows * stride], stride, (WORTH_A_THREAD / stride).max(1), |first, y| {
        let at = first * stride..first * stride + y.len();
        y.copy_from_slice(&gate[at.clone()]);
        activate(kind, y, gated.then(|| &up[at]));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_agrees_with_its_series() {
        // Further out the series cancels, and erf is ±1 to f32.
        for i in -400..=400 {
            let x = f64::from(i) / 100.0;
            // erf(x) = 2/√π · Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1))
            let (mut term, mut sum) = (x, x);
            for n in 1..200 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            let want = sum * std::f64::consts::FRAC_2_SQRT_PI;
            assert!((f64::from(erf(x as f32)) - want).abs() < 4e-7, "erf({x})");
        }
    }

    #[test]
    fn large_arguments_stay_finite() {
        for kind in [Activation::Silu, Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
            for x in [1e3, 1e20, 3e38] {
                assert_eq!(kind.apply(x), x, "{kind:?}");
                assert_eq!(kind.apply(-x), 0.0, "{kind:?}");
            }
        }
    }
}
