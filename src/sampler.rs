//! Sampling parameters, their ranges and defaults; log-probabilities of logits that were read back. Pure.
//!
//! The draw itself happens on the device (`ops::sample`).

use crate::error::{Error, Result};
use serde_json::Value;
use std::fmt;
use std::sync::LazyLock;

/// The values that a field of a request may have. `Display` says them: "a number from 0 to 2".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The field.
    pub name: &'static str,
    /// The smallest value that is allowed.
    pub min: f64,
    /// Infinite where only memory and context set a limit.
    pub max: f64,
    /// The value of an absent field; `None` if that is no number.
    pub default: Option<f64>,
    /// Whole numbers only.
    pub whole: bool,
}

/// The range of each number of a request.
#[derive(Debug)]
pub struct Ranges {
    /// Above 0, logits are divided by it; 0 is greedy.
    pub temperature: Range,
    /// How many of the most likely tokens stay; 0: all.
    pub top_k: Range,
    /// The total probability of the most likely tokens that stay. As with OpenAI and llama.cpp it may be 0: the most likely
    /// token always stays.
    pub top_p: Range,
    /// The least probability of tokens that stay, relative to the most likely one's.
    pub min_p: Range,
    /// Positive logits of tokens seen are divided by it, so that it is not 0.
    pub repetition_penalty: Range,
    /// Taken off a token's logit for each time it is there.
    pub frequency_penalty: Range,
    /// Taken off a token's logit once it is there.
    pub presence_penalty: Range,
    /// How many of the answer's last tokens penalties look at; 0: the whole answer, -1: the prompt too.
    pub penalty_last_n: Range,
    /// The bias of a token, added to its logit.
    pub logit_bias: Range,
    /// The most tokens of a choice; absent: until the text ends or the context is full.
    pub max_tokens: Range,
    /// Tokens before which nothing ends the text.
    pub min_tokens: Range,
    /// Choices of an answer.
    pub n: Range,
    /// Texts that grow side by side in a search for the likeliest; 1: there is no search.
    pub num_beams: Range,
    /// In a search, a text's score is divided by its length to this power.
    pub length_penalty: Range,
}

/// The one table of ranges and defaults, which the page reads as well: requests are checked by it, the terminal's help shows it.
const TABLE: &str = include_str!("../www/chat/sampling.json");

/// The ranges of the table.
pub static RANGES: LazyLock<Ranges> = LazyLock::new(|| {
    let table: Value = serde_json::from_str(TABLE).expect("the table is JSON");
    let range = |name| Range::read(&table["ranges"], name);
    Ranges {
        temperature: range("temperature"),
        top_k: range("top_k"),
        top_p: range("top_p"),
        min_p: range("min_p"),
        repetition_penalty: range("repetition_penalty"),
        frequency_penalty: range("frequency_penalty"),
        presence_penalty: range("presence_penalty"),
        penalty_last_n: range("penalty_last_n"),
        logit_bias: range("logit_bias"),
        max_tokens: range("max_tokens"),
        min_tokens: range("min_tokens"),
        n: range("n"),
        num_beams: range("num_beams"),
        length_penalty: range("length_penalty"),
    }
});

impl Ranges {
    /// The range of a field, if it is a number of a request.
    pub fn of(&self, field: &str) -> Option<&Range> {
        self.all().into_iter().find(|range| range.name == field)
    }

    /// In the order of the table.
    fn all(&self) -> [&Range; 14] {
        let Ranges { temperature, top_k, top_p, min_p, repetition_penalty, frequency_penalty, .. } = self;
        let Ranges {
            presence_penalty,
            penalty_last_n,
            logit_bias,
            max_tokens,
            min_tokens,
            n,
            num_beams,
            length_penalty,
            ..
        } = self;
        [
            temperature,
            top_k,
            top_p,
            min_p,
            repetition_penalty,
            frequency_penalty,
            presence_penalty,
            penalty_last_n,
            logit_bias,
            max_tokens,
            min_tokens,
            n,
            num_beams,
            length_penalty,
        ]
    }
}

