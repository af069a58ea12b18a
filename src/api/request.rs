//! OpenAI's completion and chat requests → their options. Every field is checked, and named when it is wrong.

use super::fields::{Fields, ids};
use crate::error::{Error, Result};
use crate::sampler::{RANGES, Range, SamplingParams};
use serde_json::Value;

/// The options of a completion or a chat.
#[derive(Debug, Clone)]
pub struct RequestOptions {
    /// How many choices.
    pub n: usize,
    /// How each token is chosen.
    pub sampling: SamplingParams,
    /// When a choice ends.
    pub ending: Ending,
    /// How the likeliest text is searched for.
    pub search: Search,
    /// Which details of the answer are shown.
    pub shown: Shown,
    /// Start from what the cache holds of the prompt.
    pub cache_prompt: bool,
    /// Which adapter to compute with.
    pub adapter: AdapterChoice,
}

/// When a choice ends.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// `None`: when the context is full.
    pub max_tokens: Option<usize>,
    /// Tokens before which nothing ends it.
    pub min_tokens: usize,
    /// Texts that end it and are not shown.
    pub stop: Vec<String>,
    /// Go on past the model's own end of text.
    pub ignore_eos: bool,
}

/// How the likeliest text is searched for, by models with an encoder. What is absent is as the model's files say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Search {
    /// Texts that grow side by side; 1: there is no search.
    pub num_beams: Option<usize>,
    /// A text's score is divided by its length to this power.
    pub length_penalty: Option<f32>,
    /// End as soon as so many texts have ended as there are beams.
    pub early_stopping: Option<bool>,
}

/// Which details of an answer are shown, and when.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown {
    /// Send chunks as they come.
    pub stream: bool,
    /// Send usage in a last chunk of a stream.
    pub include_usage: bool,
    /// The ids of the tokens.
    pub token_ids: bool,
    /// Control tokens in the text.
    pub special: bool,
    /// How many alternatives to report for each token; `None`: no log-probabilities.
    pub logprobs: Option<usize>,
}

/// Which adapter a request wants.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum AdapterChoice {
    /// Not said: the one the model was loaded with, if any.
    #[default]
    Default,
    /// `null`: the model as it is.
    None,
    /// The adapter of this name.
    Named(String),
}

/// A prompt as text or as ids.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// To be tokenised.
    Text(String),
    /// Tokens as they are.
    Ids(Vec<u32>),
}

/// The `prompt` of a completion.
///
/// # Errors
/// `INVALID_REQUEST` if it is empty, or neither text nor ids.
pub fn prompt(fields: &Fields) -> Result<Prompt> {
    let wrong = || Error::invalid("prompt", "must be text or a list of token ids");
    let prompt = match fields.get("prompt") {
        Some(Value::String(text)) => Prompt::Text(text.clone()),
        Some(Value::Array(list)) => Prompt::Ids(ids(list).ok_or_else(wrong)?),
        _ => return Err(wrong()),
    };
    if matches!(&prompt, Prompt::Text(text) if text.is_empty()) || prompt == Prompt::Ids(Vec::new()) {
        return Err(Error::invalid("prompt", "is empty; write something for the model to continue"));
    }
    Ok(prompt)
}

/// All other fields; `chat` says which of OpenAI's two spellings of `logprobs` holds, `defaults` are what stands for absent
/// sampling parameters.
///
/// # Errors
/// `INVALID_REQUEST` for a field that is wrong or that this version does not know.
pub fn options(fields: &Fields, chat: bool, defaults: &SamplingParams) -> Result<RequestOptions> {
    refuse_others(fields, chat)?;
    Ok(RequestOptions {
        shown: shown(fields, chat)?,
        sampling: sampling(fields, defaults)?,
        ending: ending(fields)?,
        search: search(fields)?,
        n: fields.whole(&RANGES.n)?.unwrap_or(1),
        cache_prompt: fields.get("cache_prompt").is_none() || fields.flag("cache_prompt")?,
        adapter: adapter(fields)?,
    })
}

