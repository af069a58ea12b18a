//! How a model with an encoder writes about a text, as generation_config.json, config.json or GGUF's metadata say.

use crate::api::fields::Fields;
use crate::api::request::Search;
use crate::error::{Error, Result};
use crate::generate::{Beams, SourceRules};
use crate::load::Shape;
use crate::sampler::RANGES;
use crate::weights::Checkpoint;
use serde_json::Value;

/// # Errors
/// `MODEL_FORMAT` where the files do not say what the decoder's text begins behind, or name an id that the model does not have.
pub(super) fn source_rules(checkpoint: &Checkpoint, shape: &Shape) -> Result<SourceRules> {
    let says = |key: &str| {
        let files = [checkpoint.generation_config(), checkpoint.config()];
        files.into_iter().flatten().map(|file| &file[key]).find(|value| !value.is_null())
    };
    let id = |value: &Value| {
        let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
        id.filter(|id| (*id as usize) < shape.vocabulary)
    };
    let of_metadata =
        checkpoint.metadata().u64(&format!("{}.decoder_start_token_id", shape.architecture))?.map(Value::from);
    let start = says("decoder_start_token_id").or_else(|| says("pad_token_id")).or(of_metadata.as_ref());
    let start = start.and_then(id).ok_or_else(|| {
        Error::format(checkpoint.name(), "there is no decoder_start_token_id that is an id of the vocabulary")
    })?;
    let alone = |ids: &Value| ids.as_array().filter(|ids| ids.len() == 1).and_then(|ids| id(&ids[0]));
    let bad = says("bad_words_ids").and_then(Value::as_array).into_iter().flatten().filter_map(alone);
    let suppressed = says("suppress_tokens").and_then(Value::as_array).into_iter().flatten().filter_map(id);
    let number = |key: &str| says(key).and_then(Value::as_f64);
    let beams = Beams {
        count: number("num_beams").filter(|n| RANGES.num_beams.has(*n)).unwrap_or(1.0) as usize,
        length_penalty: number("length_penalty").filter(|n| RANGES.length_penalty.has(*n)).unwrap_or(1.0) as f32,
        early_stopping: says("early_stopping") == Some(&Value::Bool(true)),
    };
    Ok(SourceRules { opening: vec![start], never: bad.chain(suppressed).collect(), beams })
}

/// The template of a chat with such a model, where its files have none: it reads what was said to it last, by itself.
pub(super) const LAST_SAID: &str = "{{ (messages | selectattr('role', 'equalto', 'user') | list | last).content }}";

/// The messages before the assistant's last one, and its words, where the answer is to go on from them: they are the decoder's.
///
/// # Errors
/// Errors of [`Fields::flag`].
pub(super) fn begun<'a>(messages: &'a [Value], fields: &Fields) -> Result<Option<(&'a [Value], &'a str)>> {
    Ok(match messages {
        [before @ .., last]
            if !before.is_empty() && last["role"] == "assistant" && fields.flag("continue_final_message")? =>
        {
            last["content"].as_str().map(|words| (before, words))
        }
        _ => None,
    })
}

/// The search that a request wants, if it wants one. `temperature`: that of the request.
///
/// # Errors
/// `INVALID_REQUEST` for a search where tokens are to be drawn, or where something is asked for that a search does not give.
pub(super) fn beams(usual: Beams, wanted: &Search, temperature: f32) -> Result<Option<Beams>> {
    let drawn = temperature > 0.0;
    let beams = Beams {
        count: wanted.num_beams.unwrap_or(if drawn { 1 } else { usual.count }),
        length_penalty: wanted.length_penalty.unwrap_or(usual.length_penalty),
        early_stopping: wanted.early_stopping.unwrap_or(usual.early_stopping),
    };
    match beams.count > 1 {
        true if drawn => {
            Err(Error::invalid("num_beams", "searches for the likeliest text; that wants a temperature of 0"))
        }
        true => Ok(Some(beams)),
        false => Ok(None),
    }
}