impl Range {
    fn read(ranges: &Value, name: &'static str) -> Range {
        let row = &ranges[name];
        Range {
            name,
            min: row["min"].as_f64().expect("the table has every field"),
            max: row["max"].as_f64().unwrap_or(f64::INFINITY),
            default: row["default"].as_f64(),
            whole: row["whole"] == true,
        }
    }

    /// Whether a request may have this value. NaN lies in no range.
    pub fn has(&self, value: f64) -> bool {
        (self.min..=self.max).contains(&value) && !(self.whole && value.fract() != 0.0)
    }

    /// A value that it has, as a request says it.
    pub fn json(&self, value: f64) -> Value {
        if self.whole { Value::from(value as i64) } else { Value::from(value) }
    }

    /// # Errors
    /// `INVALID_REQUEST` with the field and its range. NaN lies in none.
    pub fn check(&self, value: f32) -> Result<()> {
        let within = self.min as f32 <= value && value <= self.max as f32;
        if within { Ok(()) } else { Err(self.refusal(value)) }
    }

    /// The error for a value that does not lie in it.
    pub fn refusal(&self, value: impl fmt::Display) -> Error {
        Error::invalid(self.name, format!("must be {self}, not {value}"))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { min, max, whole, .. } = self;
        match (whole, *max >= f64::from(u32::MAX)) {
            (false, _) => write!(f, "a number from {min} to {max}"),
            (true, false) => write!(f, "a whole number, from {min} to {max}"),
            (true, true) => write!(f, "a whole number, {min} or more"),
        }
    }
}

/// How the next token is chosen: OpenAI's names, and those that vLLM and Hugging Face added. [`RANGES`] has their ranges and
/// what is usual where a model's files recommend nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// 0 is greedy.
    pub temperature: f32,
    /// Keep this many of the most likely tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep the fewest most likely tokens that together have this probability; 1 keeps all, 0 the most likely alone.
    pub top_p: f32,
    /// Keep tokens at least this likely relative to the most likely one; 0 keeps all.
    pub min_p: f32,
    /// Divides (positive) or multiplies (negative) the logits of the tokens that penalties look at; 1 changes none.
    pub repetition_penalty: f32,
    /// Subtracted from a token's logit for each time it is among them.
    pub frequency_penalty: f32,
    /// Subtracted from the logit of every token among them.
    pub presence_penalty: f32,
    /// How many of the answer's last tokens penalties look at; 0: the whole answer, below 0: the prompt too.
    pub penalty_last_n: i64,
    /// `None`: another text each time.
    pub seed: Option<u64>,
    /// (token id, what is added to its logit).
    pub logit_bias: Vec<(u32, f32)>,
}

impl Default for SamplingParams {
    fn default() -> Self {
        let default = |range: Range| range.default.expect("a number") as f32;
        SamplingParams {
            temperature: default(RANGES.temperature),
            top_k: default(RANGES.top_k) as u32,
            top_p: default(RANGES.top_p),
            min_p: default(RANGES.min_p),
            repetition_penalty: default(RANGES.repetition_penalty),
            frequency_penalty: default(RANGES.frequency_penalty),
            presence_penalty: default(RANGES.presence_penalty),
            penalty_last_n: default(RANGES.penalty_last_n) as i64,
            seed: None,
            logit_bias: Vec::new(),
        }
    }
}

impl SamplingParams {
    /// Checks them for a model of `vocab` ids.
    ///
    /// # Errors
    /// `INVALID_REQUEST` with the field and its range.
    pub fn validate(&self, vocab: usize) -> Result<()> {
        RANGES.temperature.check(self.temperature)?;
        RANGES.top_p.check(self.top_p)?;
        RANGES.min_p.check(self.min_p)?;
        RANGES.repetition_penalty.check(self.repetition_penalty)?;
        RANGES.frequency_penalty.check(self.frequency_penalty)?;
        RANGES.presence_penalty.check(self.presence_penalty)?;
        for &(id, bias) in &self.logit_bias {
            if id as usize >= vocab {
                return Err(Error::invalid("logit_bias", format!("token {id} is not below the vocabulary of {vocab}")));
            }
            RANGES.logit_bias.check(bias)?;
        }
        Ok(())
    }

