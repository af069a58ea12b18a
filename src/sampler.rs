//! What a request may say about sampling, checked; and log-probabilities of logits that were read back. Pure.
//!
//! The draw itself happens on the device (`ops::sample`).

use crate::error::{Error, Result};

/// How the next token is chosen: OpenAI's names and defaults, and those that vLLM and Hugging Face added.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// 0 (greedy) to 2.
    pub temperature: f32,
    /// Keep this many of the most likely tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep the fewest most likely tokens that together have this probability; above 0, 1 keeps all.
    pub top_p: f32,
    /// Keep tokens at least this likely relative to the most likely one; 0 (all) to 1.
    pub min_p: f32,
    /// Divides (positive) or multiplies (negative) the logits of tokens seen, prompt included; above 0, 1 changes none.
    pub repetition_penalty: f32,
    /// Subtracted from a token's logit for each time it was generated; −2 to 2.
    pub frequency_penalty: f32,
    /// Subtracted from the logit of every token that was generated; −2 to 2.
    pub presence_penalty: f32,
    /// `None`: another text each time.
    pub seed: Option<u64>,
    /// (token id, what is added to its logit: −100 to 100).
    pub logit_bias: Vec<(u32, f32)>,
}

impl Default for SamplingParams {
    fn default() -> Self {
        SamplingParams {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            seed: None,
            logit_bias: Vec::new(),
        }
    }
}

impl SamplingParams {
    /// Error: `INVALID_REQUEST` with the field and its range. `vocab`: ids of the model.
    pub fn validate(&self, vocab: usize) -> Result<()> {
        between("temperature", self.temperature, 0.0, 2.0)?;
        above_zero("top_p", self.top_p, 1.0)?;
        between("min_p", self.min_p, 0.0, 1.0)?;
        above_zero("repetition_penalty", self.repetition_penalty, 10.0)?;
        between("frequency_penalty", self.frequency_penalty, -2.0, 2.0)?;
        between("presence_penalty", self.presence_penalty, -2.0, 2.0)?;
        for &(id, bias) in &self.logit_bias {
            if id as usize >= vocab {
                return Err(Error::invalid("logit_bias", format!("token {id} is not below the vocabulary of {vocab}")));
            }
            between("logit_bias", bias, -100.0, 100.0)?;
        }
        Ok(())
    }

    /// Whether some penalty changes logits.
    pub fn has_penalties(&self) -> bool {
        self.repetition_penalty != 1.0 || self.frequency_penalty != 0.0 || self.presence_penalty != 0.0
    }
}

/// NaN lies between nothing.
fn between(field: &'static str, value: f32, least: f32, most: f32) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("{value} is not between {least} and {most}")))
}

fn above_zero(field: &'static str, value: f32, most: f32) -> Result<()> {
    if value > 0.0 && value <= most {
        return Ok(());
    }
    Err(Error::invalid(field, format!("{value} is not above 0 and at most {most}")))
}

/// Logits [V] → natural logarithms of their softmax [V].
pub fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let (max, log_sum) = max_and_log_sum(logits);
    logits.iter().map(|z| z - max - log_sum).collect()
}

/// One entry of [`log_softmax`].
pub fn logprob(logits: &[f32], id: u32) -> f32 {
    let (max, log_sum) = max_and_log_sum(logits);
    logits[id as usize] - max - log_sum
}

/// The largest logit, and ln Σ exp(logit − largest).
fn max_and_log_sum(logits: &[f32]) -> (f32, f32) {
    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|z| f64::from(z - max).exp()).sum();
    (max, sum.ln() as f32)
}

/// The `k` most likely (id, log-probability) of logits [V], the likeliest first; of equals, the lower id first.
pub fn top_logprobs(logits: &[f32], k: usize) -> Vec<(u32, f32)> {
    let mut ranked: Vec<(u32, f32)> = (0..).zip(log_softmax(logits)).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.truncate(k);
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert!(SamplingParams::default().validate(10).is_ok());
        let refused = |field: &str, change: &dyn Fn(&mut SamplingParams)| {
            let mut params = SamplingParams::default();
            change(&mut params);
            let error = params.validate(10).unwrap_err();
            assert_eq!(error.code(), "INVALID_REQUEST");
            assert!(error.to_string().starts_with(&format!("{field}: ")), "{error}");
        };
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -2.5, 10.5] {
            refused("temperature", &|p| p.temperature = bad);
            refused("top_p", &|p| p.top_p = bad);
            refused("min_p", &|p| p.min_p = bad);
            refused("repetition_penalty", &|p| p.repetition_penalty = bad);
            refused("frequency_penalty", &|p| p.frequency_penalty = bad);
            refused("presence_penalty", &|p| p.presence_penalty = bad);
        }
        refused("top_p", &|p| p.top_p = 0.0);
        refused("repetition_penalty", &|p| p.repetition_penalty = 0.0);
        refused("logit_bias", &|p| p.logit_bias = vec![(10, 1.0)]);
        refused("logit_bias", &|p| p.logit_bias = vec![(9, 1.0), (3, f32::NAN)]);
        for (temperature, top_p, min_p) in [(0.0, 1.0, 0.0), (2.0, 1e-6, 1.0)] {
            let params = SamplingParams { temperature, top_p, min_p, ..Default::default() };
            params.validate(10).unwrap();
        }
    }

    #[test]
    fn log_probabilities() {
        let logits = [1.0, 3.0, 3.0, -40.0];
        let logprobs = log_softmax(&logits);
        let sum: f32 = logprobs.iter().map(|l| l.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6);
        assert!((logprobs[1] - logprobs[0] - 2.0).abs() < 1e-6);
        assert!((logprobs[3] + 43.0 + (2.0 + (-2f32).exp()).ln()).abs() < 1e-5);
        let top = top_logprobs(&logits, 3);
        assert_eq!(top.iter().map(|t| t.0).collect::<Vec<_>>(), [1, 2, 0]);
        assert_eq!(top_logprobs(&logits, 9).len(), 4);
        // Shifting all logits changes nothing, however large they are.
        let shifted: Vec<f32> = logits.iter().map(|z| z + 1024.0).collect();
        for (a, b) in log_softmax(&shifted).iter().zip(&logprobs) {
            assert!((a - b).abs() < 1e-4);
        }
        // A masked token has no probability and disturbs nobody.
        assert_eq!(log_softmax(&[0.0, f32::NEG_INFINITY]), [0.0, f32::NEG_INFINITY]);
    }
}
