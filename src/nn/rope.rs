//! Rotary position embedding: the angles, and the scalings that stretch them.

use crate::device::{BufferId, Pass, Tensor};
use crate::ops::{Pairing, rope};
use std::f64::consts::TAU;
use std::ops::Range;

/// A model's rotation; `table` holds [context, dims / 2] pairs of (cos, sin).
#[derive(Clone, Copy)]
pub struct Rope {
    /// [context, dims / 2, 2], f32.
    pub table: BufferId,
    /// Dimensions of a head that turn, from its first on; the rest stay (partial rotary).
    pub dims: usize,
    /// Which two dimensions turn together.
    pub pairing: Pairing,
}

impl Rope {
    /// Turns x [T, heads × head_dim] in place.
    pub fn apply(&self, pass: &mut Pass, x: &Tensor, heads: usize) {
        rope(pass, x, heads, self.dims, self.pairing, self.table);
    }
}

/// How a context longer than the one trained for is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// All angles divided by the factor (Chen et al. 2023, <https://arxiv.org/abs/2306.15595>).
    Linear {
        /// Ratio of the new context to the old.
        factor: f64,
    },
    /// Llama 3.1: long wavelengths are divided, short ones kept, those between interpolated.
    Llama3 {
        /// Divisor of the frequencies of long wavelengths.
        factor: f64,
        /// A wavelength is long past `original_context` / this.
        low_freq_factor: f64,
        /// A wavelength is short up to `original_context` / this.
        high_freq_factor: f64,
        /// Positions that the model was trained for.
        original_context: f64,
    },
    /// YaRN (Peng et al. 2023, <https://arxiv.org/abs/2309.00071>): pairs that turn fewer than `beta_slow` times within
    /// the original context are divided, those that turn more than `beta_fast` times kept, those between interpolated;
    /// `truncate` takes the bounds between pairs as whole pairs. Attention is sharpened by `magnitude`.
    Yarn {
        /// Divisor of the frequencies of slow pairs.
        factor: f64,
        /// Positions that the model was trained for.
        original_context: f64,
        /// Turns from which a pair is fast.
        beta_fast: f64,
        /// Turns up to which a pair is slow.
        beta_slow: f64,
        /// Whether the bounds are whole pairs.
        truncate: bool,
        /// Multiplies cosines and sines.
        magnitude: f64,
    },
    /// One divisor a pair, from the file (GGUF's `rope_freqs.weight`, LongRoPE's factors); all angles' cosines and sines
    /// times `magnitude`.
    Divisors {
        /// [dims / 2]
        divisors: Vec<f32>,
        /// Multiplies cosines and sines.
        magnitude: f64,
    },
}

/// The rotation by position of each pair of columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Angles {
    /// Radians a position adds to each of the `dims / 2` pairs.
    pub frequencies: Vec<f64>,
    /// Multiplies cosines and sines: 1 but for YaRN and LongRoPE.
    pub magnitude: f64,
}

impl Angles {
    /// Rotates `dims` dimensions, pair i by base^(-2i / dims) a position before scaling (Su et al. 2021,
    /// <https://arxiv.org/abs/2104.09864>).
    pub fn new(dims: usize, base: f64, scaling: Option<&RopeScaling>) -> Self {
        let plain = (0..dims / 2).map(|i| base.powf(-2.0 * i as f64 / dims as f64));
        let frequencies = match scaling {
            None => plain.collect(),
            Some(RopeScaling::Linear { factor }) => plain.map(|f| f / factor).collect(),
            Some(RopeScaling::Divisors { divisors, .. }) => {
                plain.zip(divisors).map(|(f, d)| f / f64::from(*d)).collect()
            }
            Some(&RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context }) => plain
                .map(|f| {
                    let turns = original_context * f / TAU;
                    // 0 where a wavelength is too long for the original context, 1 where it fits often enough.
                    let kept = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                    f * kept + f / factor * (1.0 - kept)
                })
                .collect(),
            Some(&RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, truncate, .. }) => {
                // The pair that turns so many times within the original context.
                let pair = |turns: f64| dims as f64 * (original_context / (turns * TAU)).ln() / (2.0 * base.ln());
                let (mut low, mut high) = (pair(beta_fast), pair(beta_slow));
                if truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                let (low, mut high) = (low.max(0.0), high.min(dims as f64 - 1.0));
                if low == high {
                    high += 0.001;
                }
                let stretched = |i: usize| ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                plain.enumerate().map(|(i, f)| f * (1.0 - stretched(i)) + f / factor * stretched(i)).collect()
            }
        };
        let magnitude = match scaling {
            Some(RopeScaling::Yarn { magnitude, .. } | RopeScaling::Divisors { magnitude, .. }) => *magnitude,
            _ => 1.0,
        };
        Angles { frequencies, magnitude }
    }

    /// [positions, dims / 2] pairs of (cos, sin), times the magnitude.
    pub fn table(&self, positions: Range<usize>) -> Vec<f32> {
        let angles = positions.flat_map(|p| self.frequencies.iter().map(move |f| p as f64 * f));
        angles.flat_map(|a| [(a.cos() * self.magnitude) as f32, (a.sin() * self.magnitude) as f32]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama3_keeps_short_waves_and_stretches_long_ones() {
        let plain = Angles::new(64, 10000.0, None).frequencies;
        let scaling =
            RopeScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context: 8192.0 };
        let scaled = Angles::new(64, 10000.0, Some(&scaling)).frequencies;
        assert_eq!(scaled[0], plain[0]);
        let last = plain.len() - 1;
        assert!(scaled[last] <= plain[last]);
        let long = Angles::new(64, 1e7, Some(&scaling)).frequencies;
        assert!((long[last] * 8.0 - Angles::new(64, 1e7, None).frequencies[last]).abs() < 1e-15);
    }

    #[test]
    fn yarn_keeps_short_waves_and_stretches_long_ones() {
        let plain = Angles::new(64, 10000.0, None).frequencies;
        let scaling = RopeScaling::Yarn {
            factor: 4.0,
            original_context: 4096.0,
            beta_fast: 32.0,
            beta_slow: 1.0,
            truncate: true,
            magnitude: 0.1 * 4f64.ln() + 1.0,
        };
        let scaled = Angles::new(64, 10000.0, Some(&scaling));
        assert_eq!(scaled.frequencies[0], plain[0]);
        assert!((scaled.frequencies[31] * 4.0 - plain[31]).abs() < 1e-15);
        assert!(scaled.frequencies.windows(2).all(|pair| pair[1] < pair[0]));
        assert!((f64::from(scaled.table(0..1)[0]) - 1.138_629_436).abs() < 1e-7);
    }

    #[test]
    fn the_table_starts_unturned() {
        let table = Angles::new(4, 100.0, None).table(0..2);
        assert_eq!(table[..4], [1.0, 0.0, 1.0, 0.0]);
        assert!((table[4] - 1f32.cos()).abs() < 1e-7 && (table[7] - 0.1f32.sin()).abs() < 1e-7);
    }
}
