//! A window's ids, and how sure the model is of them.

use crate::ops::largest;
use miniz_oxide::deflate::compress_to_vec_zlib;

/// The text that was drawn for a window, as ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Without those that opened it, and without the end.
    pub ids: Vec<u32>,
    /// The temperature that they were drawn with.
    pub temperature: f32,
    /// Mean of the logarithms of their probabilities, the end's among them.
    pub mean_log_probability: f32,
    /// Bytes of the ids over those that they are compressed to: high where the text goes round in circles.
    pub compression: f32,
    /// Probability that nothing is said.
    pub no_speech: f32,
}

/// Temperatures that are tried one after the other, as in Whisper's own program.
pub const TEMPERATURES: [f32; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
const MOST_COMPRESSION: f32 = 2.4;
const LEAST_LOG_PROBABILITY: f32 = -1.0;
const MOST_NO_SPEECH: f32 = 0.6;

impl Draft {
    /// Whether nothing is said, as far as the model can tell.
    pub fn is_silence(&self) -> bool {
        self.no_speech > MOST_NO_SPEECH && self.mean_log_probability < LEAST_LOG_PROBABILITY
    }

    /// Whether it is worth another try.
    pub fn is_doubtful(&self) -> bool {
        let doubtful = self.compression > MOST_COMPRESSION || self.mean_log_probability < LEAST_LOG_PROBABILITY;
        doubtful && !self.is_silence()
    }
}

/// How far ids of a vocabulary of this size can be compressed.
pub fn compression(ids: &[u32], vocabulary: usize) -> f32 {
    let width = (vocabulary as f64).log2() as usize / 8 + 1;
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes().into_iter().take(width)).collect();
    bytes.len() as f32 / compress_to_vec_zlib(&bytes, 6).len() as f32
}

/// The largest logit's id; at a temperature one drawn by `random` (0 to 1) from the probabilities.
pub fn choose(logits: &[f32], temperature: f32, random: f64) -> u32 {
    if temperature == 0.0 {
        return largest(logits) as u32;
    }
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |z: f32| f64::from((z - most) / temperature).exp();
    let sum: f64 = logits.iter().map(|&z| weight(z)).sum();
    let mut left = random * sum;
    let mut last = 0;
    for (id, &z) in logits.iter().enumerate().filter(|(_, z)| **z > f32::NEG_INFINITY) {
        last = id as u32;
        left -= weight(z);
        if left <= 0.0 {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_is_compressed() {
        let varied: Vec<u32> = (0..60).map(|i| i * 7919 % 50_000).collect();
        assert!(compression(&varied, 51_865) < 1.5);
        assert!(compression(&[17, 4, 99].repeat(30), 51_865) > MOST_COMPRESSION);
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let logits = [0.0, f32::NEG_INFINITY, 3f32.ln(), 0.0];
        assert_eq!(choose(&logits, 0.0, 0.99), 2);
        let drawn = |random| choose(&logits, 1.0, random);
        assert_eq!([0.1, 0.3, 0.79, 0.81, 1.0].map(drawn), [0, 2, 2, 3, 3]);
    }
}