/// Refuses fields that this endpoint or this version does not have: ignoring them would hide a mistake.
fn refuse_others(fields: &Fields, chat: bool) -> Result<()> {
    for field in ["tools", "tool_choice", "documents"] {
        if !chat && fields.get(field).is_some_and(|v| v.as_array().is_none_or(|list| !list.is_empty())) {
            return Err(Error::invalid(field, "is for chats, whose template shows it to the model"));
        }
    }
    for (field, now) in [("functions", "tools"), ("function_call", "tool_choice")] {
        if fields.get(field).is_some() {
            return Err(Error::invalid(field, format!("is the old name of {now}; use that")));
        }
    }
    if fields.get("response_format").is_some_and(|f| f["type"] != "text") {
        return Err(Error::invalid("response_format", "only {\"type\": \"text\"} is supported by this version"));
    }
    Ok(())
}

fn shown(fields: &Fields, chat: bool) -> Result<Shown> {
    let logprobs = match (chat, fields.get("logprobs")) {
        (_, None) => None,
        (true, Some(_)) if fields.flag("logprobs")? => Some(fields.count("top_logprobs", 0..=20)?.unwrap_or(0)),
        (true, Some(_)) => None,
        (false, Some(_)) => fields.count("logprobs", 0..=20)?,
    };
    Ok(Shown {
        stream: fields.flag("stream")?,
        include_usage: fields.get("stream_options").is_some_and(|o| o["include_usage"] == true),
        token_ids: fields.flag("return_token_ids")?,
        special: fields.get("skip_special_tokens").is_some() && !fields.flag("skip_special_tokens")?,
        logprobs,
    })
}

/// How tokens are drawn; `defaults` stand for what is absent.
///
/// # Errors
/// `INVALID_REQUEST` with the field and its range.
pub fn sampling(fields: &Fields, defaults: &SamplingParams) -> Result<SamplingParams> {
    Ok(SamplingParams {
        temperature: fields.number(&RANGES.temperature)?.unwrap_or(defaults.temperature),
        top_k: fields.whole(&RANGES.top_k)?.map_or(defaults.top_k, |k| k as u32),
        top_p: fields.number(&RANGES.top_p)?.unwrap_or(defaults.top_p),
        min_p: fields.number(&RANGES.min_p)?.unwrap_or(defaults.min_p),
        repetition_penalty: fields.number(&RANGES.repetition_penalty)?.unwrap_or(defaults.repetition_penalty),
        frequency_penalty: fields.number(&RANGES.frequency_penalty)?.unwrap_or(defaults.frequency_penalty),
        presence_penalty: fields.number(&RANGES.presence_penalty)?.unwrap_or(defaults.presence_penalty),
        penalty_last_n: fields.integer(&RANGES.penalty_last_n)?.unwrap_or(defaults.penalty_last_n),
        seed: seed(fields)?,
        logit_bias: logit_bias(fields)?,
    })
}

fn ending(fields: &Fields) -> Result<Ending> {
    let max_tokens = match fields.whole(&Range { name: "max_completion_tokens", ..RANGES.max_tokens })? {
        Some(max) => Some(max),
        None => fields.whole(&RANGES.max_tokens)?,
    };
    Ok(Ending {
        max_tokens,
        min_tokens: fields.whole(&RANGES.min_tokens)?.unwrap_or(0),
        stop: stop(fields)?,
        ignore_eos: fields.flag("ignore_eos")?,
    })
}

fn search(fields: &Fields) -> Result<Search> {
    let early_stopping = match fields.get("early_stopping") {
        Some(_) => Some(fields.flag("early_stopping")?),
        None => None,
    };
    let length_penalty = fields.number(&RANGES.length_penalty)?;
    Ok(Search { num_beams: fields.whole(&RANGES.num_beams)?, length_penalty, early_stopping })
}