    /// Whether some penalty changes logits.
    pub fn has_penalties(&self) -> bool {
        self.repetition_penalty != 1.0 || self.frequency_penalty != 0.0 || self.presence_penalty != 0.0
    }
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
    let mut best: Vec<(u32, f32)> = Vec::with_capacity(k + 1);
    for (id, logprob) in (0..).zip(log_softmax(logits)) {
        if best.len() < k || best.last().is_some_and(|last| logprob > last.1) {
            let at = best.partition_point(|better| better.1 >= logprob);
            best.insert(at, (id, logprob));
            best.truncate(k);
        }
    }
    best
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
        refused("top_p", &|p| p.top_p = -1e-6);
        refused("repetition_penalty", &|p| p.repetition_penalty = 0.0);
        refused("logit_bias", &|p| p.logit_bias = vec![(10, 1.0)]);
        refused("logit_bias", &|p| p.logit_bias = vec![(9, 1.0), (3, f32::NAN)]);
        for (temperature, top_p, min_p) in [(0.0, 1.0, 0.0), (2.0, 0.0, 1.0)] {
            let params = SamplingParams { temperature, top_p, min_p, ..Default::default() };
            params.validate(10).unwrap();
        }
    }

    /// As JSON numbers are checked before they become f32: what is allowed there is allowed here.
    #[test]
    fn the_ends_of_every_range_lie_in_it() {
        for range in RANGES.all() {
            let ends = [range.min, range.max.min(f64::MAX)].into_iter().chain(range.default);
            ends.for_each(|end| range.check(end as f32).unwrap());
        }
        assert_eq!(
            RANGES.temperature.check(3.0).unwrap_err().to_string(),
            "temperature: must be a number from 0 to 2, not 3"
        );
        assert_eq!(RANGES.n.to_string(), "a whole number, from 1 to 16");
        assert_eq!(RANGES.max_tokens.to_string(), "a whole number, 0 or more");
    }

    /// The engine reads every row of the table, and of each row every key.
    #[test]
    fn the_table_is_what_is_read() {
        let table: Value = serde_json::from_str(TABLE).unwrap();
        let rows = table["ranges"].as_object().unwrap();
        assert_eq!(rows.keys().collect::<Vec<_>>(), RANGES.all().iter().map(|range| range.name).collect::<Vec<_>>());
        for (range, row) in RANGES.all().into_iter().zip(rows.values()) {
            let Range { name, min, max, default, whole } = *range;
            let max = max.is_finite().then_some(max);
            let read = serde_json::json!({ "min": min, "max": max, "default": default, "whole": whole });
            assert_eq!(row.as_object().unwrap().len(), 4, "{name}");
            for (key, value) in read.as_object().unwrap() {
                assert_eq!((row[key].as_f64(), row[key].as_bool()), (value.as_f64(), value.as_bool()), "{name}: {key}");
            }
        }
        let SamplingParams { temperature, top_k, top_p, min_p, .. } = SamplingParams::default();
        assert_eq!((temperature, top_k, top_p, min_p), (0.7, 0, 0.95, 0.05));
        assert!(!SamplingParams::default().has_penalties());
        let Range { min, max, default, whole, .. } = RANGES.top_k;
        assert_eq!((min, max, default, whole), (0.0, f64::from(u32::MAX), Some(0.0), true));
        let Range { min, max, default, whole, .. } = RANGES.max_tokens;
        assert_eq!((min, max, default, whole), (0.0, f64::INFINITY, None, true));
        assert_eq!(SamplingParams::default().penalty_last_n, 64);
        assert_eq!(RANGES.penalty_last_n.to_string(), "a whole number, -1 or more");
        let Range { min, max, .. } = RANGES.repetition_penalty;
        assert_eq!((min, max), (0.01, 10.0));
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
