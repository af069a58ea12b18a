//! The sampling parameters that a model's makers recommend: in `generation_config.json`, or in GGUF's metadata.

use super::{Checkpoint, Value};

/// A number that a model's files recommend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recommended {
    /// The field of a request that it stands for.
    pub field: &'static str,
    /// Its key in GGUF's metadata.
    pub gguf: &'static str,
    /// The number, within no range.
    pub value: f64,
}

impl Recommended {
    /// The number as GGUF holds it: counts as integers.
    pub fn gguf_value(&self) -> Value {
        match self.field {
            "top_k" | "penalty_last_n" => (self.value as i32).into(),
            _ => (self.value as f32).into(),
        }
    }
}

/// How many tokens penalties look at; 0 turns them off there.
const PENALTY_LAST_N: &str = "general.sampling.penalty_last_n";

/// Fields of a request, each with its names in `generation_config.json` and, as llama.cpp has them, in GGUF's metadata.
#[rustfmt::skip] // a table
const KEYS: &[(&str, &str, &str)] = &[
    ("temperature",        "temperature",        "general.sampling.temp"),
    ("top_k",              "top_k",              "general.sampling.top_k"),
    ("top_p",              "top_p",              "general.sampling.top_p"),
    ("min_p",              "min_p",              "general.sampling.min_p"),
    ("repetition_penalty", "repetition_penalty", "general.sampling.penalty_repeat"),
    ("penalty_last_n",     "penalty_last_n",     PENALTY_LAST_N),
];

/// The recommended numbers, at most one for a field. What is there but no number is passed over.
pub fn recommended(checkpoint: &Checkpoint) -> Vec<Recommended> {
    let metadata = checkpoint.metadata();
    let config = checkpoint.generation_config();
    let of_metadata = |key: &str| metadata.f32(key).ok().flatten().map(f64::from);
    let no_penalties = of_metadata(PENALTY_LAST_N) == Some(0.0);
    let number = |&(field, hf, gguf): &(&'static str, &'static str, &'static str)| {
        let of_config = config.and_then(|config| match (field, config["do_sample"].as_bool()) {
            // As transformers reads it: who does not draw is greedy, who draws and names no temperature draws at 1.
            ("temperature", Some(false)) => Some(0.0),
            ("temperature", Some(true)) if config[hf].is_null() => Some(1.0),
            _ => config[hf].as_f64(),
        });
        let is_off = no_penalties && ["repetition_penalty", "penalty_last_n"].contains(&field);
        let value = of_config.or_else(|| of_metadata(gguf).filter(|_| !is_off))?;
        Some(Recommended { field, gguf, value })
    };
    KEYS.iter().filter_map(number).collect()
}
