//! Functions of numbers without branches, so that loops over them become vector code.

use crate::activation::Activation;
use crate::dispatch::{Vectorized, vectorized};
use crate::lanes::Lanes;

/// The larger one; `b` where `a` is NaN. `f32::max` is a call for each number in wasm, this an instruction for four.
#[inline(always)]
pub fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// Numbers joined two by two: loops over fixed counts become vector code. `N` is a power of two.
#[inline(always)]
pub fn folded<const N: usize>(numbers: &[f32; N], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut left = *numbers;
    let mut n = N / 2;
    while n > 0 {
        for i in 0..n {
            left[i] = join(left[i], left[i + n]);
        }
        n /= 2;
    }
    left[0]
}

/// eˣ to within two units in the last place, for x ≤ 0.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 × 2²³: adding it leaves no digits behind the point
    let x = max(x, -87.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND; // the whole number is in its lowest bits
    let n = shifted - ROUND;
    let f = (x - n * 0.693_359_4) - n * -2.121_944_4e-4; // ln 2 in two parts
    let series = 1.0 / 6.0 + f * (1.0 / 24.0 + f * (1.0 / 120.0 + f * (1.0 / 720.0)));
    let power = f32::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    power * (1.0 + f * (1.0 + f * (0.5 + f * series)))
}

/// 1 / (1 + e⁻ˣ).
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let one = if x < 0.0 { e } else { 1.0 };
    one / (1.0 + e)
}

/// The hyperbolic tangent, by [`exp`].
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let e = exp(-2.0 * x.abs());
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

/// c · tanh(x / c). What is not finite stays: tanh would make a number of it.
#[inline(always)]
pub fn soft_cap(x: f32, cap: f32) -> f32 {
    let capped = cap * tanh(x / cap);
    if x.abs() < f32::INFINITY { capped } else { x }
}

/// As in `activation.rs`.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.3275911 * x.abs());
    let p = t * (0.254_829_6 + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152 + t * 1.061_405_4))));
    (1.0 - p * exp(-x * x)).copysign(x)
}

/// [`Activation::apply`], of many numbers: gate becomes act(gate) × up, or act(gate).
pub fn activate(kind: Activation, gate: &mut [f32], up: Option<&[f32]>) {
    vectorized(Activate { kind, gate, up });
}

struct Activate<'a> {
    kind: Activation,
    gate: &'a mut [f32],
    up: Option<&'a [f32]>,
}

impl Vectorized for Activate<'_> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        activate_on_lanes(self.kind, self.gate, self.up);
    }
}

#[inline(always)]
fn activate_on_lanes(kind: Activation, gate: &mut [f32], up: Option<&[f32]>) {
    match kind {
        // One loop for both: × 1 changes nothing.
        Activation::Silu | Activation::QuickGelu => {
            let steepness = if kind == Activation::Silu { 1.0 } else { 1.702 };
            each(gate, up, |x| x * sigmoid(steepness * x));
        }
        Activation::Gelu => each(gate, up, |x| 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))),
        Activation::GeluTanh => each(gate, up, |x| 0.5 * x * (1.0 + tanh(0.797_884_6 * x * (1.0 + 0.044715 * x * x)))),
        Activation::Relu => each(gate, up, |x| if x < 0.0 { 0.0 } else { x }),
    }
}

#[inline(always)]
fn each(gate: &mut [f32], up: Option<&[f32]>, act: impl Fn(f32) -> f32) {
    match up {
        Some(up) => gate.iter_mut().zip(up).for_each(|(x, up)| *x = act(*x) * up),
        None => gate.iter_mut().for_each(|x| *x = act(*x)),
    }
}

#[cfg(test)]
mod tests {
    use super::{activate, exp};
    use crate::activation::Activation;

    #[test]
    fn exponentials() {
        for i in 0..=86_000 {
            let x = -(i as f32) / 1000.0;
            let want = f64::from(x).exp();
            assert!((f64::from(exp(x)) - want).abs() <= 3e-7 * want, "{x}");
        }
        assert!(exp(f32::MIN) < 1e-37 && exp(0.0) == 1.0);
    }

    #[test]
    fn activations() {
        for kind in Activation::ALL {
            let x: Vec<f32> = (-2000..=2000).map(|i| i as f32 / 100.0).chain([1e3, -1e3, 1e20, -1e20]).collect();
            let mut got = x.clone();
            activate(kind, &mut got, None);
            for (got, x) in got.iter().zip(&x) {
                let want = kind.apply(*x);
                assert!((got - want).abs() <= 1e-6 + 1e-6 * want.abs(), "{kind:?} of {x}: {got}, not {want}");
            }
        }
    }
}
