//! The ids of a speech model's vocabulary that are no text: as generation_config.json says, else as Whisper's vocabularies lay
//! them out.

use crate::api::languages::LANGUAGES;
use crate::error::{Error, Result};
use crate::models::Shape;
use crate::speech::SpeechIds;
use crate::weights::Checkpoint;
use serde_json::Value;

/// Rows of the vocabulary of models for English alone; those of more have a row more for each language beyond 98.
const ENGLISH_ROWS: usize = 51_864;
/// Times: 0 to 30 s.
const TIMES: u32 = 1501;
/// The latest first time, 1 s, where no file says.
const MOST_FIRST_TIME: u32 = 50;

/// # Errors
/// `MODEL_FORMAT` where the files do not say, or name ids that the model does not have.
pub(super) fn speech_ids(checkpoint: &Checkpoint, shape: &Shape) -> Result<SpeechIds> {
    let rows = shape.vocabulary as u32;
    let says = |key: &str| {
        let files = [checkpoint.generation_config(), checkpoint.config()];
        files.into_iter().flatten().map(|file| &file[key]).find(|value| !value.is_null())
    };
    let usual = shape.vocabulary >= ENGLISH_ROWS;
    let wrong = |what: String| Error::format(checkpoint.name(), what);
    let id = |key: &str, otherwise: Option<u32>| match says(key) {
        Some(value) => one_id(value, rows).ok_or_else(|| wrong(format!("{key} is no id of the vocabulary: {value}"))),
        None => otherwise
            .filter(|id| usual && *id < rows)
            .ok_or_else(|| wrong(format!("generation_config.json is not there, or does not say {key}"))),
    };
    let list = |key: &str| match says(key) {
        None => Ok(Vec::new()),
        Some(value) => ids(value, rows).ok_or_else(|| wrong(format!("{key} must be a list of ids"))),
    };
    let no_timestamps = id("no_timestamps_token_id", rows.checked_sub(TIMES + 1))?;
    // Whisper's vocabularies have translate, transcribe, startoflm, startofprev and nospeech right before it.
    let before = |n: u32| no_timestamps.checked_sub(n);
    let multilingual = says("is_multilingual").and_then(Value::as_bool).unwrap_or(rows as usize > ENGLISH_ROWS);
    let end = id("eos_token_id", Some(if multilingual { 50_257 } else { 50_256 }))?;
    let start = id("decoder_start_token_id", Some(end + 1))?;
    let mut languages = Vec::new();
    let mut tasks = None;
    if multilingual {
        languages = match says("lang_to_id").and_then(Value::as_object) {
            Some(map) => map.iter().filter_map(|(name, id)| Some((code(name), one_id(id, rows)?))).collect(),
            None => LANGUAGES
                .iter()
                .map(|(code, _)| code.to_string())
                .zip(start + 1..no_timestamps.saturating_sub(5))
                .collect(),
        };
        if languages.is_empty() {
            return Err(wrong("lang_to_id names no language".into()));
        }
        let task = |name: &str, otherwise| match says("task_to_id") {
            Some(map) => one_id(&map[name], rows).ok_or_else(|| wrong(format!("task_to_id has no id for {name}"))),
            None => id(name, otherwise),
        };
        tasks = Some([task("transcribe", before(4))?, task("translate", before(5))?]);
    }
    Ok(SpeechIds {
        start,
        end,
        previous: id("prev_sot_token_id", before(2))?,
        no_timestamps,
        no_speech: id("no_speech_token_id", before(1)).or_else(|_| before(1).ok_or_else(|| wrong("ids".into())))?,
        tasks,
        languages,
        suppressed: list("suppress_tokens")?,
        suppressed_first: list("begin_suppress_tokens")?,
        most_first_time: Some(match says("max_initial_timestamp_index").and_then(Value::as_u64) {
            Some(most) => u32::try_from(most).unwrap_or(TIMES),
            None => MOST_FIRST_TIME,
        }),
    })
}

/// The heads, each with its layer, of the decoder whose attention follows what is said: those of `alignment_heads` that the model has, since smaller
/// models may list those of their teacher; where there are none, all of the upper half of its layers.
pub(super) fn alignment_heads(checkpoint: &Checkpoint, shape: &Shape) -> Vec<[usize; 2]> {
    let number = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
    let pair = |value: &Value| Some([number(value.get(0)?)?, number(value.get(1)?)?]);
    let has = |&[layer, head]: &[usize; 2]| layer < shape.n_layers && head < shape.n_heads.at(layer);
    let said = checkpoint.generation_config().and_then(|file| file["alignment_heads"].as_array());
    let listed: Vec<[usize; 2]> = said.into_iter().flatten().filter_map(pair).filter(has).collect();
    if !listed.is_empty() {
        return listed;
    }
    let all = |layer| (0..shape.n_heads.at(layer)).map(move |head| [layer, head]);
    (shape.n_layers / 2..shape.n_layers).flat_map(all).collect()
}

/// `en` of `<|en|>`.
fn code(name: &str) -> String {
    name.trim_start_matches("<|").trim_end_matches("|>").to_string()
}

/// An id, or the first of several.
fn one_id(value: &Value, rows: u32) -> Option<u32> {
    let value = value.as_array().map_or(Some(value), |all| all.first())?;
    value.as_u64().and_then(|id| u32::try_from(id).ok()).filter(|id| *id < rows)
}

fn ids(value: &Value, rows: u32) -> Option<Vec<u32>> {
    value.as_array()?.iter().map(|id| one_id(id, rows)).collect()
}
