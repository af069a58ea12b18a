//! The sampling parameters that stand for what a request leaves out: those that the model's makers recommend, else the usual
//! ones. The only place that decides: page, widget and terminal send what their users chose and nothing else.

use crate::api::fields::Fields;
use crate::api::request;
use crate::error::Result;
use crate::sampler::{RANGES, SamplingParams};
use crate::weights::{Checkpoint, recommended};
use serde_json::{Map, Value, json};

/// The parameters for a model, field by field: of `wanted` (an object, or null), of the model's files, the `usual` ones.
///
/// # Errors
/// `INVALID_REQUEST` for a field of `wanted` that is wrong. An odd number in a file is no reason not to load it: it is passed
/// over.
pub fn defaults(checkpoint: &Checkpoint, wanted: &Value, usual: &SamplingParams) -> Result<SamplingParams> {
    let mut found = Map::new();
    for recommended in recommended(checkpoint) {
        let range = RANGES.of(recommended.field).expect("a field of the table");
        if range.has(recommended.value) {
            found.insert(range.name.into(), range.json(recommended.value));
        }
    }
    let found = Value::Object(found);
    let own = request::sampling(&Fields::of(&found)?, usual)?;
    request::sampling(&Fields::of_options(wanted)?, &own)
}

/// The parameters as `info` shows them, under a request's names.
pub fn shown(params: &SamplingParams) -> Value {
    // A decimal is shown as it was written, not with all digits of its nearest f32.
    let number = |x: f32| json!(x.to_string().parse::<f64>().unwrap_or_default());
    json!({
        "temperature": number(params.temperature),
        "top_k": params.top_k,
        "top_p": number(params.top_p),
        "min_p": number(params.min_p),
        "repetition_penalty": number(params.repetition_penalty),
        "frequency_penalty": number(params.frequency_penalty),
        "presence_penalty": number(params.presence_penalty),
        "penalty_last_n": params.penalty_last_n,
    })
}