fn stop(fields: &Fields) -> Result<Vec<String>> {
    let wrong = || Error::invalid("stop", "must be a string or a list of at most 16 strings");
    match fields.get("stop") {
        None => Ok(Vec::new()),
        Some(Value::String(stop)) => Ok(vec![stop.clone()]),
        Some(Value::Array(list)) if list.len() <= 16 => {
            list.iter().map(|stop| stop.as_str().map(str::to_string).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

fn logit_bias(fields: &Fields) -> Result<Vec<(u32, f32)>> {
    let Range { min, max, .. } = RANGES.logit_bias;
    let wrong = || Error::invalid("logit_bias", format!("must map token ids to numbers from {min} to {max}"));
    let Some(value) = fields.get("logit_bias") else { return Ok(Vec::new()) };
    let entries = value.as_object().ok_or_else(wrong)?.iter();
    let entry = |(id, bias): (&String, &Value)| {
        let bias = bias.as_f64().filter(|b| (min..=max).contains(b))?;
        Some((id.parse().ok()?, bias as f32))
    };
    entries.map(|e| entry(e).ok_or_else(wrong)).collect()
}

fn adapter(fields: &Fields) -> Result<AdapterChoice> {
    match fields.raw("adapter") {
        None => Ok(AdapterChoice::Default),
        Some(Value::Null) => Ok(AdapterChoice::None),
        Some(Value::String(name)) => Ok(AdapterChoice::Named(name.clone())),
        Some(_) => Err(Error::invalid("adapter", "must be the name of a loaded adapter, or null for none")),
    }
}

fn seed(fields: &Fields) -> Result<Option<u64>> {
    let Some(value) = fields.get("seed") else { return Ok(None) };
    let seed = value.as_u64().or_else(|| value.as_i64().map(|n| n as u64));
    seed.map(Some).ok_or_else(|| Error::invalid("seed", format!("must be a whole number, not {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(request: Value) -> String {
        options(&Fields::of(&request).unwrap(), true, &SamplingParams::default()).unwrap_err().to_string()
    }

    #[test]
    fn wrong_values_are_named_with_their_range() {
        assert_eq!(error(json!({"temperature": 3})), "temperature: must be a number from 0 to 2, not 3");
        assert_eq!(error(json!({"top_p": "much"})), "top_p: must be a number from 0 to 1, not \"much\"");
        assert_eq!(error(json!({"n": 0})), "n: must be a whole number, from 1 to 16, not 0");
        assert_eq!(error(json!({"max_tokens": -1})), "max_tokens: must be a whole number, 0 or more, not -1");
        for wrong in [json!(-2), json!(0.5), json!("all")] {
            let want = format!("penalty_last_n: must be a whole number, -1 or more, not {wrong}");
            assert_eq!(error(json!({ "penalty_last_n": wrong })), want);
        }
        assert_eq!(error(json!({"stop": 7})), "stop: must be a string or a list of at most 16 strings");
        assert_eq!(
            error(json!({"logit_bias": {"x": 1}})),
            "logit_bias: must map token ids to numbers from -100 to 100"
        );
        assert!(error(json!({"functions": [{}]})).starts_with("functions: is the old name of tools"));
    }

    #[test]
    fn prompts_are_text_or_ids_and_never_empty() {
        let prompt = |value: Value| prompt(&Fields::of(&json!({ "prompt": value })).unwrap());
        assert_eq!(prompt(json!([1, 2])), Ok(Prompt::Ids(vec![1, 2])));
        assert_eq!(prompt(json!("a")), Ok(Prompt::Text("a".into())));
        for wrong in [json!(""), json!([]), json!([-1]), json!([1.5]), json!(null), json!({})] {
            assert_eq!(prompt(wrong).unwrap_err().code(), "INVALID_REQUEST");
        }
    }

    #[test]
    fn null_is_the_same_as_absent() {
        let request = json!({"temperature": null, "stop": null, "seed": -1, "max_tokens": 5});
        let own = SamplingParams { temperature: 0.3, ..SamplingParams::default() };
        let options = options(&Fields::of(&request).unwrap(), false, &own).unwrap();
        assert_eq!(
            (options.sampling.temperature, options.sampling.seed, options.ending.max_tokens),
            (0.3, Some(u64::MAX), Some(5))
        );
    }
}
