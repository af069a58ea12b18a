//! The non-linearities of feed-forward layers, as numbers; `math.rs` has them for many at a time.

/// An element-wise non-linearity; the numbers are `KIND` in `shaders/activation.wgsl`.
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
    /// x · σ(1.702 x): CLIP's approximation of GELU.
    QuickGelu = 4,
}

impl Activation {
    /// All of them, by their numbers.
    pub const ALL: [Activation; 5] =
        [Activation::Silu, Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::QuickGelu];

    /// The one whose number a kernel's constant `KIND` is.
    pub fn of(kind: u32) -> Self {
        Self::ALL[kind as usize]
    }

    /// The specification, for one number.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::Gelu => 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)),
            Activation::GeluTanh => 0.5 * x * (1.0 + (0.797_884_6 * x * (1.0 + 0.044715 * x * x)).tanh()),
            Activation::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
        }
    }
}

/// Abramowitz & Stegun 7.1.26: absolute error below 1.5e-7, f32's own resolution near 1.
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.3275911 * x.abs());
    let p = t * (0.254_829_6 + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152 + t * 1.061_405_4))));
    (1.0 - p * (-x * x).exp()).copysign(x)
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
        for kind in Activation::ALL {
            for x in [1e3, 1e20, 3e38] {
                assert_eq!(kind.apply(x), x, "{kind:?}");
                assert_eq!(kind.apply(-x), 0.0, "{kind:?}");
            }
        }
    }
}
