//! OpenAI's request objects → what the engine does. Every field is checked and named when it is wrong.

use crate::error::{Error, Result};
use crate::sampler::SamplingParams;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// What completions and chat have in common.
#[derive(Debug, Clone)]
pub struct Options {
    pub stream: bool,
    pub include_usage: bool,
    pub max_tokens: Option<usize>,
    pub min_tokens: usize,
    pub n: usize,
    pub stop: Vec<String>,
    pub ignore_eos: bool,
    pub return_token_ids: bool,
    /// How many alternatives to report for each token; `None`: no log-probabilities.
    pub logprobs: Option<usize>,
    pub sampling: SamplingParams,
    /// Start from what the cache holds of the prompt.
    pub cache_prompt: bool,
    pub adapter: AdapterChoice,
}

/// Which adapter a request wants.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum AdapterChoice {
    /// Not said: the one the model was loaded with, if any.
    #[default]
    Default,
    /// `null`: the model as it is.
    None,
    Named(String),
}

/// A prompt as text or as ids.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    Text(String),
    Ids(Vec<u32>),
}

/// The fields of a request object.
pub struct Fields<'a>(pub &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub fn of(request: &'a Value) -> Result<Self> {
        request.as_object().map(Fields).ok_or_else(|| Error::invalid("request", "must be an object"))
    }

    /// A field that is there and not null.
    pub fn get(&self, field: &str) -> Option<&'a Value> {
        self.0.get(field).filter(|v| !v.is_null())
    }

    pub fn flag(&self, field: &'static str) -> Result<bool> {
        match self.get(field) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| Error::invalid(field, "must be true or false")),
        }
    }

    pub fn number(&self, field: &'static str, range: RangeInclusive<f64>) -> Result<Option<f32>> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let wrong = || {
            let (low, high) = (range.start(), range.end());
            Error::invalid(field, format!("must be a number from {low} to {high}, not {value}"))
        };
        value.as_f64().filter(|x| range.contains(x)).map(|x| Some(x as f32)).ok_or_else(wrong)
    }

    pub fn count(&self, field: &'static str, range: RangeInclusive<u64>) -> Result<Option<usize>> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let wrong = || {
            let (low, high) = (range.start(), range.end());
            let range =
                if *high >= u32::MAX.into() { format!("{low} or more") } else { format!("from {low} to {high}") };
            Error::invalid(field, format!("must be a whole number, {range}, not {value}"))
        };
        value.as_u64().filter(|n| range.contains(n)).map(|n| Some(n as usize)).ok_or_else(wrong)
    }

    pub fn text(&self, field: &'static str) -> Result<Option<&'a str>> {
        let Some(value) = self.get(field) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| Error::invalid(field, "must be text"))
    }

    fn stop(&self) -> Result<Vec<String>> {
        let wrong = || Error::invalid("stop", "must be a string or a list of at most 16 strings");
        match self.get("stop") {
            None => Ok(Vec::new()),
            Some(Value::String(stop)) => Ok(vec![stop.clone()]),
            Some(Value::Array(list)) if list.len() <= 16 => {
                list.iter().map(|stop| stop.as_str().map(str::to_string).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    fn logit_bias(&self) -> Result<Vec<(u32, f32)>> {
        let wrong = || Error::invalid("logit_bias", "must map token ids to numbers from -100 to 100");
        let Some(value) = self.get("logit_bias") else { return Ok(Vec::new()) };
        let entries = value.as_object().ok_or_else(wrong)?.iter();
        let entry = |(id, bias): (&String, &Value)| {
            let bias = bias.as_f64().filter(|b| (-100.0..=100.0).contains(b))?;
            Some((id.parse().ok()?, bias as f32))
        };
        entries.map(|e| entry(e).ok_or_else(wrong)).collect()
    }

    /// A list of token ids.
    fn ids(list: &[Value]) -> Option<Vec<u32>> {
        list.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()
    }

    /// The `prompt` of a completion.
    pub fn prompt(&self) -> Result<Prompt> {
        let wrong = || Error::invalid("prompt", "must be text or a list of token ids");
        let prompt = match self.get("prompt") {
            Some(Value::String(text)) => Prompt::Text(text.clone()),
            Some(Value::Array(list)) => Prompt::Ids(Self::ids(list).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        };
        if matches!(&prompt, Prompt::Text(text) if text.is_empty()) || prompt == Prompt::Ids(Vec::new()) {
            return Err(Error::invalid("prompt", "is empty; write something for the model to continue"));
        }
        Ok(prompt)
    }

    /// The `messages` of a chat.
    pub fn messages(&self) -> Result<&'a [Value]> {
        let messages = self.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if messages.is_empty() {
            return Err(Error::invalid("messages", "must be a list of at least one message"));
        }
        super::prompt::check_messages(messages)?;
        Ok(messages)
    }

    /// Everything else; `chat` says which of OpenAI's two spellings of `logprobs` holds.
    pub fn options(&self, chat: bool) -> Result<Options> {
        for field in ["tools", "tool_choice", "documents"] {
            if !chat && self.get(field).is_some_and(|v| v.as_array().is_none_or(|list| !list.is_empty())) {
                return Err(Error::invalid(field, "is for chats, whose template shows it to the model"));
            }
        }
        for (field, now) in [("functions", "tools"), ("function_call", "tool_choice")] {
            if self.get(field).is_some() {
                return Err(Error::invalid(field, format!("is the old name of {now}; use that")));
            }
        }
        if self.get("response_format").is_some_and(|f| f["type"] != "text") {
            return Err(Error::invalid("response_format", "only {\"type\": \"text\"} is supported by this version"));
        }
        let any = 0..=u64::MAX;
        let logprobs = match (chat, self.get("logprobs")) {
            (_, None) => None,
            (true, Some(_)) if self.flag("logprobs")? => Some(self.count("top_logprobs", 0..=20)?.unwrap_or(0)),
            (true, Some(_)) => None,
            (false, Some(_)) => self.count("logprobs", 0..=20)?,
        };
        let defaults = SamplingParams::default();
        let sampling = SamplingParams {
            temperature: self.number("temperature", 0.0..=2.0)?.unwrap_or(defaults.temperature),
            top_k: self.count("top_k", 0..=u64::from(u32::MAX))?.map_or(defaults.top_k, |k| k as u32),
            top_p: self.number("top_p", 0.0..=1.0)?.unwrap_or(defaults.top_p),
            min_p: self.number("min_p", 0.0..=1.0)?.unwrap_or(defaults.min_p),
            repetition_penalty: self.number("repetition_penalty", 0.01..=10.0)?.unwrap_or(defaults.repetition_penalty),
            frequency_penalty: self.number("frequency_penalty", -2.0..=2.0)?.unwrap_or(defaults.frequency_penalty),
            presence_penalty: self.number("presence_penalty", -2.0..=2.0)?.unwrap_or(defaults.presence_penalty),
            seed: self.seed()?,
            logit_bias: self.logit_bias()?,
        };
        let max_tokens = match self.count("max_completion_tokens", any.clone())? {
            Some(max) => Some(max),
            None => self.count("max_tokens", any.clone())?,
        };
        Ok(Options {
            stream: self.flag("stream")?,
            include_usage: self.get("stream_options").is_some_and(|o| o["include_usage"] == true),
            max_tokens,
            min_tokens: self.count("min_tokens", any)?.unwrap_or(0),
            n: self.count("n", 1..=16)?.unwrap_or(1),
            stop: self.stop()?,
            ignore_eos: self.flag("ignore_eos")?,
            return_token_ids: self.flag("return_token_ids")?,
            logprobs,
            sampling,
            cache_prompt: self.get("cache_prompt").is_none() || self.flag("cache_prompt")?,
            adapter: self.adapter()?,
        })
    }

    fn adapter(&self) -> Result<AdapterChoice> {
        match self.0.get("adapter") {
            None => Ok(AdapterChoice::Default),
            Some(Value::Null) => Ok(AdapterChoice::None),
            Some(Value::String(name)) => Ok(AdapterChoice::Named(name.clone())),
            Some(_) => Err(Error::invalid("adapter", "must be the name of a loaded adapter, or null for none")),
        }
    }

    fn seed(&self) -> Result<Option<u64>> {
        let Some(value) = self.get("seed") else { return Ok(None) };
        let seed = value.as_u64().or_else(|| value.as_i64().map(|n| n as u64));
        seed.map(Some).ok_or_else(|| Error::invalid("seed", format!("must be a whole number, not {value}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(request: Value) -> String {
        Fields::of(&request).unwrap().options(true).unwrap_err().to_string()
    }

    #[test]
    fn wrong_values_are_named_with_their_range() {
        assert_eq!(error(json!({"temperature": 3})), "temperature: must be a number from 0 to 2, not 3");
        assert_eq!(error(json!({"top_p": "much"})), "top_p: must be a number from 0 to 1, not \"much\"");
        assert_eq!(error(json!({"n": 0})), "n: must be a whole number, from 1 to 16, not 0");
        assert_eq!(error(json!({"max_tokens": -1})), "max_tokens: must be a whole number, 0 or more, not -1");
        assert_eq!(error(json!({"stop": 7})), "stop: must be a string or a list of at most 16 strings");
        assert_eq!(
            error(json!({"logit_bias": {"x": 1}})),
            "logit_bias: must map token ids to numbers from -100 to 100"
        );
        assert!(error(json!({"functions": [{}]})).starts_with("functions: is the old name of tools"));
    }

    #[test]
    fn prompts_are_text_or_ids_and_never_empty() {
        let prompt = |value: Value| Fields::of(&json!({ "prompt": value })).unwrap().prompt();
        assert_eq!(prompt(json!([1, 2])), Ok(Prompt::Ids(vec![1, 2])));
        assert_eq!(prompt(json!("a")), Ok(Prompt::Text("a".into())));
        for wrong in [json!(""), json!([]), json!([-1]), json!([1.5]), json!(null), json!({})] {
            assert_eq!(prompt(wrong).unwrap_err().code(), "INVALID_REQUEST");
        }
    }

    #[test]
    fn null_is_the_same_as_absent() {
        let request = json!({"temperature": null, "stop": null, "seed": -1, "max_tokens": 5});
        let options = Fields::of(&request).unwrap().options(false).unwrap();
        assert_eq!(
            (options.sampling.temperature, options.sampling.seed, options.max_tokens),
            (1.0, Some(u64::MAX), Some(5))
        );
    }
}
