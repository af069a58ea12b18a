//! Rotary position embedding: the angles, and the scalings that stretch them.

use crate::device::{BufferId, Pass, Tensor};
use crate::ops::{Pairing, rope};
use std::ops::Range;

/// A model's rotation; `table` holds [context, dims / 2] pairs of (cos, sin).
#[derive(Clone, Copy)]
pub struct Rope {
    pub table: BufferId,
    pub dims: usize,
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
    Linear { factor: f64 },
    /// Llama 3.1: long wavelengths are divided, short ones kept, those between interpolated.
    Llama3 { factor: f64, low_freq_factor: f64, high_freq_factor: f64, original_context: f64 },
    /// One divisor a pair, from the file (GGUF's `rope_freqs.weight`).
    Divisors(Vec<f32>),
}

/// The angle a position adds to each of the `dims / 2` pairs, in radians.
pub fn inverse_frequencies(dims: usize, base: f64, scaling: Option<&RopeScaling>) -> Vec<f64> {
    let plain = (0..dims / 2).map(|i| base.powf(-2.0 * i as f64 / dims as f64));
    match scaling {
        None => plain.collect(),
        Some(RopeScaling::Linear { factor }) => plain.map(|f| f / factor).collect(),
        Some(RopeScaling::Divisors(divisors)) => plain.zip(divisors).map(|(f, d)| f / f64::from(*d)).collect(),
        Some(&RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context }) => plain
            .map(|f| {
                let turns = original_context * f / std::f64::consts::TAU;
                // 0 where a wavelength is too long for the original context, 1 where it fits often enough.
                let kept = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                f * kept + f / factor * (1.0 - kept)
            })
            .collect(),
    }
}

/// [positions, frequencies] pairs of (cos, sin).
pub fn rope_table(frequencies: &[f64], positions: Range<usize>) -> Vec<f32> {
    let angles = positions.flat_map(|p| frequencies.iter().map(move |f| p as f64 * f));
    angles.flat_map(|a| [a.cos() as f32, a.sin() as f32]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama3_keeps_short_waves_and_stretches_long_ones() {
        let plain = inverse_frequencies(64, 10000.0, None);
        let scaling =
            RopeScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context: 8192.0 };
        let scaled = inverse_frequencies(64, 10000.0, Some(&scaling));
        assert_eq!(scaled[0], plain[0]);
        let last = plain.len() - 1;
        let turns = 8192.0 * plain[last] / std::f64::consts::TAU;
        assert!(turns > 0.0 && scaled[last] <= plain[last]);
        let long = inverse_frequencies(64, 1e7, Some(&scaling));
        assert!((long[last] * 8.0 - inverse_frequencies(64, 1e7, None)[last]).abs() < 1e-15);
    }

    #[test]
    fn the_table_starts_unturned() {
        let table = rope_table(&inverse_frequencies(4, 100.0, None), 0..2);
        assert_eq!(table[..4], [1.0, 0.0, 1.0, 0.0]);
        assert!((table[4] - 1f32.cos()).abs() < 1e-7 && (table[7] - 0.1f32.sin()).abs() < 1e-7);
    }
}
